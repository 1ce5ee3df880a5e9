//! A channel's way back, under the channel's lock.

use std::task::{Context, Poll, Waker};

use super::{Channel, State};
use crate::{
    control::{Audience, Request, Wish},
    hub::{
        BROKEN_OFF, Refusal,
        control_stream::{CONTROL_STREAMS, Told},
        sync::MutexGuard,
    },
    message::{Level, Message, Operation},
};

impl Channel {
    /// Takes a watcher's request into account, and says how things stand then.
    pub(in crate::hub) fn ask(&self, request: Request) -> Result<Audience, Refusal> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Err(Refusal::Ended);
        }
        state.control.get_or_insert_default().ask(request);
        let audience = state.audience();
        wake_control(state);
        Ok(audience)
    }

    /// What is asked of publishers.
    pub(in crate::hub) fn wish(&self) -> Wish {
        self.lock().wish()
    }

    /// Adds a control stream, and gives its ticket.
    pub(in crate::hub) fn listen(&self, operation: Option<Operation>) -> Result<u64, Refusal> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Err(Refusal::Ended);
        }
        let ticket = state.control.get_or_insert_default().listen(operation);
        ticket.ok_or(Refusal::TooManyControlStreams(CONTROL_STREAMS))
    }

    /// What a control stream has not seen yet; otherwise leaves its waker.
    pub(in crate::hub) fn poll_told(
        &self,
        ticket: u64,
        seen: &mut u64,
        cx: &mut Context<'_>,
    ) -> Poll<Told> {
        let mut state = self.lock();
        if let Some(end) = state.end {
            return Poll::Ready(Told::End(end));
        }
        if self.shared.is_closing() {
            return Poll::Ready(Told::Closing);
        }
        let control = state.control.get_or_insert_default();
        if control.poll_news(ticket, seen, cx) {
            Poll::Ready(Told::Audience(state.audience()))
        } else {
            Poll::Pending
        }
    }

    /// Notes that a control stream's publisher is gone, which may come back.
    pub(in crate::hub) fn listener_is_gone(&self, ticket: u64) {
        if let Some(control) = &mut self.lock().control {
            control.is_gone(ticket);
        }
    }

    /// Removes a control stream. Where an operation is left without its publisher, says so; but not
    /// where the hub itself is what goes.
    pub(in crate::hub) fn stop_listening(&self, ticket: u64) {
        let mut state = self.lock();
        if state.is_worked_for() {
            // Idleness counts from the end of the work on.
            self.touch();
        }
        let control = state.control.as_mut();
        let lost = control.and_then(|it| it.stop_listening(ticket));
        wake_control(state);
        if lost.is_some() && !self.shared.is_closing() {
            self.tell_broken_off(lost);
        }
    }

    /// Whether a control stream stands for this operation's publisher.
    pub(in crate::hub) fn stands_for(&self, operation: &Operation) -> bool {
        let state = self.lock();
        let control = state.control.as_ref();
        control.is_some_and(|it| it.stands_for(operation))
    }

    /// Tells the channel that a publisher is gone. Where it has ended there is nobody left to tell.
    pub(in crate::hub) fn tell_broken_off(&self, operation: Option<Operation>) {
        let message = Message {
            operation,
            ..Message::system(Some(Level::Error), BROKEN_OFF)
        };
        let _ = self.publish(message, None, Ok(()));
    }
}

impl State {
    /// Whether a control stream stands for an operation.
    pub(super) fn is_worked_for(&self) -> bool {
        let control = self.control.as_ref();
        control.is_some_and(|it| it.stands_for_any())
    }

    pub(super) fn wish(&self) -> Wish {
        let control = self.control.as_ref();
        control.map_or_else(Wish::default, |it| it.wish().clone())
    }

    /// Notes that a subscriber came or went.
    pub(super) fn audience_changed(&mut self) {
        if let Some(control) = &mut self.control {
            control.change();
        }
    }

    pub(super) fn control_wakers(&mut self) -> Vec<Waker> {
        let control = self.control.as_mut();
        control.map_or_else(Vec::new, |it| it.take_wakers())
    }

    fn audience(&self) -> Audience {
        Audience {
            subscribers: self.reader_count(),
            wish: self.wish(),
        }
    }
}

/// Wakes the control streams, where there is news for them.
pub(super) fn wake_control(mut state: MutexGuard<'_, State>) {
    let wakers = state.control_wakers();
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}
