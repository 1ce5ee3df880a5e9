//! Bytes ⇄ values: the one place that knows how things are written down.
//!
//! Server and client both speak through this module and through nothing else, so that a change of
//! the format is a change here. It knows no sockets and no HTTP library; header names are text.

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

/// Carries the client ID, on requests and on answers.
pub const CLIENT_ID_HEADER: &str = "sse-client-id";
/// Tells on a stream's answer which [`crate::event::Format`] it is written in.
pub const FORMAT_HEADER: &str = "sse-format";
/// Says `watch` on the answers of a server inside a watcher, with which it ends.
pub const SERVER_OWNER_HEADER: &str = "sse-server-owner";
/// The owner that [`SERVER_OWNER_HEADER`] names.
pub const OWNED_BY_WATCHER: &str = "watch";
/// A resuming reader's cursor (WHATWG HTML 9.2.4).
pub const LAST_EVENT_ID_HEADER: &str = "last-event-id";
/// Makes a repeated publish request add nothing.
pub const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";
/// The longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_MAX: usize = 128;
/// So long a request that broke off and has a key may take to come back before the channel is told that its
/// publisher is gone.
pub const RECONNECT_GRACE: Duration = Duration::from_secs(2);

/// The port that a server listens on if none is given: CHAT on a phone's keys.
pub const DEFAULT_PORT: u16 = 2428;
/// Where a server listens if it is not told.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT);

/// Begins the tag by which a server's web page is known, in the first 200 characters of it.
pub const PAGE_MARK: &str = "<meta name=\"generator\" content=\"codechat ";

/// The media type of a stream (WHATWG HTML 9.2.5).
pub const EVENT_STREAM: &str = "text/event-stream";
/// The media type of a message per line.
pub const NDJSON: &str = "application/x-ndjson";
/// Other names for it, none of which is registered.
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
