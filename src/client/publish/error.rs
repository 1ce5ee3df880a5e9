//! Why messages were not accepted.

use std::time::Duration;

use thiserror::Error;

use crate::client::ClientError;

/// Why a body was not accepted.
#[derive(Clone, Debug, Error)]
pub enum PublishError {
    /// Nothing answers at the first try, or the answer is invalid.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server refused for good.
    #[error("the server {} ({status}): {detail}", refused(accepted.unwrap_or(0), *lines))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's reason.
        detail: String,
        /// How many lines of the body were accepted; `None` if the answer does not say, for example one from a proxy.
        accepted: Option<u64>,
        /// How many lines the body has.
        lines: u64,
        /// Whether the client's stream has ended for good.
        is_over: bool,
    },
    /// The publisher gave up.
    #[error(
        "the server accepted nothing for {}: {why}; try again when it is back, or wait longer with --give-up-after",
        humantime::format_duration(*after)
    )]
    GivenUp {
        /// How long it tried after the end of the input.
        after: Duration,
        /// The outcome of the last try.
        why: String,
    },
}

/// Returns what the server did with the body.
fn refused(accepted: u64, lines: u64) -> String {
    match (accepted, lines) {
        (0, 1) => "refused".into(),
        _ => format!("accepted {accepted} of {lines} lines and refused the rest"),
    }
}

impl PublishError {
    /// Returns whether nobody can read the messages: there is no server, or no such client.
    #[must_use]
    pub fn is_nobody_there(&self) -> bool {
        match self {
            Self::Client(error) => error.is_not_there(),
            Self::Refused { status, .. } => matches!(status, 404 | 410),
            Self::GivenUp { .. } => true,
        }
    }

    /// Returns how many lines of the body were accepted nevertheless.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        match self {
            Self::Client(_) | Self::GivenUp { .. } => 0,
            Self::Refused { accepted, .. } => accepted.unwrap_or(0),
        }
    }
}
