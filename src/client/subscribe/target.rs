//! What a feed reads: a client's stream on a server, or any stream by its URL; how each is requested, and what follows
//! the end of a connection.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ACCEPT, CACHE_CONTROL, HeaderValue};

use super::ended::Ended;
use super::{FeedError, Item, Reconnect, StreamOptions, SubscribeOptions, Update};
use crate::client::lost::{Cause, Lost};
use crate::client::request::ClientRequest;
use crate::client::response::Expected;
use crate::client::sse_repair::bypass::Runs;
use crate::client::stream_url::shown;
use crate::client::transport::Transport;
use crate::client::{Client, ClientError, UrlStream};
use crate::event::{ClientId, Format};
use crate::wire::{self, Route};

/// The source of a feed.
pub(super) enum Target {
    Channel {
        client: Client,
        id: ClientId,
        options: SubscribeOptions,
        /// Whether it is an error if nothing answers.
        is_first: bool,
    },
    Url {
        stream: Box<UrlStream>,
        options: StreamOptions,
        is_first: bool,
    },
}

/// What follows the end of a connection.
pub(super) enum Next {
    /// Another try.
    Again {
        reason: String,
        retry_after: Option<Duration>,
    },
    /// This, and nothing more.
    Last(Item),
    Nothing,
}

impl Target {
    pub(super) fn channel(client: Client, id: ClientId, options: SubscribeOptions) -> Self {
        let is_first = !options.wait;
        Self::Channel {
            client,
            id,
            options,
            is_first,
        }
    }

    pub(super) fn url(stream: UrlStream, options: StreamOptions) -> Self {
        let is_first = !options.wait;
        Self::Url {
            stream: Box::new(stream),
            options,
            is_first,
        }
    }

    /// Returns the last event ID of an earlier reading, or an empty text.
    pub(super) fn cursor(&self) -> &str {
        let cursor = match self {
            Self::Channel { options, .. } => &options.last_event_id,
            Self::Url { options, .. } => &options.last_event_id,
        };
        cursor.as_deref().unwrap_or_default()
    }

    pub(super) fn reconnect(&self) -> &Reconnect {
        match self {
            Self::Channel { options, .. } => &options.reconnect,
            Self::Url { options, .. } => &options.reconnect,
        }
    }

    /// Returns whether the request may be repeated.
    pub(super) fn may_repeat(&self) -> bool {
        match self {
            Self::Channel { .. } => true,
            Self::Url { stream, .. } => stream.request.method == Method::GET,
        }
    }

    /// Returns whether it is read by its URL.
    pub(super) fn is_url(&self) -> bool {
        matches!(self, Self::Url { .. })
    }

