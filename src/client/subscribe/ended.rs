//! How a connection ended, and what an error means for it.

use eventsource_client::Error;

use super::{FeedError, NotAStream};
use crate::client::ClientError;
use crate::client::lost::{Cause, Lost};
use crate::client::response::Refusal;
use crate::client::transport::NoStream;
use crate::wire;

/// How a connection ended.
pub(in crate::client) enum Ended {
    /// For good, or the feed was dropped.
    Over,
    /// For good, with an error.
    Failed(FeedError),
    /// There was no connection or no answer, which is an error at the first try.
    NoAnswer(Lost),
    /// For good: the next try would fail in the same way.
    Lasting(Lost),
    /// The connection was lost before the answer began.
    Unanswered(Lost),
    /// The server cannot answer now.
    Refused(Refusal),
    /// The stream ended properly.
    Closed { reason: String },
    /// The stream broke off after this number of events.
    Cut { reason: String, events: u64 },
}

/// Returns what an error means for the feed of a stream at `place`.
pub(in crate::client) fn ended_by(error: &Error, place: &str) -> Ended {
    if matches!(error, Error::Eof | Error::UnexpectedEof) {
        let reason = "the server closed the stream".into();
        return Ended::Closed { reason };
    }
    let cut = |reason| Ended::Cut { reason, events: 0 };
    let Some(no_stream) = no_stream(error) else {
        return cut(error.to_string());
    };
    match no_stream.clone() {
        NoStream::Over => Ended::Over,
        NoStream::Lost(why) if why.is_lasting() => Ended::Lasting(why),
        NoStream::Lost(why) => match why.cause {
            Cause::NotConnected(_) | Cause::Silent(_) => Ended::NoAnswer(why),
            _ => Ended::Unanswered(why),
        },
        NoStream::Refused(refusal) if refusal.is_passing() => Ended::Refused(refusal),
        NoStream::Refused(refusal) => Ended::Failed(ClientError::from(refusal).into()),
        NoStream::Other {
            kind,
            start,
            redirect,
        } => {
            let url = redirect.map_or_else(|| place.into(), |it| it.to_string());
            Ended::Failed(FeedError::NotAStream(Box::new(NotAStream {
                advice: advice(&start, &url),
                url,
                kind,
                start,
            })))
        }
        NoStream::Silent(_) => cut(no_stream.to_string()),
        NoStream::TooLong | NoStream::UnknownCoding(_) | NoStream::BrokenCoding { .. } => {
            Ended::Failed(FeedError::Unreadable(no_stream.to_string()))
        }
    }
}

/// Returns what to do about an answer that is not a stream, judged by its start.
fn advice(start: &str, url: &str) -> String {
    if start.contains("\"clientId\"") {
        "; this server issues client IDs: name it with --server, and codechat watch asks for one"
            .into()
    } else if start.contains(wire::PAGE_MARK) {
        let server = url.trim_end_matches('/');
        format!(
            "; this is the web page of a codechat server: use --server {server}, and --id with the ID behind # in its address"
        )
    } else {
        String::new()
    }
}

/// Returns why there is no stream, if our transport reported it.
pub(in crate::client) fn no_stream(error: &Error) -> Option<&NoStream> {
    match error {
        Error::Transport(transport) => transport.inner().downcast_ref(),
        _ => None,
    }
}
