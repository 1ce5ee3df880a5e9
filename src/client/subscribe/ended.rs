//! How a connection ended, and what an error means for it.

use std::time::Duration;

use eventsource_client::Error;

use super::FeedError;
use crate::client::ClientError;
use crate::client::error::{Cause, Lost};
use crate::client::transport::NoStream;

/// How a connection ended.
pub(in crate::client) enum Ended {
    /// For good, or nobody listens any more.
    Over,
    /// For good, with an error.
    Failed(FeedError),
    /// There was no answer, which is an error at the first try.
    NoAnswer(Lost),
    /// For good: the server does not speak what it was asked in.
    WrongScheme(Lost),
    /// A next one may do better.
    Lost {
        reason: String,
        retry_after: Option<Duration>,
    },
}

impl Ended {
    pub(super) fn lost(reason: String) -> Self {
        Self::Lost {
            reason,
            retry_after: None,
        }
    }
}

/// What an error means for the feed.
pub(in crate::client) fn ended_by(error: &Error, url: &str) -> Ended {
    if matches!(error, Error::Eof | Error::UnexpectedEof) {
        return Ended::lost("the server closed the stream".into());
    }
    let Some(no_stream) = no_stream(error) else {
        return Ended::lost(error.to_string());
    };
    match no_stream.clone() {
        NoStream::Over => Ended::Over,
        NoStream::Lost(why) if why.is_lasting() => Ended::WrongScheme(why),
        NoStream::Lost(why) => match why.cause {
            Cause::NotConnected(_) | Cause::Silent(_) => Ended::NoAnswer(why),
            _ => Ended::lost(why.to_string()),
        },
        NoStream::Refused(refusal) if refusal.is_passing() => Ended::Lost {
            reason: no_stream.to_string(),
            retry_after: refusal.retry_after,
        },
        NoStream::Refused(refusal) => Ended::Failed(ClientError::from(refusal).into()),
        NoStream::Other {
            kind,
            start,
            redirect,
        } => Ended::Failed(FeedError::NotAStream {
            url: redirect.map_or_else(|| url.into(), |it| it.to_string()),
            kind,
            start,
        }),
        NoStream::Silent(_) => Ended::lost(no_stream.to_string()),
        NoStream::TooLong | NoStream::UnknownCoding(_) | NoStream::BrokenCoding { .. } => {
            Ended::Failed(FeedError::Unreadable(no_stream.to_string()))
        }
    }
}

/// Why there is no stream, where our transport says so.
pub(in crate::client) fn no_stream(error: &Error) -> Option<&NoStream> {
    match error {
        Error::Transport(transport) => transport.inner().downcast_ref(),
        _ => None,
    }
}
