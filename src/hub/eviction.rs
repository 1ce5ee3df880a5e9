//! How channels go: by idleness, for want of memory, and what is remembered of those that ended.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Hub, Refusal,
    channel::Channel,
    lock,
    sync::{Arc, Ordering},
};
use crate::event::ClientId;

/// How long an ended ID is remembered.
pub const TOMBSTONE_AGE: Duration = Duration::from_hours(24);
/// How many ended IDs are remembered: the newest.
pub const TOMBSTONES: usize = 100_000;
/// After a look for channels to end that did not help, the next is so much later, in milliseconds.
const LOOK_PAUSE: u64 = 100;

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

/// Unwatched channels that hold messages, longest idle first, as one look over all channels found them.
///
/// A look costs as much as there are channels, so it is used up before the next one is made: a
/// candidate that was active since is passed over. Whoever lost its last reader since the look waits
/// for the next one. After one that did not help, the next is a while off ([`LOOK_PAUSE`]), lest each
/// message that is refused cost a look.
#[derive(Default)]
pub(super) struct Candidates {
    waiting: VecDeque<(u64, ClientId)>,
    /// No look is made before, on the hub's clock.
    next_look: u64,
}

impl Candidates {
    /// The next one, with its last activity as the look found it.
    pub(super) fn pop(&mut self) -> Option<(u64, ClientId)> {
        self.waiting.pop_front()
    }

    pub(super) fn refill(&mut self, mut idle: Vec<(u64, ClientId)>) {
        idle.sort_unstable_by_key(|&(active, _)| active);
        self.waiting = idle.into();
    }

    /// Whether a look may help.
    pub(super) fn may_look(&self, now: u64) -> bool {
        self.next_look <= now
    }

    /// Notes that a look did not help.
    pub(super) fn looked_in_vain(&mut self, now: u64) {
        self.next_look = now + LOOK_PAUSE;
    }
}

/// Whether logs may grow; if not, what a publisher gets whose message would make one.
pub(super) type Room = Result<(), Refusal>;

impl Hub {
    /// Where the memory budget is spent, ends the channels that nobody reads, longest idle first,
    /// sparing the one that is about to be written to, and those whose end would free nothing.
    pub(super) fn make_room(&self, writing: &Arc<Channel>) -> Room {
        let budget = self.shared.limits.memory;
        let spent = || self.shared.memory.load(Ordering::Relaxed) >= budget;
        let mut looked = false;
        while spent() {
            let candidate = lock(&self.registry.candidates).pop();
            if let Some((active, id)) = candidate {
                if id != writing.id
                    && let Some(channel) = self.channel(id)
                {
                    self.bury(&channel, || channel.end_if_unwatched(active));
                }
            } else if looked {
                lock(&self.registry.candidates).looked_in_vain(self.shared.now());
                return Err(Refusal::OutOfMemory(budget));
            } else if !lock(&self.registry.candidates).may_look(self.shared.now()) {
                return Err(Refusal::OutOfMemory(budget));
            } else {
                looked = true;
                let idle = self.channels_where(Channel::holds_messages_for_nobody);
                lock(&self.registry.candidates).refill(
                    idle.iter()
                        .map(|channel| (channel.active(), channel.id))
                        .collect(),
                );
            }
        }
        Ok(())
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
