//! A client's stream for as long as somebody wants to watch it: where the server ends it because
//! nothing happens, a watch that is to stay subscribes again under the same ID.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};

use crate::client::Client;
use crate::client::subscribe::{Feed, FeedError, SubscribeOptions, Update};
use crate::event::{ClientId, End};

/// The updates of a client's stream. Dropping them closes the connection.
#[derive(Debug)]
pub struct Live {
    client: Client,
    id: ClientId,
    options: SubscribeOptions,
    stay: bool,
    feed: Feed,
    /// Whether the feed's end is not to be ours.
    again: bool,
}

impl Live {
    /// Subscribes. With `stay`, an end for idleness is told and then outlived.
    #[must_use]
    pub fn open(client: Client, id: ClientId, options: SubscribeOptions, stay: bool) -> Self {
        let feed = client.subscribe(id, options.clone());
        Self {
            client,
            id,
            options,
            stay,
            feed,
            again: false,
        }
    }
}

impl Stream for Live {
    type Item = Result<Update, FeedError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let next = self.feed.poll_next_unpin(cx);
            match &next {
                Poll::Ready(Some(Ok(Update::End(End::Idle)))) => self.again = self.stay,
                Poll::Ready(None) if std::mem::take(&mut self.again) => {
                    // The channel is a fresh one: all that it has is news.
                    self.options.tail = None;
                    self.options.notes_past = false;
                    self.feed = self.client.subscribe(self.id, self.options.clone());
                    continue;
                }
                _ => {}
            }
            return next;
        }
    }
}
