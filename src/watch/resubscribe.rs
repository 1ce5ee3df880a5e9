//! A stream that goes on after the idle timeout: if the server ends it for idleness, it subscribes subscription under the
//! same ID.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};

use crate::client::subscribe::{Feed, FeedError, StreamOptions, SubscribeOptions, Update};
use crate::client::{Client, UrlStream};
use crate::event::{ClientId, End};

/// A stream of updates. Dropping it closes the connection.
#[derive(Debug)]
pub struct Live {
    feed: Feed,
    /// The subscription to repeat; `None` if a feed's end is the end.
    subscription: Option<Subscription>,
    /// Whether the current feed's end is to be followed by another subscription.
    resubscribes: bool,
}

/// A subscription to a client's stream.
#[derive(Debug)]
struct Subscription {
    client: Client,
    id: ClientId,
    options: SubscribeOptions,
}

impl Live {
    /// Subscribes to a client's stream. With `stay`, subscribes subscription after an end for idleness.
    #[must_use]
    pub fn open(client: Client, id: ClientId, options: SubscribeOptions, stay: bool) -> Self {
        Self {
            feed: client.subscribe(id, options.clone()),
            subscription: stay.then_some(Subscription {
                client,
                id,
                options,
            }),
            resubscribes: false,
        }
    }

    /// Subscribes to the stream of a URL.
    #[must_use]
    pub fn of_url(stream: &UrlStream, options: StreamOptions) -> Self {
        Self {
            feed: stream.subscribe(options),
            subscription: None,
            resubscribes: false,
        }
    }
}

impl Stream for Live {
    type Item = Result<Update, FeedError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let next = self.feed.poll_next_unpin(cx);
            match &next {
                Poll::Ready(Some(Ok(Update::End(End::Idle)))) => self.resubscribes = true,
                Poll::Ready(None) if std::mem::take(&mut self.resubscribes) => {
                    let Some(subscription) = &mut self.subscription else {
                        return next;
                    };
                    // The channel is new: everything in it is news.
                    subscription.options.tail = None;
                    subscription.options.notes_past = false;
                    let feed = subscription
                        .client
                        .subscribe(subscription.id, subscription.options.clone());
                    self.feed = feed;
                    continue;
                }
                _ => {}
            }
            return next;
        }
    }
}
