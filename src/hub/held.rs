//! What unfinished requests hold: it counts towards the memory budget as logs do.

use super::sync::{Arc, Ordering};
use super::{Hub, Refusal, Shared};

/// Unfinished requests may hold this part of the budget, however much of it logs have.
const RESERVE_DIVISOR: usize = 8;
/// They may hold so much in any case, in bytes: else a server with a small budget could take no message.
const RESERVE_MIN: usize = 1 << 20;

/// The bytes that one request holds before it is a message. They are given back when this is dropped.
pub struct Held {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Hub {
    /// Begins to count what a request holds.
    #[must_use]
    #[doc(hidden)]
    pub fn hold(&self) -> Held {
        Held {
            shared: Arc::clone(&self.shared),
            bytes: 0,
        }
    }
}

impl Held {
    /// Notes that the request holds so many bytes now.
    ///
    /// # Errors
    /// [`Refusal::OutOfMemory`] if these are more than before, the memory budget is spent, and the part of it
    /// that is kept for requests too.
    pub fn set(&mut self, bytes: usize) -> Result<(), Refusal> {
        let Some(more) = bytes.checked_sub(self.bytes) else {
            let fewer = self.bytes - bytes;
            self.shared.held.fetch_sub(fewer, Ordering::Relaxed);
            self.bytes = bytes;
            return Ok(());
        };
        let budget = self.shared.limits.memory;
        let reserve = (budget / RESERVE_DIVISOR).max(RESERVE_MIN);
        let held = self.shared.held.fetch_add(more, Ordering::Relaxed) + more;
        self.bytes = bytes;
        let logs = self.shared.memory.load(Ordering::Relaxed);
        if more > 0 && held > reserve && logs + held > budget {
            return Err(Refusal::OutOfMemory(budget));
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(codechat_loom)))]
mod tests {
    use super::*;
    use crate::hub::{Frames, Limits};

    #[test]
    fn what_requests_hold_is_bounded_by_the_budget_and_given_back() {
        let frames = Frames {
            text: |_| Vec::new(),
            json: |_| Vec::new(),
        };
        let limits = Limits {
            memory: 4 << 20,
            ..Limits::default()
        };
        let hub = Hub::with_frames(limits, frames);
        let (mut one, mut other) = (hub.hold(), hub.hold());
        assert_eq!(one.set(3 << 20), Ok(()));
        let refused = Err(Refusal::OutOfMemory(4 << 20));
        assert_eq!(other.set(2 << 20), refused);
        assert_eq!(other.set(1 << 20), Ok(()));
        assert_eq!(other.set(2 << 20), refused);
        drop(one);
        assert_eq!(other.set(3 << 20), Ok(()));
        drop(other);
        assert_eq!(hub.shared.held.load(Ordering::Relaxed), 0);
    }
}
