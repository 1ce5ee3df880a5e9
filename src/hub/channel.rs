//! One client ID's channel: its log, its readers' positions, and how it ends.
//!
//! A reader is a position in the log, so replay, live delivery, slow readers, several watchers and
//! resuming are the same code. Each channel has one short lock, never held across an `.await` and
//! never held while another is taken; wakers are called after it is released.

mod control;

use std::{
    collections::VecDeque,
    mem,
    task::{Context, Poll, Waker},
};

use super::{
    Receipt, Refusal, Shared,
    control::Control,
    keys::Keys,
    log::{Log, Prepared},
    sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError},
};
use crate::{
    event::{ClientId, End, EventId, Format, Gap, UnixMillis, unix_millis},
    message::Message,
};

pub(super) struct Channel {
    pub(super) id: ClientId,
    pub(super) created: UnixMillis,
    /// The hub's clock at the last activity: a subscription that opened, or a message delivered.
    active: AtomicU64,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

struct State {
    log: Log,
    /// A reader keeps its place in the list for as long as it lives; free places are reused.
    readers: Vec<Option<Reader>>,
    /// Streaming publishers that wait for readers, by their ticket.
    writers: Vec<(u64, Waker)>,
    next_ticket: u64,
    keys: Keys,
    /// Made once somebody asks for something, or listens: few channels have one.
    control: Option<Box<Control>>,
    end: Option<End>,
}

struct Reader {
    /// The number of the next message to read.
    next: u64,
    /// Set while it has read everything and waits.
    waker: Option<Waker>,
}

/// What one read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Frames up to this message.
    Frames(EventId),
    Gap(Gap, EventId),
    End(End),
    Closing,
}

/// Where a new reader stands.
pub(super) struct Entrance {
    pub(super) place: usize,
    /// The ID that stands before its first message.
    pub(super) before: EventId,
    /// Whether its cursor is from before this channel.
    pub(super) foreign: bool,
}

/// Where a reader wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// At the oldest message; what the log has dropped is announced.
    Start,
    /// At the newest so many.
    Tail(u64),
    /// Right after this event.
    After(EventId),
}

impl Channel {
    pub(super) fn new(id: ClientId, shared: Arc<Shared>) -> Self {
        let created = unix_millis();
        let state = State {
            log: Log::new(shared.limits.log, created),
            readers: Vec::new(),
            writers: Vec::new(),
            next_ticket: 0,
            keys: Keys::default(),
            control: None,
            end: None,
        };
        let active = AtomicU64::new(shared.now());
        Self {
            id,
            created,
            active,
            shared,
            state: Mutex::new(state),
        }
    }

    /// The hub's clock at the last activity, in milliseconds.
    pub(super) fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn readers(&self) -> usize {
        self.lock().reader_count()
    }

    /// How many readers there are, and how many messages there ever were.
    pub(super) fn census(&self) -> (usize, u64) {
        let state = self.lock();
        (state.reader_count(), state.log.next() - 1)
    }

    /// Adds a reader; `None` where the channel has ended.
    pub(super) fn enter(&self, from: Position) -> Option<Result<Entrance, Refusal>> {
        let mut state = self.lock();
        if state.end.is_some() {
            return None;
        }
        if state.reader_count() >= self.shared.limits.subscribers {
            return Some(Err(Refusal::TooManySubscribers(
                self.shared.limits.subscribers,
            )));
        }
        self.touch();
        let first = state.log.first();
        let mut foreign = false;
        let (next, before) = match from {
            Position::Start => (
                1,
                EventId {
                    seq: 0,
                    time: self.created,
                },
            ),
            Position::Tail(count) => {
                let next = state.log.next().saturating_sub(count).max(first);
                (next, state.log.id_before(next))
            }
            Position::After(cursor) if self.owns(&state.log, cursor) => (cursor.seq + 1, cursor),
            Position::After(_) => {
                foreign = true;
                (first, state.log.id_before(first))
            }
        };
        let reader = Some(Reader { next, waker: None });
        let place = if let Some(free) = state.readers.iter().position(Option::is_none) {
            state.readers[free] = reader;
            free
        } else {
            state.readers.push(reader);
            state.readers.len() - 1
        };
        state.audience_changed();
        wake_readers(state);
        Some(Ok(Entrance {
            place,
            before,
            foreign,
        }))
    }

