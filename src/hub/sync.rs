//! The synchronization primitives of the hub: the standard library's, or loom's, with which `interleavings` runs every
//! order of the threads' steps.
//!
//! The hub imports them from here only. `codechat_loom` is a name of our own, because tokio and others change under
//! loom's usual one.

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

/// Number of the registry's shards: a power of two, enough that two cores rarely meet. One with loom, where each is
/// another lock to take in every order.
pub(super) const SHARDS: usize = if cfg!(codechat_loom) { 1 } else { 64 };

/// Returns the milliseconds since `then`. With loom no time passes: outcomes must depend on the order alone.
pub(super) fn millis_since(then: Instant) -> u64 {
    if cfg!(codechat_loom) {
        return 0;
    }
    u64::try_from(then.elapsed().as_millis()).unwrap_or(u64::MAX)
}
