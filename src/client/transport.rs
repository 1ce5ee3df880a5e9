//! The HTTP transport of `eventsource-client`: sends our own [`ClientRequest`], returns a [`NoStream`] for an answer that
//! is not an event stream, and passes the bytes of a stream through a [`SseRepair`].

mod memory;
mod no_stream;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt};
use launchdarkly_sdk_transport::{
    ByteStream, HttpTransport, Request, Response, ResponseFuture, TransportError,
};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, HeaderName, HeaderValue};
use tokio::time::{Instant, Sleep};

use super::HEARTBEAT;
use super::coding::{Coding, DecodeError, Decoded};
use super::error::{Redirect, root_cause, short};
use super::lost::{Cause, Lost};
use super::request::ClientRequest;
use super::response::{Expected, Refusal, content_type, has_type, start_of_body};
use super::sniff::{Sniffed, sniffed};
use super::sse_repair::SseRepair;
use super::sse_repair::bypass::Runs;
use crate::wire;

pub(crate) use memory::Memory;
pub(crate) use no_stream::NoStream;

/// Upper bound of what is read of an answer that is not an event stream, in bytes.
const START: usize = 512;

/// Sends one stream's requests, each of which resumes where the one before it ended.
#[derive(Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    /// The next request, without the last event ID.
    pub(crate) request: ClientRequest,
    expected: Expected,
    pub(crate) memory: Memory,
    /// The queue for a codechat server's plain events; without it, the parser gets them as well.
    runs: Option<Runs>,
    /// How long a connection may be silent.
    silence_max: Duration,
    /// Whether this also applies to servers other than codechat's, which need not send heartbeats.
    limits_foreign: bool,
}

/// Time without a byte after which a connection counts as dead, in halves of the heartbeat's interval.
const HALF_HEARTBEATS: u32 = 5;
/// Lower bound of how long to wait for the head of an answer, because a slow server is not a dead one.
const HEAD_TIMEOUT_MIN: Duration = Duration::from_secs(10);

impl HttpTransport for Transport {
    /// Sends our own request in place of the parser's.
    fn request(&self, _: Request<Option<Bytes>>) -> ResponseFuture {
        let this = self.clone();
        let answer = async move { this.open().await.map_err(TransportError::new) };
        Box::pin(Exclusive(Mutex::new(answer.boxed())))
    }
}

impl Transport {
    /// Returns the transport of one stream, whose first request asks for what follows the event `last_event_id`.
    pub(crate) fn new(
        http: reqwest::Client,
        request: ClientRequest,
        expected: Expected,
        last_event_id: String,
        heartbeat: Option<Duration>,
    ) -> Self {
        Self {
            http,
            request,
            expected,
            memory: Memory::new(last_event_id),
            runs: None,
            silence_max: heartbeat.unwrap_or(HEARTBEAT) * HALF_HEARTBEATS / 2,
            limits_foreign: heartbeat.is_some(),
        }
    }

    /// Takes a codechat server's plain events out of the stream and queues them in `runs`.
    pub(crate) fn with_runs(self, runs: Runs) -> Self {
        Self {
            runs: Some(runs),
            ..self
        }
    }

    async fn open(self) -> Result<Response<ByteStream>, NoStream> {
        let response = self.answer().await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Err(NoStream::Over);
        }
        let left_out = self.headers_left_out(&response);
        if !response.status().is_success() {
            let mut refusal = Refusal::of(response, self.expected).await;
            if let Some(note) = left_out {
                refusal.detail = format!("{}; {note}", refusal.detail);
            }
            return Err(NoStream::Refused(refusal));
        }
        if let Some(note) = left_out {
            self.memory.add_note(note);
        }
        let mut head = Response::builder().status(response.status());
        if let Some(headers) = head.headers_mut() {
            headers.clone_from(response.headers());
            if matches!(Coding::of(headers), Ok(None)) {
                headers.remove(CONTENT_ENCODING);
            }
        }
        let has_format = response.headers().contains_key(wire::FORMAT_HEADER);
        let is_codechat = has_format || response.headers().contains_key(wire::CLIENT_ID_HEADER);
        let body = self.event_stream(response).await?;
        let runs = self.runs.filter(|_| has_format);
        if let Some(runs) = &runs {
            runs.clear();
        }
        let body: ByteStream = Box::pin(RepairedBody {
            repair: SseRepair::new(self.memory.recall().last_id, runs),
            memory: self.memory,
            body: Mutex::new(body),
            ready: VecDeque::new(),
            failed: None,
            silence: Box::pin(tokio::time::sleep(self.silence_max)),
            is_waiting: false,
            silence_max: (is_codechat || self.limits_foreign).then_some(self.silence_max),
        });
        Ok(head
            .body(body)
            .expect("status and headers are an answer's own"))
    }

    /// Sends the request, and waits for the head of the answer.
    async fn answer(&self) -> Result<reqwest::Response, NoStream> {
        let sent = self.request_with_cursor().send(&self.http);
        let sent = match self.expected {
            Expected::Server => {
                let limit = self.silence_max.max(HEAD_TIMEOUT_MIN);
                let silent = |_| Err(Lost::new(Cause::Silent(limit)));
                tokio::time::timeout(limit, sent)
                    .await
                    .unwrap_or_else(silent)
            }
            // Some servers send no head before the first event.
            Expected::Stream => sent.await,
        };
        sent.map_err(NoStream::Lost)
    }

    /// Returns the body of an event stream, which is recognized by its content type or else by its start.
    async fn event_stream(&self, response: reqwest::Response) -> Result<Body, NoStream> {
        if has_type(&response, wire::EVENT_STREAM) {
            return body(response);
        }
        let redirect = response.extensions().get().cloned().map(Box::new);
        let kind = content_type(&response).map(short);
        let is_untyped = || {
            let kinds = ["text/plain", "application/octet-stream"];
            kind.is_none() || kinds.iter().any(|it| has_type(&response, it))
        };
        let start = if self.expected == Expected::Stream && is_untyped() {
            match sniffed(body(response)?).await? {
                Sniffed::Stream(body) => {
                    let kind = kind.map_or("missing".into(), |it| format!("{it:?}"));
                    self.memory.add_note(format!(
                        "browsers refuse this stream: its Content-Type is {kind}"
                    ));
                    return Ok(body);
                }
                Sniffed::Other(start) => start,
            }
        } else {
            start_of_body(response, START).await.into()
        };
        Err(NoStream::Other {
            kind: kind.unwrap_or_else(|| "no content type".into()),
            start: short(&String::from_utf8_lossy(&start[..start.len().min(START)])),
            redirect,
        })
    }

    fn request_with_cursor(&self) -> ClientRequest {
        let mut request = self.request.clone();
        let name = HeaderName::from_static(wire::LAST_EVENT_ID_HEADER);
        if request.headers.contains_key(&name) {
            return request;
        }
        if let Some(cursor) = cursor(&self.memory.recall().last_id) {
            for headers in std::iter::once(&mut request.headers).chain(&mut request.elsewhere) {
                headers.insert(&name, cursor.clone());
            }
        }
        request
    }

    /// Returns a note if a redirect led to another origin, which does not get the user's headers.
    fn headers_left_out(&self, response: &reqwest::Response) -> Option<String> {
        let redirect = response.extensions().get::<Redirect>()?;
        let has_left_out = redirect.leaves_origin && self.request.has_own_headers();
        let origin = redirect.to.origin().ascii_serialization();
        has_left_out.then(|| {
            format!("redirected to {origin}, which gets neither your headers (-H, -u) nor a body")
        })
    }
}

