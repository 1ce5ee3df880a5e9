//! What the hub's threads share and wait by: the standard library's, or loom's stand-ins for it, with
//! which `interleavings` goes through every order in which threads can meet.
//!
//! The hub takes these from here and nowhere else. `codechat_loom` is a name of our own, since tokio and
//! others would change under loom's usual one.

#[cfg(codechat_loom)]
pub(super) use loom::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    },
    thread::yield_now,
};
pub(super) use std::sync::{PoisonError, atomic::Ordering};
#[cfg(not(codechat_loom))]
pub(super) use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    },
    thread::yield_now,
};

use tokio::time::Instant;

/// Shards of the registry; a power of two, enough that two cores rarely meet. With loom one: there each
/// is one more lock to take in every order.
pub(super) const SHARDS: usize = if cfg!(codechat_loom) { 1 } else { 64 };

/// Milliseconds since then. With loom no time passes: what happens must follow from the order alone.
pub(super) fn millis_since(then: Instant) -> u64 {
    if cfg!(codechat_loom) {
        return 0;
    }
    u64::try_from(then.elapsed().as_millis()).unwrap_or(u64::MAX)
}
