//! Errors between this program and a server. Each text names the cause, and only once.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::{Response, Url};
use thiserror::Error;

use super::ServerUrl;
use super::stream_url::{StreamUrl, shown};

/// Upper bound of the quoted part of a body, in characters.
const QUOTED: usize = 200;

/// The address of a request: the server's, or the one to which redirects led.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    address: Box<str>,
    /// Whether it is the server's own address, rather than a redirect's target or a stream's URL.
    is_server: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// The address that was requested, and the one that its redirects led to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Redirect {
    pub(crate) from: Url,
    pub(crate) to: Url,
    /// Whether one of them led to another origin.
    pub(crate) leaves_origin: bool,
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (to, from) = (shown(&self.to), shown(&self.from));
        write!(f, "{to}, to which {from} redirects")
    }
}

/// Why a request failed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nothing accepts connections there.
    #[error("nothing answers at {place}: {why}{}", advice(.place))]
    NotThere {
        /// The address.
        place: Place,
        /// The error text of the operating system or the TLS library.
        why: String,
    },
    /// The server speaks plain HTTP, but the request used TLS.
    #[error("{place} speaks plain HTTP, not TLS; write {instead}")]
    NotTls {
        /// The address.
        place: Place,
        /// The address for plain HTTP.
        instead: Box<str>,
    },
    /// The server speaks TLS, or something else, but the request used plain HTTP.
    #[error("{place} does not answer in plain HTTP; if it speaks TLS, write {instead}")]
    NotPlain {
        /// The address.
        place: Place,
        /// The address for TLS.
        instead: Box<str>,
    },
    /// Too many redirects.
    #[error("{place} redirects more than {most} times")]
    Redirects {
        /// The address.
        place: Place,
        /// The limit of redirects.
        most: usize,
    },
    /// The connection was made and then failed.
    #[error("lost the connection to {place}: {why}")]
    Lost {
        /// The address.
        place: Place,
        /// The cause.
        why: String,
    },
    /// The server accepts the connection, but does not answer.
    #[error("{place} accepts the connection, but does not answer within {} s", .after.as_secs())]
    NoAnswer {
        /// The address.
        place: Place,
        /// The duration of the wait.
        after: Duration,
    },
    /// The server answers with an error; `detail` is its own text.
    #[error("the server refused ({status}): {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's detail, or the start of the body if it is not a problem object.
        detail: String,
        /// Whether it was a problem object, as codechat's refusals are.
        is_problem: bool,
    },
    /// The server does not support requests to publishers.
    #[error("this server takes no control requests; codechat serve does")]
    NoControl,
    /// The server does not support publishing.
    #[error(
        "{place} takes no messages: in the original protocol only the server's own code publishes. Use a codechat server \
         (codechat serve), or publish in that server's code"
    )]
    NoPublishing {
        /// The address.
        place: Place,
    },
    /// A message was answered with a success, but not as codechat acknowledges one.
    #[error(
        "{place} answered {status} without an acknowledgement, so it is not a codechat server; whether the \
         message was published is unknown"
    )]
    Unacknowledged {
        /// The address.
        place: Place,
        /// The HTTP status.
        status: u16,
    },
    /// The answer does not follow this protocol.
    #[error("{place} answers, but not as a codechat server does: {why}")]
    NotCodechat {
        /// The address.
        place: Place,
        /// What is wrong with it.
        why: String,
    },
    /// The token cannot be sent in an HTTP header.
    #[error("the token has characters that no HTTP header can carry")]
    BadToken,
    /// The HTTP library does not start, for example without root certificates.
    #[error("cannot set up HTTP: {0}")]
    Setup(String),
}

/// Returns what to do if nothing accepts connections.
fn advice(place: &Place) -> &'static str {
    if place.is_server {
        "; start a server with `codechat serve`, or name another with --server"
    } else {
        ""
    }
}

impl ClientError {
    /// Returns whether nothing accepts connections there, so that starting a server would help.
    #[must_use]
    pub fn is_not_there(&self) -> bool {
        matches!(self, Self::NotThere { .. })
    }

    /// Returns the HTTP status of the refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl Place {
    /// Returns the address that answered a request to `server`.
    pub(crate) fn of(response: &Response, server: &ServerUrl) -> Self {
        Self::new(server, response.extensions().get())
    }

    /// Returns the server's address, or the one that a redirect led to.
    pub(super) fn new(server: &ServerUrl, redirect: Option<&Redirect>) -> Self {
        let address = redirect.map_or_else(|| server.to_string(), Redirect::to_string);
        Self {
            address: address.into(),
            is_server: redirect.is_none(),
        }
    }

    /// Returns a stream's address, or the one that a redirect led to.
    pub(super) fn of_stream(url: &StreamUrl, redirect: Option<&Redirect>) -> Self {
        let address = redirect.map_or_else(|| url.to_string(), Redirect::to_string);
        Self {
            address: address.into(),
            is_server: false,
        }
    }
}

/// Returns a foreign text as one short line without control characters.
pub(crate) fn short(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .take(8 * QUOTED)
        .collect();
    let words: Vec<_> = clean.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Returns the text of the last error in a chain, which is the cause.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if let Some(io) = cause.downcast_ref::<io::Error>()
        && io.raw_os_error().is_some()
    {
        return io.kind().to_string();
    }
    let text = cause.to_string();
    match text.as_str() {
        "deadline has elapsed" | "operation timed out" => "timed out".into(),
        _ => short(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_is_quoted_short_and_without_control_characters() {
        assert_eq!(short("<html>\r\n\t\x1b[31m hi "), "<html> [31m hi");
        assert_eq!(short(&"é".repeat(500)).chars().count(), QUOTED + 1);
    }
}
