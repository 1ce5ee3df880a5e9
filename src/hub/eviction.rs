//! Eviction: which channels end when the memory budget is used up.

use std::collections::VecDeque;

use super::channel::Channel;
use super::limits::Room;
use super::sync::{Arc, Ordering};
use super::{Hub, Refusal, lock};
use crate::event::{ClientId, End};

/// Pause after a scan that found too little, in milliseconds.
const SCAN_PAUSE: u64 = 100;

/// The unwatched channels that hold messages, longest idle first, at the time of the last scan of all channels.
///
/// A scan visits every channel, so its result is used up before the next one. A candidate that has been active since is
/// skipped; a channel that has lost its last reader since is found by the next scan. After a scan that found too
/// little, [`SCAN_PAUSE`] must pass, so that not every refused message costs a scan.
#[derive(Default)]
pub(super) struct Candidates {
    waiting: VecDeque<(u64, ClientId)>,
    /// No scan is made before this time of the hub's clock.
    next_scan: u64,
}

impl Candidates {
    /// Removes the next candidate, with its last activity at the time of the scan.
    pub(super) fn pop(&mut self) -> Option<(u64, ClientId)> {
        self.waiting.pop_front()
    }

    pub(super) fn refill(&mut self, mut idle: Vec<(u64, ClientId)>) {
        idle.sort_unstable_by_key(|&(active, _)| active);
        self.waiting = idle.into();
    }

    /// Returns whether a scan is allowed.
    pub(super) fn may_scan(&self, now: u64) -> bool {
        self.next_scan <= now
    }

    /// Notes that a scan found too little.
    pub(super) fn note_failed_scan(&mut self, now: u64) {
        self.next_scan = now + SCAN_PAUSE;
    }
}

impl Hub {
    /// If the memory budget is used up, ends the channels that nobody reads, longest idle first, except the one that is
    /// about to be written to, and those whose end would free nothing.
    pub(super) fn evict(&self, writing: &Arc<Channel>) -> Room {
        let budget = self.shared.limits.memory;
        let (logs, requests) = (&self.shared.memory, &self.shared.held);
        let spent = || logs.load(Ordering::Relaxed) + requests.load(Ordering::Relaxed) >= budget;
        let mut scanned = false;
        while spent() {
            let candidate = lock(&self.registry.candidates).pop();
            if let Some((active, id)) = candidate {
                if id != writing.id
                    && let Some(channel) = self.channel(id)
                {
                    self.remove_ended(&channel, End::Idle, || channel.end_if_unwatched(active));
                }
            } else if scanned {
                lock(&self.registry.candidates).note_failed_scan(self.shared.now());
                return Err(Refusal::OutOfMemory(budget));
            } else if !lock(&self.registry.candidates).may_scan(self.shared.now()) {
                return Err(Refusal::OutOfMemory(budget));
            } else {
                scanned = true;
                let idle = self.channels_where(Channel::has_messages_but_no_readers);
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
