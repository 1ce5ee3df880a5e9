//! The memory of unfinished requests, which counts towards the memory budget like that of logs.

use super::sync::{Arc, Ordering};
use super::{Hub, Refusal, Shared};

/// Divisor of the budget: unfinished requests may hold this part of it even if logs use up the rest.
const RESERVE_DIVISOR: usize = 8;
/// Lower bound of that part, in bytes, so that even a server with a small budget can accept messages.
const RESERVE_MIN: usize = 1 << 20;

/// The bytes that one request holds before it is a message. Dropping this frees them.
pub struct Held {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Hub {
    /// Begins to count the bytes of a request.
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
    /// Sets the number of bytes that the request holds.
    ///
    /// # Errors
    /// [`Refusal::OutOfMemory`] if there are more than before, and both the memory budget and the part reserved for
    /// requests are used up.
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
    fn memory_of_requests_is_bounded_by_the_budget_and_released() {
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
