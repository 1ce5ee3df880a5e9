//! Streaming publishers: many messages in one request, which waits while a reader would lose some.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;

use super::channel::Channel;
use super::sync::Arc;
use super::{Hub, Receipt, Refusal};
use crate::event::ClientId;
use crate::message::{Message, Operation};

/// One streaming publish request. Dropping it unfinished publishes [`BROKEN_OFF`](super::BROKEN_OFF), so that a watcher
/// can distinguish a slow publisher from a dead one. It does not if a later try of the same request has begun, or if a
/// control stream accompanies its operation and reports the loss itself.
pub struct PublishStream {
    hub: Hub,
    channel: Arc<Channel>,
    key: Option<Box<str>>,
    /// The number of this try of the keyed request.
    try_number: u32,
    receipt: Receipt,
    /// The operation of the newest message that named one.
    operation: Option<Operation>,
    ticket: Option<u64>,
    finished: bool,
}

impl Hub {
    /// Publishes all of `messages`, as a streaming publish request with this key that never waits. Returns `None` if
    /// some are refused or would have to wait: a streaming request with the same key then publishes those alone.
    #[must_use]
    #[doc(hidden)]
    pub fn publish_all(
        &self,
        id: ClientId,
        messages: &mut VecDeque<Message>,
        key: &str,
    ) -> Option<Receipt> {
        self.admit().ok()?;
        let channel = self.known(id).ok()?;
        channel.publish_all(messages, key, self.evict(&channel))
    }
}

impl PublishStream {
    pub(super) fn new(hub: Hub, channel: Arc<Channel>, key: Option<Box<str>>) -> Self {
        let receipt = Receipt {
            subscribers: channel.readers(),
            ..Receipt::default()
        };
        let try_number = key.as_deref().map_or(0, |key| channel.begin_try(key));
        Self {
            hub,
            channel,
            key,
            try_number,
            receipt,
            operation: None,
            ticket: None,
            finished: false,
        }
    }

    /// Publishes all of `messages`, in order, emptying the queue. Waits while an attached reader has not read what the
    /// log is about to drop.
    ///
    /// # Errors
    /// [`Refusal::Ended`] when the channel ends, [`Refusal::Closing`] when the hub closes, [`Refusal::OutOfMemory`] if
    /// the memory budget is used up and the log would grow. What is still queued then was not published.
    pub async fn send(&mut self, messages: &mut VecDeque<Message>) -> Result<(), Refusal> {
        self.hub.admit()?;
        let newest = messages.iter().rev().find_map(|it| it.operation.as_ref());
        if newest.is_some() && newest != self.operation.as_ref() {
            self.operation = newest.cloned();
        }
        loop {
            let (waiting, room) = (messages.len(), self.hub.evict(&self.channel));
            let sent = poll_fn(|cx| {
                let (receipt, ticket) = (&mut self.receipt, &mut self.ticket);
                let key = self.key.as_deref();
                self.channel
                    .poll_publish(messages, key, room, receipt, ticket, cx)
            });
            match sent.await {
                // Some messages were published, and there may be room again.
                Err(Refusal::OutOfMemory(_)) if messages.len() < waiting => {}
                sent => return sent,
            }
        }
    }

    /// Waits until the hub closes, so that a publisher without a message to send can stop waiting.
    pub fn closed(&self) -> impl Future<Output = ()> + use<> {
        self.hub.closed()
    }

    /// Returns whether an interrupted request can be resumed, so that the message about it should be delayed.
    #[must_use]
    pub fn may_be_resumed(&self) -> bool {
        self.key.is_some() && !self.is_accompanied()
    }

    fn is_accompanied(&self) -> bool {
        let operation = self.operation.as_ref();
        operation.is_some_and(|it| self.channel.accompanies(it))
    }

    /// Returns how many messages of this request were accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.receipt.accepted
    }

    /// Finishes the request.
    #[must_use]
    pub fn finish(mut self) -> Receipt {
        self.finished = true;
        if let Some(key) = &self.key {
            self.channel.finish_try(key, &self.receipt);
        }
        Receipt {
            requested: self.channel.requested(),
            ..mem::take(&mut self.receipt)
        }
    }
}

impl Drop for PublishStream {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.channel.stop_waiting(ticket);
        }
        let tries = self.key.as_deref().and_then(|key| self.channel.tries(key));
        let is_back = tries.is_some_and(|tries| tries > self.try_number);
        if !self.finished && !is_back && !self.is_accompanied() {
            self.channel.publish_broken_off(None);
        }
    }
}
