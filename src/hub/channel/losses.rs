//! The places at which a mirror's log lacks messages that the store lost, as by a failover to a replica that lags.
//!
//! Each place is a number: an unknown number of messages is missing right before the message that has it now. Every
//! reader that crosses one gets a gap, whether it was reading at that time or comes later.

use std::ops::{Range, RangeInclusive};

/// Upper bound of the places; the newest are kept. Places before the start of the log are kept, too, because a store
/// that goes back may hold older messages again.
const PLACES_MAX: usize = 64;

#[derive(Default)]
pub(super) struct Losses {
    /// In ascending order. Few channels ever have one.
    places: Vec<u64>,
}

impl Losses {
    /// Adds a place. Later places are removed: all messages there are lost.
    pub(super) fn rewind(&mut self, place: u64) {
        self.places.retain(|it| *it < place);
        self.add(place);
    }

    /// Adds a place that is known to another mirror. Returns false if it is here already.
    pub(super) fn add(&mut self, place: u64) -> bool {
        let Err(index) = self.places.binary_search(&place) else {
            return false;
        };
        self.places.insert(index, place);
        let oldest = self.places.len().saturating_sub(PLACES_MAX);
        self.places.drain(..oldest);
        true
    }

    /// Removes all places, because the channel is another one.
    pub(super) fn clear(&mut self) {
        self.places.clear();
    }

    /// Returns whether a place is among these numbers.
    pub(super) fn are_in(&self, numbers: RangeInclusive<u64>) -> bool {
        self.places.iter().any(|it| numbers.contains(it))
    }

    /// Returns the numbers from this one on up to the next place.
    pub(super) fn next_stretch(&self, from: u64) -> Range<u64> {
        let next = self.places.iter().find(|it| **it > from);
        from..next.copied().unwrap_or(u64::MAX)
    }
}
