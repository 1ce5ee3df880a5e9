//! Bytes ⇄ values: the one place that defines how things are encoded.
//!
//! Server and client communicate only through this module, so that a change of the format is a change here. It knows no
//! sockets and no HTTP library; header names are text.

pub mod answer;
pub mod control;
pub mod json;
mod object;
pub mod past;
mod route;
pub mod sse;
mod surrogates;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

pub use route::{API, Route};

/// Header of requests and answers: the client ID.
pub const CLIENT_ID_HEADER: &str = "sse-client-id";
/// Header of a stream: the [`crate::event::Format`] in which it is written.
pub const FORMAT_HEADER: &str = "sse-format";
/// Header of answers: `watch` if the server runs inside a watch, and ends with it.
pub const SERVER_OWNER_HEADER: &str = "sse-server-owner";
/// The value of [`SERVER_OWNER_HEADER`] for a server inside a watch.
pub const OWNED_BY_WATCHER: &str = "watch";
/// Header of requests: the cursor from which a stream resumes (WHATWG HTML 9.2.4).
pub const LAST_EVENT_ID_HEADER: &str = "last-event-id";
/// Header of publish requests: a repeated request with the same key adds nothing.
pub const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";
/// Upper bound of an idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_MAX: usize = 128;
/// Time that an interrupted request with a key has to come back, before its publisher is reported as lost.
pub const RECONNECT_GRACE: Duration = Duration::from_secs(2);

/// Default port of a server: CHAT on a phone's keys.
pub const DEFAULT_PORT: u16 = 2428;
/// Default address of a server.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT);

/// Beginning of the tag in a server's web page that identifies it, within the first 200 characters.
pub const PAGE_MARK: &str = "<meta name=\"generator\" content=\"codechat ";

/// The media type of a stream (WHATWG HTML 9.2.5).
pub const EVENT_STREAM: &str = "text/event-stream";
/// The media type of one message per line.
pub const NDJSON: &str = "application/x-ndjson";
/// Other names for it, none of them registered.
pub const NDJSON_ALIASES: [&str; 4] = [
    "application/ndjson",
    "application/jsonl",
    "application/json-lines",
    "application/x-jsonlines",
];
/// The media type of a JSON value.
pub const JSON: &str = "application/json";
/// The media type of an error answer (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";
