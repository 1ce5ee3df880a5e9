//! Publishing many messages in one request, which waits while a reader would lose some.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use super::{Channel, State, wake_readers};
use crate::event::unix_millis;
use crate::hub::limits::Room;
use crate::hub::{Receipt, Refusal};
use crate::message::Message;

impl Channel {
    /// Appends messages from the front of `messages` until an attached reader would lose some or, if there is no room,
    /// the log would grow. Ready if all are appended, or with the refusal of the rest; pending, with the waker stored,
    /// while a reader is behind.
    pub(in crate::hub) fn poll_publish(
        &self,
        messages: &mut VecDeque<Message>,
        key: Option<&str>,
        room: Room,
        receipt: &mut Receipt,
        ticket: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Refusal>> {
        let mut state = self.lock();
        let outcome = self.append_all(&mut state, messages, key, room, receipt);
        if let Some(key) = key {
            self.remember(&mut state, |keys| keys.note(key, receipt));
        }
        if outcome.is_pending() {
            state.wait(ticket, cx.waker());
        }
        wake_readers(state);
        outcome
    }

    /// Publishes a streaming request that has arrived completely, if nothing has to wait and nothing is refused. It
    /// has finished then, whether or not all is published: this returns `None` if messages are left.
    pub(in crate::hub) fn publish_all(
        &self,
        messages: &mut VecDeque<Message>,
        key: &str,
        room: Room,
    ) -> Option<Receipt> {
        let mut state = self.lock();
        let mut receipt = Receipt::default();
        let outcome = self.append_all(&mut state, messages, Some(key), room, &mut receipt);
        self.remember(&mut state, |keys| keys.finish_at_once(key, &receipt));
        receipt.requested = state.requested();
        wake_readers(state);
        matches!(outcome, Poll::Ready(Ok(()))).then_some(receipt)
    }

    /// Appends messages as [`Channel::poll_publish`] does; pending if the next one has to wait.
    fn append_all(
        &self,
        state: &mut State,
        messages: &mut VecDeque<Message>,
        key: Option<&str>,
        room: Room,
        receipt: &mut Receipt,
    ) -> Poll<Result<(), Refusal>> {
        if state.end.is_some() {
            return Poll::Ready(Err(Refusal::Ended));
        }
        // Checked under the lock: writers are woken after the flag is set, so none can begin to wait after that.
        if self.shared.is_closing() {
            return Poll::Ready(Err(Refusal::Closing));
        }
        receipt.subscribers = state.reader_count();
        let slowest = state.readers.iter().flatten().map(|it| it.next).min();
        let already = key.and_then(|key| state.keys.receipt(key));
        let now = unix_millis();
        while let Some(message) = messages.pop_front() {
            if let Some(already) = &already
                && already.accepted > receipt.accepted
            {
                // An earlier try of this request has published this message.
                receipt.accepted += 1;
                receipt.last = already.last;
                continue;
            }
            let prepared = state.log.prepare(message, now, self.shared.frames);
            if let Err(refusal) = room
                && state.log.would_grow(&prepared)
            {
                messages.push_front(prepared.into_message());
                return Poll::Ready(Err(refusal));
            }
            let would_lose = |next| {
                let first_after = state.log.first_after(&prepared);
                state.log.first() < first_after && next < first_after
            };
            if slowest.is_some_and(would_lose) {
                messages.push_front(prepared.into_message());
                return Poll::Pending;
            }
            receipt.last = Some(self.append(state, prepared));
            receipt.accepted += 1;
        }
        Poll::Ready(Ok(()))
    }

    /// Removes a waiting writer's waker.
    pub(in crate::hub) fn stop_waiting(&self, ticket: u64) {
        self.lock().writers.retain(|(it, _)| *it != ticket);
    }

    /// Begins a try at the request with this key; returns its attempt number, from 1.
    pub(in crate::hub) fn begin_try(&self, key: &str) -> u32 {
        let mut state = self.lock();
        let subscribers = state.reader_count();
        self.remember(&mut state, |keys| keys.begin_try(key, subscribers))
    }

    /// Notes that the request with this key has ended.
    pub(in crate::hub) fn finish_try(&self, key: &str, receipt: &Receipt) {
        self.remember(&mut self.lock(), |keys| keys.finish(key, receipt));
    }

    /// Returns the number of tries of the request with this key; `None` if the key is forgotten.
    pub(in crate::hub) fn tries(&self, key: &str) -> Option<u32> {
        self.lock().keys.tries(key)
    }
}

impl State {
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
