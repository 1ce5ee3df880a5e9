//! The finest level that any scope of this process wants: what `tracing` callsites below it cost next to nothing.
//!
//! The caches of `tracing` have to be told of each change, at 0.1 µs a callsite. So a finer level holds at once, and a coarser one only if the
//! last change is a second ago: requests that follow each other closely change nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tracing_core::callsite::rebuild_interest_cache;

use crate::lock::lock;
use crate::message::Level;

/// Stands for no level at all.
pub(super) const NONE: u8 = 5;
/// Nobody logs by this target.
const PROBE: &str = "codechat_probe";
/// No coarser level is told within this of the last change.
const PAUSE: Duration = Duration::from_secs(1);

/// What is told; read by every callsite that is registered.
static FINEST: AtomicU8 = AtomicU8::new(NONE);
/// A short lock; none other is taken while it is held.
static WANTED: Mutex<Wanted> = Mutex::new(Wanted {
    scopes: [0; 5],
    changed: None,
    is_followed: false,
});

struct Wanted {
    /// How many scopes want each level as their finest. Two changes of one scope may be noted in either order, so that a number
    /// may be negative for a moment.
    scopes: [isize; 5],
    changed: Option<Instant>,
    /// Whether there is a layer that has to be told.
    is_followed: bool,
}

/// The level of this number, counted from the finest; `None` if there is none.
pub(super) fn at(number: u8) -> Option<Level> {
    Level::ALL.get(usize::from(number)).copied()
}

/// The finest level that any scope wants, or wanted a moment ago.
pub(crate) fn finest() -> Option<Level> {
    at(FINEST.load(Relaxed))
}

/// Has the caches of `tracing` told of changes from now on.
pub(crate) fn follow() {
    lock(&WANTED).is_followed = true;
}

/// The finest level that reaches the layer, if that is less fine than this one: a filter of the whole process, or of its build, removes
/// the rest before any layer sees it. To be asked within a scope that wants this level.
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

/// Notes that a scope came, wants another level, or went.
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