    /// Whether a cursor names a place in this channel's history rather than in that of an earlier
    /// channel with the same ID. The clock may have been set back since that one, so that a later time
    /// alone proves nothing.
    fn owns(&self, log: &Log, cursor: EventId) -> bool {
        if cursor.seq == 0 {
            return cursor.time == self.created;
        }
        if let Some(id) = log.id_of(cursor.seq) {
            return id == cursor;
        }
        // It was dropped: taken between the channel's creation and the newest that was dropped.
        let newest_dropped = log.id_before(log.first());
        cursor.seq <= newest_dropped.seq
            && (self.created..=newest_dropped.time).contains(&cursor.time)
    }

    /// Reads on from the reader's place, or leaves its waker.
    pub(super) fn poll_read(
        &self,
        place: usize,
        format: Format,
        out: &mut Vec<u8>,
        max: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Read> {
        let mut state = self.lock();
        let State {
            log,
            readers,
            writers,
            end,
            ..
        } = &mut *state;
        let Some(reader) = readers[place].as_mut() else {
            return Poll::Ready(Read::Closing);
        };
        let first = log.first();
        if reader.next < first {
            let gap = Gap::Known {
                from: reader.next,
                to: first - 1,
            };
            reader.next = first;
            return Poll::Ready(Read::Gap(gap, log.id_before(first)));
        }
        if reader.next < log.next() {
            let memory = log.memory();
            reader.next = log.read(reader.next, format, self.shared.frames, out, max);
            let read = Read::Frames(log.id_before(reader.next));
            self.shared
                .memory
                .fetch_add(log.memory() - memory, Ordering::Relaxed);
            self.touch();
            let waiting = mem::take(writers);
            drop(state);
            wake_writers(waiting);
            return Poll::Ready(read);
        }
        if let Some(end) = *end {
            return Poll::Ready(Read::End(end));
        }
        if self.shared.is_closing() {
            return Poll::Ready(Read::Closing);
        }
        match &mut reader.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Removes a reader. A stored waker would keep its whole task alive, so it goes too.
    pub(super) fn leave(&self, place: usize) {
        let mut state = self.lock();
        state.readers[place] = None;
        while let Some(None) = state.readers.last() {
            state.readers.pop();
        }
        let waiting = mem::take(&mut state.writers);
        state.audience_changed();
        wake_readers(state);
        wake_writers(waiting);
    }

    /// Appends one message without waiting for anybody. Repeating it with the same key adds nothing
    /// and gets the first one's receipt.
    pub(super) fn publish(&self, message: Message, key: Option<&str>) -> Result<Receipt, Refusal> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Err(Refusal::Ended);
        }
        if let Some(receipt) = key.and_then(|key| state.keys.receipt(key)) {
            let wish = state.wish();
            return Ok(Receipt { wish, ..receipt });
        }
        let prepared = state
            .log
            .prepare(message, unix_millis(), self.shared.frames);
        let last = self.append(&mut state, prepared);
        let receipt = Receipt {
            last: Some(last),
            accepted: 1,
            subscribers: state.reader_count(),
            wish: state.wish(),
        };
        if let Some(key) = key {
            state.keys.note(key, &receipt);
        }
        wake_readers(state);
        Ok(receipt)
    }

    /// Appends from the front of `messages` for as long as no attached reader would lose anything.
    /// Ready when all are in; pending, with the writer's waker left, while a reader is behind.
    pub(super) fn poll_publish(
        &self,
        messages: &mut VecDeque<Message>,
        key: Option<&str>,
        receipt: &mut Receipt,
        ticket: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Refusal>> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Poll::Ready(Err(Refusal::Ended));
        }
        // Under the lock: who closes wakes the writers after that, so none begins to wait unseen.
        if self.shared.is_closing() {
            return Poll::Ready(Err(Refusal::Closing));
        }
        let slowest = state.readers.iter().flatten().map(|it| it.next).min();
        let already = key.and_then(|key| state.keys.receipt(key));
        let now = unix_millis();
        let mut full = false;
        while let Some(message) = messages.pop_front() {
            if let Some(already) = &already
                && already.accepted > receipt.accepted
            {
                // An earlier try of this request got this far, and further.
                receipt.accepted += 1;
                receipt.last = already.last;
                continue;
            }
            let prepared = state.log.prepare(message, now, self.shared.frames);
            let first_after = state.log.first_after(&prepared);
            let would_drop = first_after > state.log.first();
            if would_drop && slowest.is_some_and(|next| next < first_after) {
                messages.push_front(prepared.into_message());
                full = true;
                break;
            }
            receipt.last = Some(self.append(&mut state, prepared));
            receipt.accepted += 1;
        }
        receipt.subscribers = state.reader_count();
        if let Some(key) = key {
            state.keys.note(key, receipt);
        }
        if full {
            state.wait(ticket, cx.waker());
        }
        wake_readers(state);
        if full {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }

