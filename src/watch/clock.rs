//! The time since a watch began, as its views count it: the real one, or a recording's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Tells how long ago a watch began.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// Goes so many times as fast as real time.
    Running(Instant, f64),
    /// Stands where it was last set, in milliseconds.
    Set(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that begins now, and goes `speed` times as fast as real time.
    #[must_use]
    pub fn running(speed: f64) -> Self {
        Self(Source::Running(Instant::now(), speed))
    }

    /// A clock that goes by [`Clock::set`] alone.
    #[must_use]
    pub fn standing() -> Self {
        Self(Source::Set(Arc::default()))
    }

    /// The time since the watch began.
    #[must_use]
    pub fn now(&self) -> Duration {
        match &self.0 {
            Source::Running(begin, speed) => begin.elapsed().mul_f64(*speed),
            Source::Set(millis) => Duration::from_millis(millis.load(Ordering::Relaxed)),
        }
    }

    /// The time of something that came without a wait after `last`: in between, a running clock is not
    /// looked at again, which costs more than writing a line does.
    #[must_use]
    pub(super) fn now_after(&self, last: Duration) -> Duration {
        match &self.0 {
            Source::Running(..) => last,
            Source::Set(_) => self.now(),
        }
    }

    /// Sets a standing clock and all its clones; a running one goes on as it does.
    pub fn set(&self, now: Duration) {
        if let Source::Set(millis) = &self.0 {
            let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            millis.store(now, Ordering::Relaxed);
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::running(1.0)
    }
}
