//! Control streams: how a publisher receives what watchers request of it.
//!
//! A control stream shows the newest state, not a history: changes that come faster than it is read
//! count as one. One that was opened for an operation stands for that operation's publisher. Where
//! it goes without an outcome, the channel is told.

use std::task::{Context, Poll};

use super::channel::{Channel, ControlEvent};
use super::sync::Arc;
use super::{Hub, Refusal};
use crate::control::{ControlRequest, ControlState};
use crate::event::ClientId;
use crate::message::Operation;

/// A publisher that listens. Dropping it leaves the channel; where it stands for an operation that
/// has had no outcome, and nobody else does, the channel is told that its publisher is gone.
pub struct ControlStream {
    channel: Arc<Channel>,
    ticket: u64,
    /// The version of the state that was last told.
    seen: u64,
    stands: bool,
}

impl Hub {
    /// Asks a channel's publishers for something, and says how things stand then.
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

    /// Opens a control stream, which stands for the publisher of `operation` where one is named: then
    /// the channel is not idle while it is open. It does not count as a subscriber.
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

    /// The channel's ID.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.channel.id
    }

    /// Whether it stands for an operation's publisher.
    #[must_use]
    pub fn stands_for_an_operation(&self) -> bool {
        self.stands
    }

    /// Notes that whoever listened is gone, though it may come back before this is dropped.
    pub fn gone(&self) {
        self.channel.listener_is_gone(self.ticket);
    }

    /// How things stand, where that is news; otherwise pending, and the task is woken when it is.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<ControlEvent> {
        self.channel.poll_event(self.ticket, &mut self.seen, cx)
    }
}

impl Drop for ControlStream {
    fn drop(&mut self) {
        self.channel.stop_listening(self.ticket);
    }
}
