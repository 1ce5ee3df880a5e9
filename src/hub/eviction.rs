//! Which channels end when the memory budget is spent.

use std::collections::VecDeque;

use super::channel::Channel;
use super::limits::Room;
use super::sync::{Arc, Ordering};
use super::{Hub, Refusal, lock};
use crate::event::{ClientId, End};

/// After a scan for channels to end that did not help, the next is so much later, in milliseconds.
const SCAN_PAUSE: u64 = 100;

/// Unwatched channels that hold messages, longest idle first, as one scan over all channels found them.
///
/// A scan costs as much as there are channels, so it is used up before the next one is made: a
/// candidate that was active since is passed over. Whoever lost its last reader since the scan waits
/// for the next one. After one that did not help, the next is a while off ([`SCAN_PAUSE`]), lest each
/// message that is refused cost a scan.
#[derive(Default)]
pub(super) struct Candidates {
    waiting: VecDeque<(u64, ClientId)>,
    /// No scan is made before, on the hub's clock.
    next_scan: u64,
}

impl Candidates {
    /// The next one, with its last activity as the scan found it.
    pub(super) fn pop(&mut self) -> Option<(u64, ClientId)> {
        self.waiting.pop_front()
    }

    pub(super) fn refill(&mut self, mut idle: Vec<(u64, ClientId)>) {
        idle.sort_unstable_by_key(|&(active, _)| active);
        self.waiting = idle.into();
    }

    /// Whether a scan may help.
    pub(super) fn may_scan(&self, now: u64) -> bool {
        self.next_scan <= now
    }

    /// Notes that a scan did not help.
    pub(super) fn scanned_in_vain(&mut self, now: u64) {
        self.next_scan = now + SCAN_PAUSE;
    }
}

impl Hub {
    /// Where the memory budget is spent, ends the channels that nobody reads, longest idle first,
    /// sparing the one that is about to be written to, and those whose end would free nothing.
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
                lock(&self.registry.candidates).scanned_in_vain(self.shared.now());
                return Err(Refusal::OutOfMemory(budget));
            } else if !lock(&self.registry.candidates).may_scan(self.shared.now()) {
                return Err(Refusal::OutOfMemory(budget));
            } else {
                scanned = true;
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
