//! A hub, one of its clients, and the messages published to it.

use codechat::{ClientId, Hub, Limits, Message, Position, Publisher, Scope, Update};
use futures_util::{FutureExt, StreamExt};

/// Creates a hub with a client, and the client's scope.
pub(crate) fn scope() -> (Hub, ClientId, Scope) {
    let hub = Hub::new(Limits::default());
    let id = hub.connect().unwrap();
    let scope = Publisher::new(&hub).scope(id);
    (hub, id, scope)
}

/// Returns the messages published to a client so far.
pub(crate) fn messages(hub: &Hub, id: ClientId) -> Vec<Message> {
    let mut feed = hub.feed(id, Position::Start).unwrap();
    let mut messages = Vec::new();
    while let Some(Some(Update::Message(received))) = feed.next().now_or_never() {
        messages.push(received.message);
    }
    messages
}

/// Returns the texts of [`messages`].
pub(crate) fn texts(hub: &Hub, id: ClientId) -> Vec<String> {
    messages(hub, id).into_iter().map(|it| it.text).collect()
}
