//! The way back: what watchers ask of a channel's publishers, and the publishers that listen.
//!
//! A control stream shows the newest state, not a history: changes that come faster than it is read
//! count as one. One that was opened for an operation stands for that operation's publisher. Where
//! it goes without an outcome, the channel is told.

use std::{
    mem,
    task::{Context, Poll, Waker},
};

use super::{Hub, Refusal, channel::Channel, sync::Arc};
use crate::{
    control::{Audience, Request, Wish},
    event::{ClientId, End},
    message::Operation,
};

/// How many control streams one client may have.
pub const CONTROL_STREAMS: usize = 64;

/// What a control stream is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// How things stand now.
    Audience(Audience),
    /// The channel is over for good; nothing comes after this.
    End(End),
    /// The hub closes, the channel does not end; nothing comes after this.
    Closing,
}

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
    pub fn ask(&self, id: ClientId, request: Request) -> Result<Audience, Refusal> {
        self.admit()?;
        self.known(id)?.ask(request)
    }

    /// Opens a control stream, which stands for the publisher of `operation` where one is named: then
    /// the channel is not idle while it is open. It does not count as a subscriber.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], [`Refusal::Ended`], [`Refusal::TooManyControlStreams`],
    /// [`Refusal::Closing`].
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
    fn new(channel: Arc<Channel>, ticket: u64, stands: bool) -> Self {
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
    pub fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<Told> {
        self.channel.poll_told(self.ticket, &mut self.seen, cx)
    }
}

impl Drop for ControlStream {
    fn drop(&mut self) {
        self.channel.stop_listening(self.ticket);
    }
}

/// A channel's side of the way back.
pub(super) struct Control {
    wish: Wish,
    /// Counts the changes; a new stream has seen none.
    version: u64,
    /// Whether the streams have yet to be woken for the newest version.
    is_news: bool,
    streams: Vec<Listener>,
    next_ticket: u64,
}

struct Listener {
    ticket: u64,
    waker: Option<Waker>,
    /// The operation it stands for.
    operation: Option<Operation>,
    /// Whether that operation has had its outcome.
    is_over: bool,
    /// Whether its publisher is gone.
    is_gone: bool,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            wish: Wish::default(),
            version: 1,
            is_news: false,
            streams: Vec::new(),
            next_ticket: 0,
        }
    }
}

impl Control {
    pub(super) fn wish(&self) -> &Wish {
        &self.wish
    }

    pub(super) fn ask(&mut self, request: Request) {
        if self.wish.follow(request) {
            self.change();
        }
    }

    /// Notes that something which its streams tell is not what it was.
    pub(super) fn change(&mut self) {
        self.version += 1;
        self.is_news = true;
    }

    /// Adds a stream; `None` where there are [`CONTROL_STREAMS`].
    pub(super) fn listen(&mut self, operation: Option<Operation>) -> Option<u64> {
        if self.streams.len() >= CONTROL_STREAMS {
            // Many short operations in a row would otherwise find no place for a while.
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

    /// Whether there is news for a stream that has seen so much; if not, leaves its waker.
    pub(super) fn poll_news(&mut self, ticket: u64, seen: &mut u64, cx: &mut Context<'_>) -> bool {
        if *seen < self.version {
            *seen = self.version;
            return true;
        }
        if let Some(stream) = self.streams.iter_mut().find(|it| it.ticket == ticket) {
            stream.waker = Some(cx.waker().clone());
        }
        false
    }

    /// Notes that a stream's publisher is gone.
    pub(super) fn is_gone(&mut self, ticket: u64) {
        let stream = self.streams.iter_mut().find(|it| it.ticket == ticket);
        if let Some(stream) = stream {
            stream.is_gone = true;
        }
    }

    /// Removes a stream. The operation it stood for, where that is left without a publisher.
    pub(super) fn stop_listening(&mut self, ticket: u64) -> Option<Operation> {
        let place = self.streams.iter().position(|it| it.ticket == ticket)?;
        let gone = self.streams.swap_remove(place);
        let operation = gone.operation.filter(|_| !gone.is_over)?;
        let is_back = |it: &Listener| !it.is_over && it.operation.as_ref() == Some(&operation);
        if self.streams.iter().any(is_back) {
            return None;
        }
        self.operation_is_over(Some(&operation));
        Some(operation)
    }

    /// Whether a stream stands for any operation's publisher: somebody is at work.
    pub(super) fn stands_for_any(&self) -> bool {
        self.streams.iter().any(|it| it.operation.is_some())
    }

    /// Whether a stream stands, or stood a moment ago, for this operation's publisher.
    pub(super) fn stands_for(&self, operation: &Operation) -> bool {
        self.streams
            .iter()
            .any(|it| it.operation.as_ref() == Some(operation))
    }

    /// Notes that an operation has ended: nobody is missed there any more, and it need not be cancelled.
    pub(super) fn operation_is_over(&mut self, operation: Option<&Operation>) {
        for stream in &mut self.streams {
            stream.is_over |= operation.is_some() && stream.operation.as_ref() == operation;
        }
        if self.wish.is_over(operation) {
            self.change();
        }
    }

    /// Whom to wake, where there is news.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        if mem::take(&mut self.is_news) {
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
    fn an_operation_that_is_over_keeps_no_place_from_the_next() {
        let mut control = Control::default();
        let operation = "a".parse::<Operation>().unwrap();
        let tickets: Vec<_> = (0..CONTROL_STREAMS)
            .map(|_| control.listen(Some(operation.clone())).unwrap())
            .collect();
        let (first, last) = (tickets[0], tickets[CONTROL_STREAMS - 1]);
        control.is_gone(first);
        assert_eq!(control.listen(None), None, "it may come back");
        control.operation_is_over(Some(&operation));
        let next = control.listen(None);
        assert!(next.is_some());
        assert_eq!(control.listen(None), None, "the others are there");
        assert_eq!(control.stop_listening(first), None);
        assert!(control.stands_for(&operation));
        control.is_gone(last);
        assert!(control.listen(None).is_some());
    }
}
