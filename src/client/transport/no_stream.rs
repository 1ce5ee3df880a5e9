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
    /// An answer with an error status.
    #[error("{0}")]
    Refused(Refusal),
    /// 204: the stream has ended, and must not be requested again.
    #[error("over")]
    Over,
    /// An answer of another kind.
    #[error("{kind} instead of an event stream")]
    Other {
        kind: String,
        start: String,
        redirect: Option<Box<Redirect>>,
    },
    /// Not a byte for this time.
    #[error("nothing came for {:.1} s", .0.as_secs_f64())]
    Silent(Duration),
    /// A content coding that is not supported.
    #[error(
        "the stream has the content coding {0}, which is not supported; identity, gzip and deflate are"
    )]
    UnknownCoding(String),
    /// Bytes that are invalid in the content coding.
    #[error("the stream's {coding} data is invalid after {after} bytes")]
    BrokenCoding { coding: Coding, after: u64 },
    /// A line or an event above the limit.
    #[error("a line or an event is longer than {} MiB", LONGEST >> 20)]
    TooLong,
}
