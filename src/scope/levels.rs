//! The finest level that any scope of this process wants. `tracing` callsites of finer levels cost next to nothing.
//!
//! Each change has the caches of `tracing` rebuilt, at 0.1 µs a callsite. So a finer level is applied at once, but a coarser one only a second
//! after the last change: requests that follow each other closely change nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tracing_core::callsite::rebuild_interest_cache;

use crate::lock::lock;
use crate::message::Level;

/// The number that stands for no level.
pub(super) const NONE: u8 = 5;
/// A target that no application uses.
const PROBE: &str = "codechat_probe";
/// The time after a change within which no coarser level is applied.
const PAUSE: Duration = Duration::from_secs(1);

/// The level that is applied; read by every callsite that is registered.
static FINEST: AtomicU8 = AtomicU8::new(NONE);
/// A short lock; none other is taken while it is held.
static WANTED: Mutex<Wanted> = Mutex::new(Wanted {
    scopes: [0; 5],
    changed: None,
    is_followed: false,
});

struct Wanted {
    /// The number of scopes that want each level as their finest. Two changes of one scope may be noted in either order, so
    /// that a number may be negative for a moment.
    scopes: [isize; 5],
    changed: Option<Instant>,
    /// Whether there is a layer whose callsites have to be rebuilt.
    is_followed: bool,
}

/// Returns the level of this number, counted from the finest; `None` if there is none.
pub(super) fn at(number: u8) -> Option<Level> {
    Level::ALL.get(usize::from(number)).copied()
}

/// Returns the finest level that any scope wants, or wanted a moment ago.
pub(crate) fn finest() -> Option<Level> {
    at(FINEST.load(Relaxed))
}

/// Has the caches of `tracing` rebuilt at changes from now on.
pub(crate) fn follow() {
    lock(&WANTED).is_followed = true;
}

/// Returns the finest level that reaches the layer if it is coarser than this one: a filter of the whole process, or of its build,
/// removes finer events before any layer. To be called within a scope that wants this level.
pub(super) fn removed_above(level: Level) -> Option<Level> {
    macro_rules! is_enabled {
        ($level:ident) => {
            tracing::enabled!(target: PROBE, tracing::Level::$level)
        };
    }
    let is_enabled = |it: Level| match it {
        Level::Trace => is_enabled!(TRACE),
        Level::Debug => is_enabled!(DEBUG),
        Level::Info => is_enabled!(INFO),
        Level::Warn => is_enabled!(WARN),
        Level::Error => is_enabled!(ERROR),
    };
    if !lock(&WANTED).is_followed || is_enabled(level) {
        return None;
    }
    Level::ALL.into_iter().find(|it| is_enabled(*it))
}

/// Notes that a scope was made, wants another level, or was dropped.
pub(super) fn change(from: Option<Level>, to: Option<Level>) {
    if from == to {
        return;
    }
    let mut wanted = lock(&WANTED);
    if let Some(level) = from {
        wanted.scopes[level as usize] -= 1;
    }
    if let Some(level) = to {
        wanted.scopes[level as usize] += 1;
    }
    let finest = wanted.scopes.iter().position(|it| *it > 0);
    let finest = finest.and_then(|it| u8::try_from(it).ok()).unwrap_or(NONE);
    let told = FINEST.load(Relaxed);
    let is_late = |it: Instant| it.elapsed() >= PAUSE;
    if finest == told || finest > told && !wanted.changed.is_none_or(is_late) {
        return;
    }
    wanted.changed = Some(Instant::now());
    FINEST.store(finest, Relaxed);
    let is_followed = wanted.is_followed;
    drop(wanted);
    if is_followed {
        rebuild_interest_cache();
    }
}
