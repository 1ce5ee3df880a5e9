//! Bytes ⇄ values: the one place that knows how things are written down.
//!
//! Server and client both speak through this module and through nothing else, so that a change of
//! the format is a change here. It knows no sockets and no HTTP library; header names are text.

pub mod answer;
pub mod control;
pub mod json;
mod object;
pub mod sse;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::event::ClientId;

/// Carries the client ID, on requests and on answers.
pub const CLIENT_ID_HEADER: &str = "sse-client-id";
/// Tells on a stream's answer which [`crate::event::Format`] it is written in.
pub const FORMAT_HEADER: &str = "sse-format";
/// A resuming reader's cursor (WHATWG HTML 9.2.4).
pub const LAST_EVENT_ID_HEADER: &str = "last-event-id";
/// Makes a repeated publish request add nothing.
pub const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";
/// The longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_MAX: usize = 128;
/// So long a request that broke off and has a key may take to come back before the channel is told that its
/// publisher is gone.
pub const COMEBACK: Duration = Duration::from_secs(2);

/// The port that a server listens on if none is given: CHAT on a phone's keys.
pub const DEFAULT_PORT: u16 = 2428;
/// Where a server listens if it is not told.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT);

/// The media type of a stream (WHATWG HTML 9.2.5).
pub const EVENT_STREAM: &str = "text/event-stream";
/// The media type of a message per line.
pub const NDJSON: &str = "application/x-ndjson";
/// The media type of a JSON value.
pub const JSON: &str = "application/json";
/// The media type of an error answer (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Issues a client ID.
pub const CONNECT_PATH: &str = "/api/v1/sse/connect";
/// Publishes to the client that the header names; the streams lie below it.
pub const DEBUG_PATH: &str = "/api/v1/sse/debug";
/// Publishes to every client.
pub const BROADCAST_PATH: &str = "/api/v1/sse/broadcast";
/// Lists every client.
pub const CLIENTS_PATH: &str = "/api/v1/sse/clients";
/// What has happened, in numbers.
pub const METRICS_PATH: &str = "/metrics";
/// Says whether the server is up.
pub const HEALTH_PATH: &str = "/healthz";

/// Where one client's stream is read and published to.
#[must_use]
pub fn stream_path(id: ClientId) -> String {
    format!("{DEBUG_PATH}/{id}")
}

/// Where control requests to one client's publishers are made and received.
#[must_use]
pub fn control_path(id: ClientId) -> String {
    format!("{DEBUG_PATH}/control/{id}")
}

/// Where one client's stream is stopped.
#[must_use]
pub fn stop_path(id: ClientId) -> String {
    format!("{DEBUG_PATH}/stop/{id}")
}
