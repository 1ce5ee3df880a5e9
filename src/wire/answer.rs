//! The server's answers, apart from streams.

use serde::{Deserialize, Deserializer, Serialize};

use super::{Route, control};
use crate::control::Requested;
use crate::event::{ClientId, EventId};

/// The answer to a request for a client ID.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Connected {
    /// The ID, in canonical lower case.
    pub client_id: String,
    /// Where its stream can be read, as a path on this server. The original protocol gives only the ID.
    pub stream_url: Option<String>,
    /// Where messages can be published to it.
    pub publish_url: Option<String>,
    /// Where it can be stopped.
    pub stop_url: Option<String>,
    /// Time without activity after which the server ends it, in seconds.
    pub idle_timeout_seconds: Option<u64>,
}

impl Connected {
    /// Returns the answer for a new ID.
    #[must_use]
    pub fn new(id: ClientId, idle_timeout: std::time::Duration) -> Self {
        Self {
            client_id: id.to_string(),
            stream_url: Some(Route::Client.path_for(id)),
            publish_url: Some(Route::Client.path_for(id)),
            stop_url: Some(Route::Stop.path_for(id)),
            idle_timeout_seconds: Some(idle_timeout.as_secs()),
        }
    }

    /// Adds a prefix to each path.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        let urls = [
            &mut self.stream_url,
            &mut self.publish_url,
            &mut self.stop_url,
        ];
        for url in urls.into_iter().flatten() {
            url.insert_str(0, prefix);
        }
        self
    }

    /// Returns whether messages can be published to it. In the original protocol only the server's own code can.
    #[must_use]
    pub fn takes_messages(&self) -> bool {
        self.publish_url.is_some()
    }
}

/// The answer to a publish request.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The last event's ID; `None` if the body held no message.
    #[serde(deserialize_with = "event_id")]
    pub id: Option<EventId>,
    /// How many messages were accepted.
    pub accepted: u64,
    /// How many subscribers the channel had.
    pub subscribers: usize,
    /// The level of detail that a watcher requests.
    pub level: Option<String>,
    /// Whether a watcher requests to stop.
    pub cancel: bool,
    /// The operation to stop, if the request names one.
    pub operation: Option<String>,
}

impl Published {
    /// Returns what watchers request.
    #[must_use]
    pub fn requested(&self) -> Requested {
        let (level, operation) = (self.level.as_deref(), self.operation.as_deref());
        control::requested(level, self.cancel, operation)
    }

    /// Appends it as JSON. Hand-written, since it answers every message: serde takes ten times as long, which was
    /// a tenth of a message's cost.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(b"{\"id\":");
        if let Some(id) = self.id {
            out.push(b'"');
            super::sse::push_id(out, id);
            out.push(b'"');
        } else {
            out.extend_from_slice(b"null");
        }
        out.extend_from_slice(b",\"accepted\":");
        out.extend_from_slice(digits.format(self.accepted).as_bytes());
        out.extend_from_slice(b",\"subscribers\":");
        out.extend_from_slice(digits.format(self.subscribers).as_bytes());
        out.extend_from_slice(b",\"level\":");
        push_text(self.level.as_deref(), out);
        out.extend_from_slice(b",\"cancel\":");
        out.extend_from_slice(if self.cancel { b"true" } else { b"false" });
        out.extend_from_slice(b",\"operation\":");
        push_text(self.operation.as_deref(), out);
        out.push(b'}');
    }
}

fn push_text(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        Some(text) => out.extend(serde_json::Value::from(text).to_string().into_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

fn event_id<'de, D: Deserializer<'de>>(json: D) -> Result<Option<EventId>, D::Error> {
    let text = Option::<String>::deserialize(json)?;
    let id = text.map(|it| it.parse()).transpose();
    id.map_err(serde::de::Error::custom)
}

/// The answer to a broadcast.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Broadcast {
    /// How many channels accepted it.
    pub clients: usize,
}

/// The [`Problem::kind`] of an ended stream, as opposed to an unknown client.
pub const ENDED: &str = "/problems/ended";

/// All clients of a server.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Clients {
    /// In the order in which they were opened.
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
    /// How many messages were published to it.
    pub messages: u64,
    /// When it was opened, in RFC 3339.
    pub created: String,
    /// When a stream last opened or a message was last delivered.
    pub last_activity: String,
}

/// An error (RFC 9457), with members that help a program to recover.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Problem {
    /// The kind of problem; `about:blank` if the status says it all.
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
    /// For NDJSON: the line that was refused, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// For NDJSON: how many messages of this request were published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
    /// For text that is not UTF-8: the offset of the first invalid byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
}

fn about_blank() -> String {
    "about:blank".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let id = EventId {
            seq: 17,
            time: 1_732_262_400_123,
        };
        let answer = Published {
            id: Some(id),
            accepted: 1,
            subscribers: 64,
            level: None,
            cancel: false,
            operation: None,
        };
        let none = Published {
            id: None,
            ..answer.clone()
        };
        let wanted = Published {
            level: Some("debug".into()),
            cancel: true,
            operation: Some("a \"quoted\" name".into()),
            ..answer.clone()
        };
        for answer in [answer, none, wanted] {
            let mut json = Vec::new();
            answer.write(&mut json);
            let read: Published = serde_json::from_slice(&json).unwrap();
            assert_eq!(read, answer, "{}", String::from_utf8_lossy(&json));
        }
    }
}
