//! Control of one channel: the watchers' requests to its publishers, and the control streams.

use std::mem;
use std::task::{Context, Poll, Waker};

use super::{Channel, State};
use crate::control::{ControlRequest, ControlState, Requested};
use crate::event::End;
use crate::hub::Refusal;
use crate::hub::sync::MutexGuard;
use crate::message::{Level, Message, Operation};

/// The text that the channel gets if a streaming publisher was interrupted.
pub const BROKEN_OFF: &str = "Publisher disconnected before it finished.";

/// Upper bound of the control streams of one client.
pub const CONTROL_STREAMS: usize = 64;

/// An event of a control stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlEvent {
    /// The newest state.
    State(ControlState),
    /// The channel has ended; nothing comes after this.
    End(End),
    /// The hub closes, but the channel does not end; nothing comes after this.
    Closing,
    /// This hub cannot reach the channel, but other servers may; nothing comes after this. See
    /// [`Mirror::cut`](crate::hub::Mirror::cut).
    Cut,
}

impl Channel {
    /// Adds a watcher's request and returns the new state.
    pub(in crate::hub) fn ask(&self, request: ControlRequest) -> Result<ControlState, Refusal> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Err(Refusal::Ended);
        }
        state.control.get_or_insert_default().ask(request);
        let control_state = state.control_state();
        wake_control(state);
        Ok(control_state)
    }

    /// Returns what is requested of the publishers.
    pub(in crate::hub) fn requested(&self) -> Requested {
        self.lock().requested()
    }

    /// Adds a control stream, and returns its ticket.
    pub(in crate::hub) fn listen(&self, operation: Option<Operation>) -> Result<u64, Refusal> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Err(Refusal::Ended);
        }
        let ticket = state.control.get_or_insert_default().listen(operation);
        self.queue_change(state);
        ticket.ok_or(Refusal::TooManyControlStreams(CONTROL_STREAMS))
    }

    /// Returns what a control stream has not seen yet; otherwise stores its waker.
    pub(in crate::hub) fn poll_event(
        &self,
        ticket: u64,
        seen: &mut u64,
        cx: &mut Context<'_>,
    ) -> Poll<ControlEvent> {
        let mut state = self.lock();
        if let Some(end) = state.end {
            return Poll::Ready(ControlEvent::End(end));
        }
        if self.shared.is_closing() {
            return Poll::Ready(ControlEvent::Closing);
        }
        if state.mirrored.as_ref().is_some_and(|it| it.is_cut()) {
            return Poll::Ready(ControlEvent::Cut);
        }
        let control = state.control.get_or_insert_default();
        if control.poll_change(ticket, seen, cx) {
            Poll::Ready(ControlEvent::State(state.control_state()))
        } else {
            Poll::Pending
        }
    }

    /// Notes that a control stream's publisher has disconnected. It may reconnect.
    pub(in crate::hub) fn listener_is_gone(&self, ticket: u64) {
        let mut state = self.lock();
        if let Some(control) = &mut state.control {
            control.note_gone(ticket);
        }
        self.queue_change(state);
    }

    /// Removes a control stream. Publishes that an operation has lost its publisher, unless the hub is closing.
    pub(in crate::hub) fn stop_listening(&self, ticket: u64) {
        let mut state = self.lock();
        if state.has_open_operation() {
            // Idleness counts from the end of the work.
            self.touch();
        }
        if state.mirrored.is_some() {
            state.remove_listener(ticket);
            return self.queue_change(state);
        }
        let control = state.control.as_mut();
        let lost = control.and_then(|it| it.stop_listening(ticket));
        wake_control(state);
        if lost.is_some() && !self.shared.is_closing() {
            self.publish_broken_off(lost);
        }
    }

    /// Returns whether a control stream accompanies this operation's publisher.
    pub(in crate::hub) fn accompanies(&self, operation: &Operation) -> bool {
        let state = self.lock();
        let control = state.control.as_ref();
        control.is_some_and(|it| it.accompanies(operation))
    }

    /// Publishes that a publisher has disconnected, unless the channel has ended.
    pub(in crate::hub) fn publish_broken_off(&self, operation: Option<Operation>) {
        let message = Message {
            operation,
            ..Message::system(Some(Level::Error), BROKEN_OFF)
        };
        let _ = self.publish(message, None, Ok(()));
    }
}

