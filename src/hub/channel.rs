//! One client ID's channel: its log, its readers' positions, and how it ends.
//!
//! A reader is a position in the log, so replay, live delivery, slow readers, several watchers and
//! resuming are the same code. Each channel has one short lock, never held across an `.await` and
//! never held while another is taken; wakers are called after it is released.

mod control;
mod losses;
mod mirrored;
mod readers;
mod streaming;

use std::mem;
use std::task::Waker;

use super::idempotency::Keys;
use super::limits::Room;
use super::log::{Log, Prepared};
use super::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};
use super::{Receipt, Refusal, Shared};
use crate::control::Requested;
use crate::event::{ClientId, End, EventId, UnixMillis, unix_millis};
use crate::message::Message;

use self::control::Control;
pub use self::control::{BROKEN_OFF, CONTROL_STREAMS, ControlEvent};
use self::mirrored::Mirrored;
pub use self::readers::Position;
pub(super) use self::readers::{Entrance, Read};

pub(super) struct Channel {
    pub(super) id: ClientId,
    /// The hub's clock at the last activity: a subscription was opened, or a message delivered.
    active: AtomicU64,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

struct State {
    created: UnixMillis,
    log: Log,
    /// A reader keeps its index until it leaves; free places are reused.
    readers: Vec<Option<Reader>>,
    /// Streaming publishers that wait for readers, by ticket.
    writers: Vec<(u64, Waker)>,
    next_ticket: u64,
    keys: Keys,
    /// Created by the first request or listener: few channels have one.
    control: Option<Box<Control>>,
    /// Set if a store keeps the channel.
    mirrored: Option<Box<Mirrored>>,
    end: Option<End>,
}

struct Reader {
    /// The number of the next message to read.
    next: u64,
    /// The oldest number that the reader has not written, as far as is known.
    unwritten: u64,
    /// Whether the store lost messages at this position, and the reader has not got a gap for it yet.
    owes_a_gap: bool,
    /// Set while the reader waits for more.
    waker: Option<Waker>,
}

impl Channel {
    pub(super) fn new(id: ClientId, shared: Arc<Shared>) -> Self {
        let created = unix_millis();
        let state = State {
            created,
            log: Log::new(shared.limits.log, created),
            readers: Vec::new(),
            writers: Vec::new(),
            next_ticket: 0,
            keys: Keys::default(),
            control: None,
            mirrored: None,
            end: None,
        };
        let active = AtomicU64::new(shared.now());
        Self {
            id,
            active,
            shared,
            state: Mutex::new(state),
        }
    }

    /// Returns the hub's clock at the last activity, in milliseconds.
    pub(super) fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn readers(&self) -> usize {
        self.lock().reader_count()
    }

    /// Returns whether there are messages in the log and no readers.
    pub(super) fn has_messages_but_no_readers(&self) -> bool {
        let state = self.lock();
        state.reader_count() == 0 && state.log.memory() > 0
    }

    /// Returns the number of readers, the number of messages ever appended, and when the channel was opened.
    pub(super) fn counts(&self) -> (usize, u64, UnixMillis) {
        let state = self.lock();
        (state.reader_count(), state.log.next() - 1, state.created)
    }

    /// Returns the number of subscribers, and of the publishers that listen for control requests.
    pub(super) fn users(&self) -> (usize, usize) {
        let state = self.lock();
        (state.reader_count(), state.listeners())
    }

