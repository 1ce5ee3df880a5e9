//! Tombstones: what is remembered of channels that have ended.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::event::{ClientId, End};

/// How long an ended ID is remembered.
pub const TOMBSTONE_AGE: Duration = Duration::from_hours(24);
/// Upper bound of the remembered IDs; the newest are kept.
pub const TOMBSTONES: usize = 100_000;

/// The IDs that have ended, so that a reader that reconnects can be told to stop.
#[derive(Default)]
pub(super) struct Tombstones {
    ended: HashMap<ClientId, (Instant, End)>,
    /// Oldest first. A pair is stale if `ended` has another time, or none.
    order: VecDeque<(Instant, ClientId)>,
}

impl Tombstones {
    pub(super) fn add(&mut self, id: ClientId, end: End, now: Instant) {
        self.ended.insert(id, (now, end));
        self.order.push_back((now, id));
        while let Some(&(at, id)) = self.order.front()
            && (self.order.len() > TOMBSTONES || now.duration_since(at) >= TOMBSTONE_AGE)
        {
            self.order.pop_front();
            if self.ended.get(&id).is_some_and(|it| it.0 == at) {
                self.ended.remove(&id);
            }
        }
    }

    pub(super) fn contains(&self, id: ClientId, now: Instant) -> bool {
        self.get(id, now).is_some()
    }

    /// Returns how long ago an ID ended, and why.
    pub(super) fn get(&self, id: ClientId, now: Instant) -> Option<(Duration, End)> {
        let (at, end) = self.ended.get(&id)?;
        let ago = now.duration_since(*at);
        (ago < TOMBSTONE_AGE).then_some((ago, *end))
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
        tombstones.add(first, End::Idle, start);
        assert!(tombstones.contains(first, start + TOMBSTONE_AGE / 2));
        assert!(!tombstones.contains(first, start + TOMBSTONE_AGE));

        for _ in 0..TOMBSTONES {
            tombstones.add(ClientId::random(), End::Idle, start);
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
        tombstones.add(id, End::Idle, start);
        tombstones.remove(id);
        assert!(!tombstones.contains(id, start));
        let later = start + TOMBSTONE_AGE / 2;
        tombstones.add(id, End::Stopped, later);
        tombstones.add(ClientId::random(), End::Idle, start + TOMBSTONE_AGE);
        assert!(tombstones.contains(id, start + TOMBSTONE_AGE));
    }
}
