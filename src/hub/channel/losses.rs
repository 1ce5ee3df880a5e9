//! Where a mirror's log lacks messages that the store once took and then lost, as by a failover to a replica that lags.
//!
//! Each such place is a number: right before the message that has it now, an unknown number of others stood. Whoever reads
//! across one is told, whether it was reading then or comes later.

use std::ops::{Range, RangeInclusive};

/// Upper bound of the places that are kept, the newest ones. Also those are that the log no longer reaches: a store that goes
/// back may hold older messages again.
const PLACES_MAX: usize = 64;

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
        let oldest = self.places.len().saturating_sub(PLACES_MAX);
        self.places.drain(..oldest);
    }

    /// Forgets all, where the channel is another one.
    pub(super) fn clear(&mut self) {
        self.places.clear();
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
