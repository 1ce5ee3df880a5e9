//! The time since a watch began: real time, or a recording's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::lock;

/// Measures the time since a watch began.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Real(Instant),
    /// Shared between a recording, which sets it, and its views.
    Recording(Arc<Mutex<RecordingTime>>),
}

/// A recording's time: that of its newest update, and how it continues from there.
#[derive(Clone, Copy, Debug)]
struct RecordingTime {
    at: Duration,
    set: Instant,
    /// Factor to real time; 0 if it is stopped.
    speed: f64,
}

impl Clock {
    /// Creates a recording's clock. Between updates it runs `speed` times as fast as real time, or not at all if
    /// `speed` is not finite.
    #[must_use]
    pub(super) fn of_recording(speed: f64) -> Self {
        let recording = RecordingTime {
            at: Duration::ZERO,
            set: Instant::now(),
            speed: if speed.is_finite() { speed } else { 0.0 },
        };
        Self(Source::Recording(Arc::new(Mutex::new(recording))))
    }

    /// Returns the time since the watch began.
    #[must_use]
    pub fn now(&self) -> Duration {
        match &self.0 {
            Source::Real(begin) => begin.elapsed(),
            Source::Recording(recording) => {
                let RecordingTime { at, set, speed } = read(recording);
                at + set.elapsed().mul_f64(speed)
            }
        }
    }

    /// Returns the time of the newest update. A recording's updates carry their times, so its figures are the same at
    /// every speed.
    #[must_use]
    pub fn of_update(&self) -> Duration {
        match &self.0 {
            Source::Real(_) => self.now(),
            Source::Recording(recording) => read(recording).at,
        }
    }

    /// Returns the time of an update that came without a wait after `last`. It does not read the real clock again: that
    /// costs more than writing a line.
    #[must_use]
    pub(super) fn of_update_after(&self, last: Duration) -> Duration {
        match &self.0 {
            Source::Real(_) => last,
            Source::Recording(_) => self.of_update(),
        }
    }

    /// Returns how much real time passes during `wait`; `None` if the clock is stopped.
    #[must_use]
    pub(super) fn real(&self, wait: Duration) -> Option<Duration> {
        match &self.0 {
            Source::Real(_) => Some(wait),
            Source::Recording(recording) => {
                let speed = read(recording).speed;
                Duration::try_from_secs_f64(wait.as_secs_f64() / speed).ok()
            }
        }
    }

    /// Sets a recording's clock and all its clones.
    pub(super) fn set(&self, at: Duration) {
        self.change(|it| (it.at, it.set) = (at, Instant::now()));
    }

    /// Stops a recording's clock at its newest update.
    pub(super) fn stop(&self) {
        self.change(|it| it.speed = 0.0);
    }

    fn change(&self, change: impl FnOnce(&mut RecordingTime)) {
        if let Source::Recording(recording) = &self.0 {
            change(&mut lock(recording));
        }
    }
}

fn read(recording: &Mutex<RecordingTime>) -> RecordingTime {
    *lock(recording)
}

impl Default for Clock {
    /// Creates a clock that begins now.
    fn default() -> Self {
        Self(Source::Real(Instant::now()))
    }
}
