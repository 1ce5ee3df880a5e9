//! What the server answers outside a stream.

use serde::{Deserialize, Serialize};

use crate::{event::ClientId, wire::control, wish::Wish};

/// A client ID was issued.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connected {
    /// The ID, in canonical lower case.
    pub client_id: String,
    /// Where its stream is read, as a path on this server.
    pub stream_url: String,
    /// Where messages are published to it.
    pub publish_url: String,
    /// Where it is stopped.
    pub stop_url: String,
    /// After so long without activity the server ends it.
    pub idle_timeout_seconds: u64,
}

impl Connected {
    /// The answer for a new ID.
    #[must_use]
    pub fn new(id: ClientId, idle_timeout: std::time::Duration) -> Self {
        Self {
            client_id: id.to_string(),
            stream_url: super::stream_path(id),
            publish_url: super::stream_path(id),
            stop_url: super::stop_path(id),
            idle_timeout_seconds: idle_timeout.as_secs(),
        }
    }
}

/// A publish request was accepted.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Published {
    /// The last event's ID; `None` where the body held no message.
    pub id: Option<String>,
    /// How many messages were accepted.
    pub accepted: u64,
    /// How many subscribers the channel had.
    pub subscribers: usize,
    /// The level of detail that a watcher asked for.
    pub level: Option<String>,
    /// Whether a watcher asked to stop.
    pub cancel: bool,
    /// The operation that the wish to stop names.
    pub operation: Option<String>,
}

impl Published {
    /// What watchers ask for.
    #[must_use]
    pub fn wish(&self) -> Wish {
        let (level, operation) = (self.level.as_deref(), self.operation.as_deref());
        control::wish(level, self.cancel, operation)
    }
}

/// A broadcast was accepted.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Broadcast {
    /// How many channels took it.
    pub clients: usize,
}

/// The [`Problem::kind`] that tells a client whose stream has ended from one that is not known.
pub const ENDED: &str = "/problems/ended";

/// Every client of a server.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Clients {
    /// The one that was opened first comes first.
    pub clients: Vec<Client>,
}

/// One client of a server.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Its ID, in canonical lower case.
    pub client_id: String,
    /// How many streams of it are open.
    pub subscribers: usize,
    /// How many messages it was ever sent.
    pub messages: u64,
    /// When it was opened, in RFC 3339.
    pub created: String,
    /// When a stream last opened or a message was last delivered.
    pub last_activity: String,
}

/// An error (RFC 9457), with the members that help a program to go on from it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Problem {
    /// What kind of problem; `about:blank` says that the status tells.
    #[serde(rename = "type", default = "about_blank")]
    pub kind: String,
    /// The status's name.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What is wrong and what to do about it.
    pub detail: String,
    /// For ndjson: the line that was refused, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// For ndjson: how many messages of this request stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
    /// For text that is not UTF-8: the offset of the first wrong byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
}

fn about_blank() -> String {
    "about:blank".into()
}
