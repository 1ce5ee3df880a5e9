//! Where a mirror's log lacks messages that the store once took and then lost, as by a failover to a replica that lags.
//!
//! Each such place is a number: right before the message that has it now, an unknown number of others stood. Whoever reads
//! across one is told, whether it was reading then or comes later.

use std::ops::{Range, RangeInclusive};

#[derive(Default)]
pub(super) struct Losses {
    /// In ascending order. Few channels ever have one.
    places: Vec<u64>,
}

impl Losses {
    /// Notes a place. What was noted of later ones is void: all that stood there is lost.
    pub(super) fn rewind(&mut self, place: u64) {
        self.places.retain(|it| *it < place);
        self.places.push(place);
    }

    /// Forgets all, where the channel is another one.
    pub(super) fn clear(&mut self) {
        self.places.clear();
    }

    /// Forgets what makes no difference to any reader, where the log begins with this number: of the places before it,
    /// all but the last.
    pub(super) fn begin_at(&mut self, first: u64) {
        let before = self.places.partition_point(|it| *it <= first);
        self.places.drain(..before.saturating_sub(1));
    }

    /// Whether there is one among these numbers.
    pub(super) fn are_in(&self, numbers: RangeInclusive<u64>) -> bool {
        self.places.iter().any(|it| numbers.contains(it))
    }

    /// The numbers from this one on that are read without coming across one.
    pub(super) fn next_stretch(&self, from: u64) -> Range<u64> {
        let next = self.places.iter().find(|it| **it > from);
        from..next.copied().unwrap_or(u64::MAX)
    }
}