impl State {
    /// Returns whether a control stream accompanies an operation.
    pub(super) fn has_open_operation(&self) -> bool {
        let control = self.control.as_ref();
        control.is_some_and(|it| it.accompanies_any())
    }

    /// Returns the number of publishers that listen.
    pub(super) fn listeners(&self) -> usize {
        self.control.as_ref().map_or(0, |it| it.listeners())
    }

    pub(super) fn requested(&self) -> Requested {
        let control = self.control.as_ref();
        control.map_or_else(Requested::default, |it| it.requested().clone())
    }

    /// Notes that the number of subscribers has changed.
    pub(super) fn control_state_changed(&mut self) {
        if let Some(control) = &mut self.control {
            control.change();
        }
    }

    pub(super) fn control_wakers(&mut self) -> Vec<Waker> {
        let control = self.control.as_mut();
        control.map_or_else(Vec::new, |it| it.take_wakers())
    }

    /// Returns whether there are control streams, including those whose publisher has disconnected.
    pub(super) fn has_control_streams(&self) -> bool {
        let control = self.control.as_ref();
        control.is_some_and(|it| !it.streams.is_empty())
    }

    /// Removes a control stream of a mirror. The store decides whether its operation has lost its publisher.
    fn remove_listener(&mut self, ticket: u64) {
        let control = self.control.as_mut();
        let operation = control.and_then(|it| it.remove(ticket)?.operation);
        if let Some((mirrored, operation)) = self.mirrored.as_mut().zip(operation) {
            mirrored.note_gone(ticket, operation);
        }
    }

    /// Notes that a message ends an operation, if it does.
    pub(super) fn notice_outcome(&mut self, message: &Message) {
        if let Some(control) = &mut self.control
            && message.outcome.is_some()
        {
            control.operation_is_over(message.operation.as_ref());
        }
    }

    fn control_state(&self) -> ControlState {
        let mirrored = self.mirrored.as_ref();
        ControlState {
            subscribers: mirrored.map_or_else(|| self.reader_count(), |it| it.subscribers()),
            requested: self.requested(),
        }
    }
}

/// Wakes the control streams with unseen changes.
pub(super) fn wake_control(mut state: MutexGuard<'_, State>) {
    let wakers = state.control_wakers();
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}

/// The requests to a channel's publishers, and the open control streams.
pub(in crate::hub) struct Control {
    requested: Requested,
    /// The number of changes so far; a new stream has seen none.
    version: u64,
    /// Whether the streams have yet to be woken for the newest version.
    is_unannounced: bool,
    streams: Vec<Listener>,
    next_ticket: u64,
}

struct Listener {
    ticket: u64,
    waker: Option<Waker>,
    /// The operation that it accompanies.
    operation: Option<Operation>,
    /// Whether that operation has had its outcome.
    is_over: bool,
    /// Whether its publisher has disconnected.
    is_gone: bool,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            requested: Requested::default(),
            version: 1,
            is_unannounced: false,
            streams: Vec::new(),
            next_ticket: 0,
        }
    }
}

impl Control {
    pub(in crate::hub) fn requested(&self) -> &Requested {
        &self.requested
    }

    pub(in crate::hub) fn ask(&mut self, request: ControlRequest) {
        if self.requested.apply(request) {
            self.change();
        }
    }

    /// Notes that the state has changed.
    pub(in crate::hub) fn change(&mut self) {
        self.version += 1;
        self.is_unannounced = true;
    }

    /// Adds a stream; returns `None` if there are already [`CONTROL_STREAMS`].
    pub(in crate::hub) fn listen(&mut self, operation: Option<Operation>) -> Option<u64> {
        if self.streams.len() >= CONTROL_STREAMS {
            // Otherwise a series of short operations would reach the limit.
            self.streams.retain(|it| !(it.is_gone && it.is_over));
        }
        if self.streams.len() >= CONTROL_STREAMS {
            return None;
        }
        self.next_ticket += 1;
        self.streams.push(Listener {
            ticket: self.next_ticket,
            waker: None,
            operation,
            is_over: false,
            is_gone: false,
        });
        Some(self.next_ticket)
    }