/// Returns the value of `Last-Event-ID`, which may have characters beyond ASCII. `None` if the ID is empty, or has control
/// characters, which no header can carry.
pub(crate) fn cursor(last_id: &str) -> Option<HeaderValue> {
    let cursor = HeaderValue::from_bytes(last_id.as_bytes()).ok();
    cursor.filter(|it| !it.is_empty())
}

type Body = BoxStream<'static, Result<Bytes, NoStream>>;

/// Decodes the body of a response.
///
/// # Errors
/// [`NoStream::UnknownCoding`].
fn body(response: reqwest::Response) -> Result<Body, NoStream> {
    let coding = Coding::of(response.headers()).map_err(NoStream::UnknownCoding)?;
    let broken =
        |error: reqwest::Error| NoStream::Lost(Lost::new(Cause::Broken(root_cause(&error))));
    let body = response.bytes_stream();
    Ok(match coding {
        None => body.map_err(broken).boxed(),
        Some(coding) => Decoded::new(body, coding)
            .map_err(move |error| match error {
                DecodeError::Body(error) => broken(error),
                DecodeError::Cut { coding } => {
                    let why = format!("the stream's {coding} data breaks off");
                    NoStream::Lost(Lost::new(Cause::Broken(why)))
                }
                DecodeError::Broken { coding, after } => NoStream::BrokenCoding { coding, after },
            })
            .boxed(),
    })
}

/// The body of a response, after its repair.
struct RepairedBody {
    body: Mutex<Body>,
    repair: SseRepair,
    memory: Memory,
    /// The repaired bytes that the parser has not read.
    ready: VecDeque<Bytes>,
    /// The error that follows `ready`.
    failed: Option<NoStream>,
    silence: Pin<Box<Sleep>>,
    /// Whether `silence` runs. It only does while there is nothing to read: a reader that was busy must not count the
    /// connection as dead.
    is_waiting: bool,
    /// How long the connection may be silent; `None` for no limit.
    silence_max: Option<Duration>,
}

impl Stream for RepairedBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(bytes) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if let Some(error) = this.failed.clone() {
                return Poll::Ready(Some(Err(TransportError::new(error))));
            }
            let body = this.body.get_mut().unwrap_or_else(PoisonError::into_inner);
            let Poll::Ready(chunk) = body.poll_next_unpin(cx) else {
                return this.poll_silence(cx);
            };
            this.is_waiting = false;
            match chunk {
                None => return Poll::Ready(None),
                Some(Ok(chunk)) => this.push(chunk),
                Some(Err(error)) => this.failed = Some(error),
            }
        }
    }
}

impl RepairedBody {
    fn push(&mut self, chunk: Bytes) {
        let repaired = self.repair.push(chunk, &mut self.ready);
        self.memory.note(&self.repair);
        if repaired.is_err() {
            self.failed = Some(NoStream::TooLong);
        }
    }

    fn poll_silence<T>(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, TransportError>>> {
        let Some(silence_max) = self.silence_max else {
            return Poll::Pending;
        };
        if !self.is_waiting {
            self.is_waiting = true;
            self.silence.as_mut().reset(Instant::now() + silence_max);
        }
        self.silence.poll_unpin(cx).map(|()| {
            let silent = NoStream::Silent(silence_max);
            self.failed = Some(silent.clone());
            Some(Err(TransportError::new(silent)))
        })
    }
}

/// Makes a future `Sync`, which the parser requires of its transport. It is only polled through an exclusive reference, so
/// the mutex is never locked.
struct Exclusive<T>(Mutex<BoxFuture<'static, T>>);

impl<T> Future for Exclusive<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let future = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        future.as_mut().poll(cx)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}
