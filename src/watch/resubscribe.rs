//! A stream for as long as somebody wants to watch it: where a server ends a client's because nothing happens, a watch
//! that is to stay subscribes again under the same ID.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};

use crate::client::subscribe::{Feed, FeedError, StreamOptions, SubscribeOptions, Update};
use crate::client::{Client, UrlStream};
use crate::event::{ClientId, End};

/// The updates of a stream. Dropping them closes the connection.
#[derive(Debug)]
pub struct Live {
    feed: Feed,
    /// What is subscribed to again; `None` if a feed's end is the end.
    again: Option<Again>,
    /// Whether the feed's end is not to be ours.
    is_outlived: bool,
}

/// A client's stream.
#[derive(Debug)]
struct Again {
    client: Client,
    id: ClientId,
    options: SubscribeOptions,
}

impl Live {
    /// Subscribes to a client's stream. With `stay`, an end for idleness is told and then outlived.
    #[must_use]
    pub fn open(client: Client, id: ClientId, options: SubscribeOptions, stay: bool) -> Self {
        Self {
            feed: client.subscribe(id, options.clone()),
            again: stay.then_some(Again {
                client,
                id,
                options,
            }),
            is_outlived: false,
        }
    }

    /// Subscribes to the stream of a URL.
    #[must_use]
    pub fn of_url(stream: &UrlStream, options: StreamOptions) -> Self {
        Self {
            feed: stream.subscribe(options),
            again: None,
            is_outlived: false,
        }
    }
}

impl Stream for Live {
    type Item = Result<Update, FeedError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let next = self.feed.poll_next_unpin(cx);
            match &next {
                Poll::Ready(Some(Ok(Update::End(End::Idle)))) => self.is_outlived = true,
                Poll::Ready(None) if std::mem::take(&mut self.is_outlived) => {
                    let Some(again) = &mut self.again else {
                        return next;
                    };
                    // The channel is a fresh one: all that it has is news.
                    again.options.tail = None;
                    again.options.notes_past = false;
                    let feed = again.client.subscribe(again.id, again.options.clone());
                    self.feed = feed;
                    continue;
                }
                _ => {}
            }
            return next;
        }
    }
}
