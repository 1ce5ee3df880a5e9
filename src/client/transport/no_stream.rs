//! Why there is no event stream, or no more of it.

use std::time::Duration;

use thiserror::Error;

use crate::client::coding::Coding;
use crate::client::error::Redirect;
use crate::client::lost::Lost;
use crate::client::response::Refusal;
use crate::client::sse_repair::LONGEST;

/// Why a request was not answered with an event stream, or why the stream broke.
#[derive(Clone, Debug, Error)]
pub(crate) enum NoStream {
    /// No answer.
    #[error("{0}")]
    Lost(Lost),
    /// An error for an answer.
    #[error("{0}")]
    Refused(Refusal),
    /// 204: the stream is over, and the client shall not ask again.
    #[error("over")]
    Over,
    /// An answer, but of another kind.
    #[error("{kind} instead of an event stream")]
    Other {
        kind: String,
        start: String,
        redirect: Option<Box<Redirect>>,
    },
    /// Not a byte for so long.
    #[error("nothing came for {:.1} s", .0.as_secs_f64())]
    Silent(Duration),
    /// A coding that cannot be decoded.
    #[error("the stream is coded as {0}, which is not known; identity, gzip and deflate are")]
    UnknownCoding(String),
    /// Bytes that are not of the coding that was named.
    #[error("the stream's {coding} coding is broken after {after} bytes")]
    BrokenCoding { coding: Coding, after: u64 },
    /// A line or an event beyond what can be held.
    #[error("a line or an event is longer than {} MiB", LONGEST >> 20)]
    TooLong,
}
