//! The synchronization primitives of the hub: those of the standard library, or loom's, with which the tests in
//! `interleavings` run every order of the threads' steps.
//!
//! The hub imports them from here only. The flag is `codechat_loom` rather than loom's usual `loom`, which would also
//! change tokio and other crates.

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

/// Number of the registry's shards: a power of two, large enough that two cores rarely use the same one. One shard with
/// loom, where each additional lock multiplies the orders to test.
pub(super) const SHARDS: usize = if cfg!(codechat_loom) { 1 } else { 64 };

/// Returns the milliseconds since `then`; 0 with loom, so that outcomes depend on the order alone.
pub(super) fn millis_since(then: Instant) -> u64 {
    if cfg!(codechat_loom) {
        return 0;
    }
    u64::try_from(then.elapsed().as_millis()).unwrap_or(u64::MAX)
}