    /// Appends one message without waiting. A repeated request with the same key adds nothing and returns the receipt
    /// of the first one. If there is no room, the message is accepted only if the log does not grow.
    pub(super) fn publish(
        &self,
        message: Message,
        key: Option<&str>,
        room: Room,
    ) -> Result<Receipt, Refusal> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Err(Refusal::Ended);
        }
        if let Some(receipt) = key.and_then(|key| state.keys.receipt(key)) {
            let requested = state.requested();
            return Ok(Receipt {
                requested,
                ..receipt
            });
        }
        let prepared = state
            .log
            .prepare(message, unix_millis(), self.shared.frames);
        if let Err(refusal) = room
            && state.log.would_grow(&prepared)
        {
            return Err(refusal);
        }
        let last = self.append(&mut state, prepared);
        let receipt = Receipt {
            last: Some(last),
            accepted: 1,
            subscribers: state.reader_count(),
            requested: Requested::default(),
        };
        if let Some(key) = key {
            self.remember(&mut state, |keys| keys.finish(key, &receipt));
        }
        // Always the current requests, so keys need not remember them.
        let requested = state.requested();
        wake_readers(state);
        Ok(Receipt {
            requested,
            ..receipt
        })
    }

    /// Ends the channel; readers still get what the log holds. Returns false if it had already ended.
    pub(super) fn end(&self, end: End) -> bool {
        self.end_if(end, |_| true)
    }

    /// Ends the channel if it was last active at `seen` and nobody reads it.
    pub(super) fn end_if_unwatched(&self, seen: u64) -> bool {
        self.end_if(End::Idle, |state| {
            self.active() == seen && state.reader_count() == 0
        })
    }

    /// Ends the channel if its last activity is not after `deadline`, on the hub's clock, and no operation is under
    /// way, because one may be silent for long.
    pub(super) fn end_if_idle(&self, deadline: u64) -> bool {
        self.end_if(End::Idle, |state| {
            self.active() <= deadline && !state.has_open_operation()
        })
    }

    fn end_if(&self, end: End, condition: impl FnOnce(&State) -> bool) -> bool {
        let mut state = self.lock();
        if state.end.is_some() || !condition(&state) {
            return false;
        }
        state.end = Some(end);
        wake_all(state);
        true
    }

    /// Wakes readers and writers, because the hub is closing.
    pub(super) fn wake(&self) {
        wake_all(self.lock());
    }

    fn append(&self, state: &mut State, prepared: Prepared) -> EventId {
        self.shared.published.fetch_add(1, Ordering::Relaxed);
        state.notice_outcome(prepared.message());
        let before = state.log.memory();
        let id = state.log.append(prepared);
        self.charge(before, state.log.memory());
        id
    }

    fn remember<T>(&self, state: &mut State, change: impl FnOnce(&mut Keys) -> T) -> T {
        let before = state.keys.memory();
        let changed = change(&mut state.keys);
        self.charge(before, state.keys.memory());
        changed
    }

    /// Updates the hub's sum after the size of the log or of the keys has changed.
    fn charge(&self, before: usize, after: usize) {
        if after >= before {
            self.shared
                .memory
                .fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.shared
                .memory
                .fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    fn touch(&self) {
        self.active.store(self.shared.now(), Ordering::Relaxed);
    }

    /// A panic elsewhere while the lock was held does not invalidate the channel: every change of the state is complete
    /// before anything in it can panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.shared
            .memory
            .fetch_sub(state.log.memory() + state.keys.memory(), Ordering::Relaxed);
    }
}

impl State {
    fn reader_count(&self) -> usize {
        self.readers.iter().flatten().count()
    }
}

/// Wakes the readers that wait, and the control streams with unseen changes.
fn wake_readers(mut state: MutexGuard<'_, State>) {
    let mut wakers = state
        .readers
        .iter_mut()
        .flatten()
        .filter_map(|it| it.waker.take());
    // Most channels have one reader, for which a list would cost an allocation per message.
    let first = wakers.next();
    let mut others: Vec<_> = wakers.collect();
    if let Some(control) = &mut state.control {
        others.extend(control.take_wakers());
    }
    drop(state);
    first.into_iter().chain(others).for_each(Waker::wake);
}

fn wake_writers(waiting: Vec<(u64, Waker)>) {
    for (_, writer) in waiting {
        writer.wake();
    }
}

fn wake_all(mut state: MutexGuard<'_, State>) {
    state.control_state_changed();
    let waiting = mem::take(&mut state.writers);
    wake_readers(state);
    wake_writers(waiting);
}
