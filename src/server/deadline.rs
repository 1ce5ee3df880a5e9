//! A deadline that is moved far more often than it is reached.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer for a moving deadline. Moving it later only stores the new time: the timer is set again if it fires too
/// early.
pub(super) struct Deadline {
    timer: Pin<Box<Sleep>>,
    due: Instant,
}

impl Deadline {
    pub(super) fn new(due: Instant) -> Self {
        let timer = Box::pin(sleep_until(due));
        Self { timer, due }
    }

    /// Moves the deadline.
    pub(super) fn set(&mut self, due: Instant) {
        self.due = due;
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
    }

    /// Returns whether the timer, after it was polled, will wake its task.
    pub(super) fn is_armed(&self, now: Instant) -> bool {
        now < self.timer.deadline()
    }

    /// Becomes ready when the deadline has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.due <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.due);
        }
    }
}