    /// Returns its address without secrets.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Channel { client, id, .. } => {
                shown(&client.server().join(&Route::Client.path_for(*id)))
            }
            Self::Url { stream, .. } => stream.url.to_string(),
        }
    }

    /// Returns whether it is requested again when it ends.
    pub(super) fn is_repeated(&self) -> bool {
        match self {
            Self::Channel { .. } => true,
            Self::Url { options, .. } => self.may_repeat() && !options.once,
        }
    }

    /// Returns the transport for its requests. Plain events are left out of the stream and wait in `runs`.
    pub(super) fn transport(&self, runs: Runs) -> Transport {
        let (request, cursor) = (self.request(self.cursor()), self.cursor().into());
        let transport = match self {
            Self::Channel { client, .. } => {
                let (http, heartbeat) = (client.http.clone(), client.heartbeat);
                Transport::new(http, request, Expected::Server, cursor, heartbeat)
            }
            Self::Url { stream, .. } => {
                let (http, heartbeat) = (stream.http.clone(), stream.heartbeat);
                Transport::new(http, request, Expected::Stream, cursor, heartbeat)
            }
        };
        transport.with_runs(runs)
    }

    /// Returns the next request, after the event with the ID `cursor`.
    pub(super) fn request(&self, cursor: &str) -> ClientRequest {
        match self {
            Self::Channel {
                client,
                id,
                options,
                ..
            } => {
                let mut query = Vec::new();
                if options.format == Format::Json {
                    query.push(format!("format={}", options.format.as_str()));
                }
                if let Some(tail) = options.tail.filter(|_| cursor.is_empty()) {
                    query.push(format!("tail={tail}"));
                }
                let mut path = Route::Client.path_for(*id);
                if !query.is_empty() {
                    path.push('?');
                    path.push_str(&query.join("&"));
                }
                stream_request(client, *id, &path)
            }
            Self::Url { stream, .. } => stream.request.clone(),
        }
    }

    /// Notes that there was an answer. From then on the stream's own ID is the cursor, rather than the user's header.
    pub(super) fn note_answer(&mut self) {
        if let Self::Url { stream, .. } = self {
            stream.request.headers.remove(wire::LAST_EVENT_ID_HEADER);
        }
    }

    /// Returns what follows the end of a connection.
    pub(super) fn after(&mut self, ended: Ended) -> Next {
        let is_repeated = self.is_repeated();
        match self {
            Self::Channel {
                client, is_first, ..
            } => {
                let is_first = std::mem::take(is_first);
                after(ended, is_first, |lost| lost.at(client.server()))
            }
            Self::Url {
                stream, is_first, ..
            } => {
                let is_first = std::mem::take(is_first);
                let error = |lost: Lost| lost.at_stream(&stream.url);
                if is_repeated {
                    return after(ended, is_first, error);
                }
                match ended {
                    // Nothing was sent, except to a server that redirects.
                    Ended::NoAnswer(lost)
                        if matches!(lost.cause, Cause::NotConnected(_))
                            && lost.redirect.is_none() =>
                    {
                        after(Ended::NoAnswer(lost), is_first, error)
                    }
                    ended => after_only(ended, &stream.request.method, error),
                }
            }
        }
    }
}

/// Returns what follows if the request may be repeated.
fn after(ended: Ended, is_first: bool, error: impl Fn(Lost) -> ClientError) -> Next {
    let (reason, retry_after) = match ended {
        Ended::Over => return Next::Nothing,
        Ended::Failed(error) => return Next::Last(Err(error)),
        Ended::NoAnswer(lost) if !is_first => (lost.to_string(), None),
        Ended::NoAnswer(lost) | Ended::Lasting(lost) => {
            return Next::Last(Err(error(lost).into()));
        }
        Ended::Refused(refusal) => (refusal.to_string(), refusal.retry_after),
        Ended::Unanswered(lost) => (lost.to_string(), None),
        Ended::Closed { reason } | Ended::Cut { reason, .. } => (reason, None),
    };
    Next::Again {
        reason,
        retry_after,
    }
}

/// Returns what follows a request that is not repeated.
fn after_only(ended: Ended, method: &Method, error: impl Fn(Lost) -> ClientError) -> Next {
    let advice = if method == Method::GET {
        String::new()
    } else {
        format!("; a {method} is not sent again, since it may do its work twice")
    };
    let cut = |what: String| Next::Last(Err(FeedError::Cut(what + &advice)));
    match ended {
        Ended::Over => Next::Nothing,
        Ended::Closed { .. } => Next::Last(Ok(Update::Gone)),
        Ended::Failed(error) => Next::Last(Err(error)),
        Ended::Refused(refusal) => Next::Last(Err(ClientError::from(refusal).into())),
        Ended::Lasting(lost) => Next::Last(Err(error(lost).into())),
        Ended::NoAnswer(lost) | Ended::Unanswered(lost) => cut(error(lost).to_string()),
        Ended::Cut { events: 1, reason } => {
            cut(format!("the stream was cut after 1 event ({reason})"))
        }
        Ended::Cut { events, reason } => cut(format!(
            "the stream was cut after {events} events ({reason})"
        )),
    }
}

/// Returns a request for a stream on a codechat server, or one with the original protocol.
pub(in crate::client) fn stream_request(
    client: &Client,
    id: ClientId,
    path: &str,
) -> ClientRequest {
    let mut request = client.request(Method::GET, path, Some(id));
    for (name, value) in [(ACCEPT, wire::EVENT_STREAM), (CACHE_CONTROL, "no-cache")] {
        request
            .headers
            .insert(name, HeaderValue::from_static(value));
    }
    request.may_be_local = client.server.is_loopback();
    request
}
