//! The places at which a mirror's log lacks messages that the store lost, for example by a failover to a replica that
//! lagged.
//!
//! Each place is the sequence number of a message right before which others are missing; how many is not known. Every
//! reader that passes such a place gets a gap, whether it was reading at the time of the loss or began later.

use std::ops::{Range, RangeInclusive};

use super::State;
use crate::hub::image::Loss;

/// Upper bound of the places; the newest are kept. Places before the start of the log are kept too, because a store
/// that is set back may hold older messages again.
const PLACES_MAX: usize = 64;

#[derive(Default)]
pub(super) struct Losses {
    /// In ascending order. Most channels have none.
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

    /// Removes all places, because the channel was replaced by another one.
    pub(super) fn clear(&mut self) {
        self.places.clear();
    }

    /// Returns whether a place is among these numbers.
    pub(super) fn are_in(&self, numbers: RangeInclusive<u64>) -> bool {
        self.places.iter().any(|it| numbers.contains(it))
    }

    /// Returns the numbers from this one to the next place.
    pub(super) fn next_stretch(&self, from: u64) -> Range<u64> {
        let next = self.places.iter().find(|it| **it > from);
        from..next.copied().unwrap_or(u64::MAX)
    }
}

impl State {
    /// Notes that the store has lost the messages after the number `agreed`. Readers beyond it are moved back
    /// to it and get a gap now; the others get one when they arrive there. If the store has also dropped the messages
    /// that follow, the exact place is not known, and all readers get the gap now. `all` means that the channel was
    /// replaced by another one; then every reader is moved.
    pub(super) fn rewind(&mut self, agreed: u64, held_from: u64, all: bool) -> Loss {
        let place = (agreed + 1).max(held_from);
        let is_exact = place == agreed + 1;
        for reader in self.readers.iter_mut().flatten() {
            let is_beyond = all || reader.next >= place;
            reader.owes_a_gap |= is_beyond || !is_exact;
            if is_beyond {
                reader.next = place.max(self.log.first());
                reader.unwritten = reader.next;
            }
        }
        if let Some(mirrored) = &mut self.mirrored {
            let losses = mirrored.losses_mut();
            if all {
                losses.clear();
            }
            losses.rewind(place);
        }
        if all { Loss::All } else { Loss::Before(place) }
    }

    /// Notes a place at which the store has lost messages. Readers that have already passed it get a gap now.
    pub(super) fn note_loss(&mut self, place: u64) {
        let mirrored = self.mirrored.as_mut();
        if !mirrored.is_some_and(|it| it.losses_mut().add(place)) {
            return;
        }
        for reader in self.readers.iter_mut().flatten() {
            reader.owes_a_gap |= reader.next >= place;
        }
    }
}
