//! What is watched, and the settings of the pane.

use crate::event::{ClientId, UnixMillis};
use crate::terminal::safe_text::Colour;
use crate::watch::replay::Recording;

/// What is watched. A recording has neither server nor publishers.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// The server's address.
    pub server: Option<String>,
    /// The client ID.
    pub id: Option<ClientId>,
    /// A shell command that sends the ID along with a request to some server.
    pub request: String,
    /// A shell command that does so within a watch.
    pub job: String,
    /// A shell command that publishes with curl.
    pub curl: String,
    /// A shell command that publishes with codechat.
    pub send: String,
    /// The address of the web page with the client's messages.
    pub page: Option<String>,
    /// The stream, if a URL names it rather than a client ID.
    pub stream: Option<WatchedStream>,
}

/// A stream that a URL names.
#[derive(Clone, Debug)]
pub struct WatchedStream {
    /// The HTTP method.
    pub method: String,
    /// The URL, without its secrets.
    pub url: String,
    /// Whether the request may be repeated.
    pub may_repeat: bool,
    /// Whether TLS certificates are not verified.
    pub is_unverified: bool,
}

/// Settings that do not change while the pane is open.
#[derive(Clone, Debug)]
pub struct PaneOptions {
    /// What is watched.
    pub target: Watched,
    /// Which colours of messages are kept.
    pub colour: Colour,
    /// The recording, if it is not a stream.
    pub recording: Option<Recording>,
    /// The wall clock when the watch began; for a recording, once one of its messages has a time.
    pub began: UnixMillis,
    /// Offset of local time from UTC, in seconds.
    pub utc_offset: i32,
}
