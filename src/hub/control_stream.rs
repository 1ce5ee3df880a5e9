//! Control streams: how a publisher receives what watchers request of it.
//!
//! A control stream returns the newest state, not a history: changes between two reads count as one. One that was
//! opened for an operation accompanies that operation's publisher; if it is closed without an outcome, the channel gets
//! a message.

use std::task::{Context, Poll};

use super::channel::{Channel, ControlEvent};
use super::sync::Arc;
use super::{Hub, Refusal};
use crate::control::{ControlRequest, ControlState};
use crate::event::ClientId;
use crate::message::Operation;

/// A publisher's control stream. When the last one of an operation without an outcome is dropped, the channel gets a
/// message that the publisher has disconnected.
pub struct ControlStream {
    channel: Arc<Channel>,
    ticket: u64,
    /// The version of the state that was returned last.
    seen: u64,
    stands: bool,
}

impl Hub {
    /// Adds a request to a channel's publishers and returns the new state.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], [`Refusal::Ended`], [`Refusal::Closing`].
    pub fn request_control(
        &self,
        id: ClientId,
        request: ControlRequest,
    ) -> Result<ControlState, Refusal> {
        self.admit()?;
        self.known(id)?.ask(request)
    }

    /// Opens a control stream. If `operation` is given, it accompanies that operation's publisher, and the channel is
    /// not idle while it is open. It does not count as a subscriber.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], [`Refusal::Ended`], [`Refusal::TooManyControlStreams`],
    /// [`Refusal::Closing`].
    #[doc(hidden)]
    pub fn listen(
        &self,
        id: ClientId,
        operation: Option<Operation>,
    ) -> Result<ControlStream, Refusal> {
        self.admit()?;
        let channel = self.known(id)?;
        let stands = operation.is_some();
        let ticket = channel.listen(operation)?;
        Ok(ControlStream::new(channel, ticket, stands))
    }
}

impl ControlStream {
    pub(super) fn new(channel: Arc<Channel>, ticket: u64, stands: bool) -> Self {
        Self {
            channel,
            ticket,
            seen: 0,
            stands,
        }
    }

    /// Returns the channel's ID.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.channel.id
    }

    /// Returns whether it accompanies an operation's publisher.
    #[must_use]
    pub fn accompanies_an_operation(&self) -> bool {
        self.stands
    }

    /// Notes that the publisher has disconnected. It may reconnect before this is dropped.
    pub fn gone(&self) {
        self.channel.listener_is_gone(self.ticket);
    }

    /// Returns the state if it has changed; otherwise pending, and the task is woken on the next change.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<ControlEvent> {
        self.channel.poll_event(self.ticket, &mut self.seen, cx)
    }
}

impl Drop for ControlStream {
    fn drop(&mut self) {
        self.channel.stop_listening(self.ticket);
    }
}