    /// Takes a waiting writer's waker back.
    pub(super) fn stop_waiting(&self, ticket: u64) {
        self.lock().writers.retain(|(it, _)| *it != ticket);
    }

    /// Begins a try at the request with this key, and says the how manieth it is.
    pub(super) fn begin_try(&self, key: &str) -> u32 {
        let mut state = self.lock();
        let subscribers = state.reader_count();
        state.keys.begin_try(key, subscribers)
    }

    /// How many tries the request with this key has seen; `None` where it is forgotten.
    pub(super) fn tries(&self, key: &str) -> Option<u32> {
        self.lock().keys.tries(key)
    }

    /// Ends the channel; readers still get what the log holds. False where it had ended before.
    pub(super) fn end(&self, end: End) -> bool {
        self.end_if(end, |_| true)
    }

    /// Ends the channel if it was last active at `seen` and nobody reads it.
    pub(super) fn end_if_unwatched(&self, seen: u64) -> bool {
        self.end_if(End::Idle, |state| {
            self.active() == seen && state.reader_count() == 0
        })
    }

    /// Ends the channel if its last activity is not after `deadline`, on the hub's clock.
    pub(super) fn end_if_idle(&self, deadline: u64) -> bool {
        self.end_if(End::Idle, |_| self.active() <= deadline)
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

    /// Lets readers and writers see that the hub is closing.
    pub(super) fn wake(&self) {
        wake_all(self.lock());
    }

    fn append(&self, state: &mut State, prepared: Prepared) -> EventId {
        self.shared.published.fetch_add(1, Ordering::Relaxed);
        if let Some(control) = &mut state.control
            && let message = prepared.message()
            && message.outcome.is_some()
        {
            control.operation_is_over(message.operation.as_ref());
        }
        let before = state.log.memory();
        let id = state.log.append(prepared);
        let after = state.log.memory();
        if after >= before {
            self.shared
                .memory
                .fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.shared
                .memory
                .fetch_sub(before - after, Ordering::Relaxed);
        }
        id
    }

    fn touch(&self) {
        self.active.store(self.shared.now(), Ordering::Relaxed);
    }

    /// A panic elsewhere while the lock was held is no reason to lose the channel: every change of
    /// the state is complete before anything in it can panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.shared
            .memory
            .fetch_sub(state.log.memory(), Ordering::Relaxed);
    }
}

impl State {
    fn reader_count(&self) -> usize {
        self.readers.iter().flatten().count()
    }

    fn wait(&mut self, ticket: &mut Option<u64>, waker: &Waker) {
        let ticket = *ticket.get_or_insert_with(|| {
            self.next_ticket += 1;
            self.next_ticket
        });
        match self.writers.iter_mut().find(|(it, _)| *it == ticket) {
            Some((_, known)) => known.clone_from(waker),
            None => self.writers.push((ticket, waker.clone())),
        }
    }
}

/// Wakes the readers that wait, and the control streams where there is news for them.
fn wake_readers(mut state: MutexGuard<'_, State>) {
    let readers = state.readers.iter_mut().flatten();
    let mut wakers: Vec<_> = readers.filter_map(|it| it.waker.take()).collect();
    if let Some(control) = &mut state.control {
        wakers.extend(control.take_wakers());
    }
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}

fn wake_writers(waiting: Vec<(u64, Waker)>) {
    for (_, writer) in waiting {
        writer.wake();
    }
}

fn wake_all(mut state: MutexGuard<'_, State>) {
    state.audience_changed();
    let waiting = mem::take(&mut state.writers);
    wake_readers(state);
    wake_writers(waiting);
}