    /// Returns whether a stream that has seen this version has unseen changes; if not, stores its waker.
    pub(in crate::hub) fn poll_change(
        &mut self,
        ticket: u64,
        seen: &mut u64,
        cx: &mut Context<'_>,
    ) -> bool {
        if *seen < self.version {
            *seen = self.version;
            return true;
        }
        if let Some(stream) = self.streams.iter_mut().find(|it| it.ticket == ticket) {
            stream.waker = Some(cx.waker().clone());
        }
        false
    }

    /// Notes that a stream's publisher has disconnected.
    pub(in crate::hub) fn note_gone(&mut self, ticket: u64) {
        let stream = self.streams.iter_mut().find(|it| it.ticket == ticket);
        if let Some(stream) = stream {
            stream.is_gone = true;
        }
    }

    fn remove(&mut self, ticket: u64) -> Option<Listener> {
        let place = self.streams.iter().position(|it| it.ticket == ticket)?;
        Some(self.streams.swap_remove(place))
    }

    /// Sets the requests.
    pub(in crate::hub) fn set_requested(&mut self, requested: Requested) {
        if self.requested != requested {
            self.requested = requested;
            self.change();
        }
    }

    /// Removes a stream. Returns its operation if that is left without a publisher.
    pub(in crate::hub) fn stop_listening(&mut self, ticket: u64) -> Option<Operation> {
        let gone = self.remove(ticket)?;
        let operation = gone.operation.filter(|_| !gone.is_over)?;
        let is_back = |it: &Listener| !it.is_over && it.operation.as_ref() == Some(&operation);
        if self.streams.iter().any(is_back) {
            return None;
        }
        self.operation_is_over(Some(&operation));
        Some(operation)
    }

    /// Returns the number of streams whose publisher is connected.
    fn listeners(&self) -> usize {
        self.streams.iter().filter(|it| !it.is_gone).count()
    }

    /// Returns whether a stream accompanies any operation that is under way.
    pub(in crate::hub) fn accompanies_any(&self) -> bool {
        self.streams.iter().any(|it| it.operation.is_some())
    }

    /// Returns whether a stream accompanies this operation's publisher, or did a moment ago.
    pub(in crate::hub) fn accompanies(&self, operation: &Operation) -> bool {
        self.streams
            .iter()
            .any(|it| it.operation.as_ref() == Some(operation))
    }

    /// Notes that an operation has ended: the end of its control streams is no longer reported, and a request to cancel
    /// it is done.
    pub(in crate::hub) fn operation_is_over(&mut self, operation: Option<&Operation>) {
        for stream in &mut self.streams {
            stream.is_over |= operation.is_some() && stream.operation.as_ref() == operation;
        }
        if self.requested.is_over(operation) {
            self.change();
        }
    }

    /// Takes the wakers of streams with unseen changes.
    pub(in crate::hub) fn take_wakers(&mut self) -> Vec<Waker> {
        if mem::take(&mut self.is_unannounced) {
            let streams = self.streams.iter_mut();
            streams.filter_map(|it| it.waker.take()).collect()
        } else {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_operation_frees_its_place_for_the_next() {
        let mut control = Control::default();
        let operation = "a".parse::<Operation>().unwrap();
        let tickets: Vec<_> = (0..CONTROL_STREAMS)
            .map(|_| control.listen(Some(operation.clone())).unwrap())
            .collect();
        let (first, last) = (tickets[0], tickets[CONTROL_STREAMS - 1]);
        control.note_gone(first);
        assert_eq!(control.listen(None), None, "it may reconnect");
        control.operation_is_over(Some(&operation));
        let next = control.listen(None);
        assert!(next.is_some());
        assert_eq!(control.listen(None), None, "the other places are taken");
        assert_eq!(control.stop_listening(first), None);
        assert!(control.accompanies(&operation));
        control.note_gone(last);
        assert!(control.listen(None).is_some());
    }
}
