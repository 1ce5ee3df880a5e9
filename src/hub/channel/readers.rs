//! The readers of a channel, each of which is a position in its log. The channel's lock protects them.

use std::mem;
use std::task::{Context, Poll};

use super::control::wake_control;
use super::losses::Losses;
use super::{Channel, Reader, State, wake_writers};
use crate::event::{End, EventId, Format, Gap};
use crate::hub::Refusal;
use crate::hub::sync::{MutexGuard, Ordering};

/// The outcome of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Read {
    /// Frames up to this message.
    Frames(EventId),
    Gap(Gap, EventId),
    End(End),
    Closing,
    Cut,
}

/// What a new reader needs to know of its position.
pub(in crate::hub) struct Entrance {
    /// Its index among the readers.
    pub(in crate::hub) place: usize,
    /// The ID before its first message.
    pub(in crate::hub) before: EventId,
    /// Whether its cursor is from an earlier channel.
    pub(in crate::hub) foreign: bool,
    /// Whether nothing has been published yet.
    pub(in crate::hub) is_new: bool,
}

/// The position at which a reader wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// At the oldest message; a gap reports what the log has dropped.
    Start,
    /// At the newest messages, this many.
    Tail(u64),
    /// Right after this event.
    After(EventId),
}

impl Channel {
    /// Adds a reader; returns `None` if the channel has ended.
    pub(in crate::hub) fn enter(&self, from: Position) -> Option<Result<Entrance, Refusal>> {
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
                    time: state.created,
                },
            ),
            Position::Tail(count) => {
                let next = state.log.next().saturating_sub(count).max(first);
                (next, state.log.id_before(next))
            }
            Position::After(cursor) if owns(&state, cursor) => (cursor.seq + 1, cursor),
            Position::After(_) => {
                foreign = true;
                (first, state.log.id_before(first))
            }
        };
        let reader = Some(Reader {
            next,
            unwritten: next,
            // A reader with a foreign cursor gets a gap anyway, and needs no second one.
            owes_a_gap: !foreign && state.has_loss_at(next),
            waker: None,
        });
        let place = if let Some(free) = state.readers.iter().position(Option::is_none) {
            state.readers[free] = reader;
            free
        } else {
            state.readers.push(reader);
            state.readers.len() - 1
        };
        let is_new = state.log.next() == 1;
        self.report_subscribers(state);
        Some(Ok(Entrance {
            place,
            before,
            foreign,
            is_new,
        }))
    }

    /// Continues reading at the reader's position, or stores its waker.
    pub(in crate::hub) fn poll_read(
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
            mirrored,
            end,
            ..
        } = &mut *state;
        let Some(reader) = readers[place].as_mut() else {
            return Poll::Ready(Read::Closing);
        };
        let first = log.first();
        let losses = mirrored.as_ref().map(|it| it.losses());
        if let Some(gap) = reader.gap_before(first, losses) {
            return Poll::Ready(Read::Gap(gap, log.id_before(reader.next)));
        }
        if reader.next < log.next() {
            let memory = log.memory();
            let from = reader.next;
            reader.unwritten = from;
            let stretch = losses.map_or(from..u64::MAX, |it| it.next_stretch(from));
            reader.next = log.read(stretch, format, self.shared.frames, out, max);
            reader.owes_a_gap = losses.is_some_and(|it| it.are_in(reader.next..=reader.next));
            let read = Read::Frames(log.id_before(reader.next));
            self.shared
                .memory
                .fetch_add(log.memory() - memory, Ordering::Relaxed);
            self.touch();
            let waiting = mem::take(writers);
            self.report_progress(state);
            wake_writers(waiting);
            return Poll::Ready(read);
        }
        let has_advanced = mem::replace(&mut reader.unwritten, reader.next) != reader.next;
        if let Some(last) = mirrored.as_ref().and_then(|it| it.last())
            && last.seq >= reader.next
        {
            let gap = Gap::Known {
                from: mem::replace(&mut reader.next, last.seq + 1),
                to: last.seq,
            };
            return Poll::Ready(Read::Gap(gap, last));
        }
        if let Some(end) = *end {
            return Poll::Ready(Read::End(end));
        }
        if self.shared.is_closing() {
            return Poll::Ready(Read::Closing);
        }
        if mirrored.as_ref().is_some_and(|it| it.is_cut()) {
            return Poll::Ready(Read::Cut);
        }
        match &mut reader.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        if has_advanced {
            self.report_progress(state);
        }
        Poll::Pending
    }

    /// Removes a reader and its waker, which would keep its whole task alive.
    pub(in crate::hub) fn leave(&self, place: usize) {
        let mut state = self.lock();
        let reader = state.readers[place].take();
        if self.shared.is_closing()
            && let Some((mirrored, reader)) = state.mirrored.as_mut().zip(reader)
        {
            mirrored.note_left(reader.unwritten);
        }
        while let Some(None) = state.readers.last() {
            state.readers.pop();
        }
        let waiting = mem::take(&mut state.writers);
        self.report_subscribers(state);
        wake_writers(waiting);
    }

    /// Reports that the number of subscribers has changed: to the publishers that listen, or to the store, which
    /// notifies them.
    fn report_subscribers(&self, mut state: MutexGuard<'_, State>) {
        if state.mirrored.is_some() {
            self.queue_change(state);
        } else {
            state.control_state_changed();
            wake_control(state);
        }
    }
}

impl Reader {
    /// Returns the gap at the reader's position, if any, in a log that begins with `first`, and moves the reader past
    /// it.
    fn gap_before(&mut self, first: u64, losses: Option<&Losses>) -> Option<Gap> {
        let next = self.next;
        self.next = next.max(first);
        if mem::take(&mut self.owes_a_gap) {
            return Some(Gap::Unknown);
        }
        if next >= first {
            return None;
        }
        let is_unknown = losses.is_some_and(|it| it.are_in(next..=first));
        let known = Gap::Known {
            from: next,
            to: first - 1,
        };
        Some(if is_unknown { Gap::Unknown } else { known })
    }
}

impl State {
    pub(super) fn has_loss_at(&self, next: u64) -> bool {
        let mirrored = self.mirrored.as_ref();
        mirrored.is_some_and(|it| it.losses().are_in(next..=next))
    }
}

/// Returns whether a cursor is from this channel rather than from an earlier one with the same ID. The clock may have
/// been set back since that one, so a later time alone proves nothing.
fn owns(State { log, created, .. }: &State, cursor: EventId) -> bool {
    if cursor.seq == 0 {
        return cursor.time == *created;
    }
    if let Some(id) = log.id_of(cursor.seq) {
        return id == cursor;
    }
    // The log has dropped it: it was accepted between the channel's creation and the newest dropped message.
    let newest_dropped = log.id_before(log.first());
    cursor.seq <= newest_dropped.seq && (*created..=newest_dropped.time).contains(&cursor.time)
}
