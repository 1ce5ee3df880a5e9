//! A client's stream, update by update.

use codechat::internal::{
    client::{
        Client, ClientOptions, Token,
        subscribe::{self, Feed, FeedError, Update},
    },
    event::ClientId,
};
use futures_util::StreamExt;

use super::{
    scripted::{Reply, Scripted},
    soon,
};

/// Creates a client of the server at `url`, with a token.
pub(crate) fn client(url: &str) -> Client {
    let options = ClientOptions::new().token(Token::new("secret"));
    Client::new(url.parse().unwrap(), options).unwrap()
}

/// Reads a stream of the server at `url`.
pub(crate) fn feed(url: &str, options: subscribe::SubscribeOptions) -> Feed {
    client(url).subscribe(ClientId::random(), options)
}

/// Returns the next update.
pub(crate) async fn next(feed: &mut Feed) -> Update {
    let next = soon(feed.next()).await.expect("the feed ended");
    next.expect("the feed failed")
}

/// Returns the error that the feed ends with.
pub(crate) async fn failure(feed: &mut Feed) -> FeedError {
    loop {
        match soon(feed.next()).await.expect("the feed ended") {
            Ok(_) => {}
            Err(error) => {
                assert!(soon(feed.next()).await.is_none(), "an error is the end");
                return error;
            }
        }
    }
}

/// Returns all updates up to the first one that is `wanted`, with it.
pub(crate) async fn until(feed: &mut Feed, wanted: impl Fn(&Update) -> bool) -> Vec<Update> {
    let mut seen = Vec::new();
    loop {
        seen.push(next(feed).await);
        if wanted(seen.last().unwrap()) {
            return seen;
        }
    }
}

/// Returns whether an attempt failed.
pub(crate) fn is_retrying(update: &Update) -> bool {
    matches!(update, Update::Retrying { .. })
}

/// Returns the texts of the messages among updates.
pub(crate) fn texts(updates: &[Update]) -> Vec<&str> {
    let mut texts = Vec::new();
    for update in updates {
        if let Update::Message(it) = update {
            texts.push(it.message.text.as_str());
        }
    }
    texts
}

/// Returns the updates from the replies, up to the attempt after the last of them.
pub(crate) async fn updates_of(
    replies: impl IntoIterator<Item = Reply>,
    options: subscribe::SubscribeOptions,
) -> Vec<Update> {
    let replies: Vec<_> = replies.into_iter().collect();
    let mut left = replies.len();
    let server = Scripted::start(replies).await;
    let mut feed = feed(&server.url, options);
    let mut updates = Vec::new();
    while left > 0 {
        updates.extend(until(&mut feed, is_retrying).await);
        left -= 1;
    }
    updates
}
