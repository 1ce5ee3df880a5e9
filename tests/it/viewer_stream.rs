//! The client and the viewer page read any stream in the same way: what the page reads is in
//! `tests/viewer/vectors/stream.json`, which `tests/viewer/stream.test.js` checks.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use codechat::internal::client::subscribe::{SubscribeOptions, Update};
use serde::Deserialize;

use crate::support::{
    feed::{feed, is_retrying, until},
    scripted::{Reply, Scripted},
};

const VECTORS: &str = include_str!("../viewer/vectors/stream.json");

/// The bounds of the wait before the first retry, without its random part.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
const CHANCE: Duration = Duration::from_millis(125);

/// A stream, and what it contains.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    name: String,
    /// In base64.
    chunks: Vec<String>,
    /// The last event ID of an earlier reading.
    last: String,
    events: Vec<Event>,
    heartbeats: usize,
    last_id: String,
    /// In milliseconds.
    retry: Option<u64>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Event {
    id: String,
    name: String,
    data: String,
}

#[tokio::test]
async fn the_client_reads_what_the_page_reads() {
    let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
    assert!(vectors.len() > 50);
    for vector in vectors {
        let decode = |it: &String| STANDARD.decode(it).unwrap();
        let chunks: Vec<_> = vector.chunks.iter().map(decode).collect();
        for reply in [
            Reply::stream(chunks.concat()),
            Reply::pieces(chunks.iter().map(Vec::as_slice)),
        ] {
            check(&vector, reply).await;
        }
    }
}

async fn check(vector: &Vector, reply: Reply) {
    let name = &vector.name;
    let mut server = Scripted::start([reply]).await;
    let mut options = SubscribeOptions::new();
    options.last_event_id = Some(vector.last.clone()).filter(|it| !it.is_empty());
    let reconnect = options.reconnect.clone();
    let mut feed = feed(&server.roundabout_url(), options);
    let updates = until(&mut feed, is_retrying).await;

    let events: Vec<_> = updates.iter().filter_map(event).collect();
    assert_eq!(events, vector.events, "{name}");
    let has_beat = updates.contains(&Update::Heartbeat);
    assert_eq!(has_beat, vector.heartbeats > 0, "{name}");
    let Some(Update::Retrying { delay, .. }) = updates.last() else {
        unreachable!();
    };
    let retry = Duration::from_millis(vector.retry.unwrap_or_default());
    let floor = retry.clamp(SHORTEST, LONGEST);
    assert!(
        (floor..=floor + CHANCE).contains(delay),
        "{name}: {delay:?}"
    );

    reconnect.ask();
    server.asked().await;
    let second = server.asked().await;
    let cursor = second.header("last-event-id").unwrap_or_default();
    assert_eq!(cursor, vector.last_id.trim(), "{name}");
}

fn event(update: &Update) -> Option<Event> {
    match update {
        Update::Message(it) => Some(Event {
            id: it.id.clone(),
            name: it.event.clone().into_owned(),
            data: it.message.text.clone(),
        }),
        _ => None,
    }
}
