//! What is remembered of channels that ended.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::event::ClientId;

/// How long an ended ID is remembered.
pub const TOMBSTONE_AGE: Duration = Duration::from_hours(24);
/// How many ended IDs are remembered: the newest.
pub const TOMBSTONES: usize = 100_000;
/// The IDs that ended, so that a reader who comes back is told to stop rather than to wait.
#[derive(Default)]
pub(super) struct Tombstones {
    ended: HashMap<ClientId, Instant>,
    /// Oldest first. A pair is stale where `ended` says another time, or nothing.
    order: VecDeque<(Instant, ClientId)>,
}

impl Tombstones {
    pub(super) fn add(&mut self, id: ClientId, now: Instant) {
        self.ended.insert(id, now);
        self.order.push_back((now, id));
        while let Some(&(at, id)) = self.order.front()
            && (self.order.len() > TOMBSTONES || now.duration_since(at) >= TOMBSTONE_AGE)
        {
            self.order.pop_front();
            if self.ended.get(&id) == Some(&at) {
                self.ended.remove(&id);
            }
        }
    }

    pub(super) fn contains(&self, id: ClientId, now: Instant) -> bool {
        self.ended
            .get(&id)
            .is_some_and(|&at| now.duration_since(at) < TOMBSTONE_AGE)
    }

    /// Forgets an ID that is in use again.
    pub(super) fn remove(&mut self, id: ClientId) {
        self.ended.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ended_ids_are_remembered_for_a_day() {
        let mut tombstones = Tombstones::default();
        let start = Instant::now();
        let first = ClientId::random();
        tombstones.add(first, start);
        assert!(tombstones.contains(first, start + TOMBSTONE_AGE / 2));
        assert!(!tombstones.contains(first, start + TOMBSTONE_AGE));

        for _ in 0..TOMBSTONES {
            tombstones.add(ClientId::random(), start);
        }
        assert!(!tombstones.contains(first, start));
        assert_eq!(
            (tombstones.ended.len(), tombstones.order.len()),
            (TOMBSTONES, TOMBSTONES)
        );
    }

    #[test]
    fn an_id_that_ended_twice_counts_from_its_second_end() {
        let mut tombstones = Tombstones::default();
        let (start, id) = (Instant::now(), ClientId::random());
        tombstones.add(id, start);
        tombstones.remove(id);
        assert!(!tombstones.contains(id, start));
        let later = start + TOMBSTONE_AGE / 2;
        tombstones.add(id, later);
        tombstones.add(ClientId::random(), start + TOMBSTONE_AGE);
        assert!(tombstones.contains(id, start + TOMBSTONE_AGE));
    }
}
