//! The time since a watch began, as its views count it: the real one, or a recording's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::lock;

/// Tells how long ago a watch began.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Real(Instant),
    /// Shared by a recording, which sets it, and its views.
    Recording(Arc<Mutex<RecordingTime>>),
}

/// A recording's time: that of its newest update, and on from there.
#[derive(Clone, Copy, Debug)]
struct RecordingTime {
    at: Duration,
    set: Instant,
    /// How many times as fast as real time it goes on; 0 if it stands.
    speed: f64,
}

impl Clock {
    /// A recording's clock. Between its updates it goes `speed` times as fast as real time, or stands if that is not
    /// finite.
    #[must_use]
    pub(super) fn of_recording(speed: f64) -> Self {
        let recording = RecordingTime {
            at: Duration::ZERO,
            set: Instant::now(),
            speed: if speed.is_finite() { speed } else { 0.0 },
        };
        Self(Source::Recording(Arc::new(Mutex::new(recording))))
    }

    /// The time since the watch began.
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

    /// The time of the update that was taken last: a recording's tells it, and so its figures are the same at every
    /// speed.
    #[must_use]
    pub fn of_update(&self) -> Duration {
        match &self.0 {
            Source::Real(_) => self.now(),
            Source::Recording(recording) => read(recording).at,
        }
    }

    /// The time of an update that came without a wait after `last`: in between, the real clock is not looked at
    /// again, which costs more than writing a line does.
    #[must_use]
    pub(super) fn of_update_after(&self, last: Duration) -> Duration {
        match &self.0 {
            Source::Real(_) => last,
            Source::Recording(_) => self.of_update(),
        }
    }

    /// How long it really takes until it has gone on by `wait`; `None` if it stands.
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
    /// A clock that begins now.
    fn default() -> Self {
        Self(Source::Real(Instant::now()))
    }
}
