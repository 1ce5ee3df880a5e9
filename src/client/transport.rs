//! The HTTP under `eventsource-client`: requests go through our own [`ClientRequest`], answers that are no
//! event stream come back as a [`NoStream`], and the bytes of those that are one pass a [`SseRepair`].

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
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
use thiserror::Error;
use tokio::time::{Instant, Sleep};

use super::coding::{Coding, DecodeError, Decoded};
use super::error::{Cause, Lost, Redirect, root_cause, short};
use super::request::ClientRequest;
use super::response::{Refusal, content_type, has_type, start_of_body};
use super::sse_repair::bypass::Runs;
use super::sse_repair::{LONGEST, SseRepair};
use crate::wire;

/// How much is read of an answer that is no event stream, in bytes.
const START: usize = 512;

/// Why a request was not answered with an event stream, or why the stream broke.
#[derive(Clone, Debug, Error)]
pub(crate) enum NoStream {
    /// No answer.
    #[error("{0}")]
    Lost(Lost),
    /// An error for an answer.
    #[error("{} {}", .0.status, .0.detail)]
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
    #[error("the stream is coded as {0}, which is not known; identity was asked for")]
    UnknownCoding(String),
    /// Bytes that are not of the coding that was named.
    #[error("the stream's {coding} coding is broken after {after} bytes")]
    BrokenCoding { coding: Coding, after: u64 },
    /// A line or an event beyond what can be held.
    #[error("a line or an event is longer than {} MiB", LONGEST >> 20)]
    TooLong,
}

/// What outlives a connection: where its successor goes on, and how soon.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    pub(crate) last_id: String,
    pub(crate) retry: Option<Duration>,
}

/// What a stream has told besides its events, shared by the transport and the feed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(
    /// Held for a copy only, never across an await.
    Arc<Mutex<Remembered>>,
);

impl Memory {
    pub(crate) fn new(last_id: String) -> Self {
        let heard = Remembered {
            last_id,
            retry: None,
        };
        Self(Arc::new(Mutex::new(heard)))
    }

    pub(crate) fn recall(&self) -> Remembered {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, repair: &SseRepair) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.last_id != repair.last_id() {
            repair.last_id().clone_into(&mut heard.last_id);
        }
        heard.retry = repair.retry().or(heard.retry);
    }
}

/// Makes one stream's requests, each of which resumes where the one before it ended.
#[derive(Clone)]
pub(crate) struct Transport {
    pub(crate) http: reqwest::Client,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) memory: Memory,
    /// Where plain events go, past the parser; they go through it without this.
    pub(crate) runs: Option<Runs>,
    /// Whether its server may be reached by [`local`](super::local), without a proxy.
    pub(crate) may_be_local: bool,
    /// So long a connection may be silent.
    pub(crate) patience: Duration,
    /// Whether that holds for a server that is not codechat's too, which may be silent for as long as it likes.
    pub(crate) watches_foreign: bool,
}

/// The shortest time that is waited for the head of an answer: a server is still there if it is only slow.
const HEAD: Duration = Duration::from_secs(10);

impl HttpTransport for Transport {
    fn request(&self, request: Request<Option<Bytes>>) -> ResponseFuture {
        let this = self.clone();
        let answer = async move { this.open(request).await.map_err(TransportError::new) };
        Box::pin(Exclusive(Mutex::new(answer.boxed())))
    }
}

impl Transport {
    async fn open(self, request: Request<Option<Bytes>>) -> Result<Response<ByteStream>, NoStream> {
        let request = self.client_request(request)?;
        let patience = self.patience.max(HEAD);
        let sent = tokio::time::timeout(patience, request.send(&self.http)).await;
        let silent = |_| Err(Lost::new(Cause::Silent(patience)));
        let response = sent.unwrap_or_else(silent).map_err(NoStream::Lost)?;
        if response.status() == StatusCode::NO_CONTENT {
            return Err(NoStream::Over);
        }
        if !response.status().is_success() {
            return Err(NoStream::Refused(Refusal::of(response).await));
        }
        if !has_type(&response, wire::EVENT_STREAM) {
            let redirect = response.extensions().get().cloned().map(Box::new);
            let kind = content_type(&response).map_or_else(|| "no content type".into(), short);
            let start = start_of_body(response, START).await;
            let start = short(&String::from_utf8_lossy(&start));
            return Err(NoStream::Other {
                kind,
                start,
                redirect,
            });
        }
        let is_codechat = [wire::FORMAT_HEADER, wire::CLIENT_ID_HEADER]
            .iter()
            .any(|it| response.headers().contains_key(*it));
        let patience = (is_codechat || self.watches_foreign).then_some(self.patience);
        let coding = Coding::of(response.headers()).map_err(NoStream::UnknownCoding)?;
        let mut head = Response::builder().status(response.status());
        if let Some(headers) = head.headers_mut() {
            headers.clone_from(response.headers());
            if coding.is_none() {
                headers.remove(CONTENT_ENCODING);
            }
        }
        if let Some(runs) = &self.runs {
            runs.clear();
        }
        let body: ByteStream = Box::pin(RepairedBody {
            repair: SseRepair::new(self.memory.recall().last_id, self.runs),
            memory: self.memory,
            body: Mutex::new(body(response, coding)),
            ready: VecDeque::new(),
            broken: None,
            silence: Box::pin(tokio::time::sleep(self.patience)),
            listening: false,
            patience,
        });
        Ok(head
            .body(body)
            .expect("status and headers are an answer's own"))
    }

    /// The parser's request, with what it cannot be trusted with.
    fn client_request(&self, request: Request<Option<Bytes>>) -> Result<ClientRequest, NoStream> {
        let (parts, _) = request.into_parts();
        let url =
            parts.uri.to_string().parse().map_err(|error| {
                NoStream::Lost(Lost::new(Cause::NotConnected(format!("{error}"))))
            })?;
        let mut request = ClientRequest::new(parts.method, url, parts.headers);
        request.may_be_local = self.may_be_local;
        if let Some(authorization) = self.authorization.clone() {
            let name = reqwest::header::AUTHORIZATION;
            request.headers.insert(name, authorization);
        }
        let last_id = self.memory.recall().last_id;
        // Any text goes, not only ASCII; what no header can carry (control characters) is not sent.
        if !last_id.is_empty()
            && let Ok(cursor) = HeaderValue::from_bytes(last_id.as_bytes())
        {
            let name = HeaderName::from_static(wire::LAST_EVENT_ID_HEADER);
            request.headers.insert(name, cursor);
        }
        Ok(request)
    }
}

/// A response's body, decoded.
fn body(
    response: reqwest::Response,
    coding: Option<Coding>,
) -> BoxStream<'static, Result<Bytes, NoStream>> {
    let broken =
        |error: reqwest::Error| NoStream::Lost(Lost::new(Cause::Broken(root_cause(&error))));
    let body = response.bytes_stream();
    match coding {
        None => body.map_err(broken).boxed(),
        Some(coding) => Decoded::new(body, coding)
            .map_err(move |error| match error {
                DecodeError::Body(error) => broken(error),
                DecodeError::Broken { coding, after } => NoStream::BrokenCoding { coding, after },
            })
            .boxed(),
    }
}

/// A response's body, repaired.
struct RepairedBody {
    body: Mutex<BoxStream<'static, Result<Bytes, NoStream>>>,
    repair: SseRepair,
    memory: Memory,
    /// What is repaired and not yet taken.
    ready: VecDeque<Bytes>,
    /// What ends the stream once `ready` is empty.
    broken: Option<NoStream>,
    silence: Pin<Box<Sleep>>,
    /// Whether `silence` runs: it does so only while there is nothing to read, so that a reader
    /// that was busy elsewhere does not take the connection for dead.
    listening: bool,
    /// How long it may last; `None` for as long as the connection does.
    patience: Option<Duration>,
}

impl Stream for RepairedBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(bytes) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if let Some(broken) = this.broken.clone() {
                return Poll::Ready(Some(Err(TransportError::new(broken))));
            }
            let body = this.body.get_mut().unwrap_or_else(PoisonError::into_inner);
            let Poll::Ready(chunk) = body.poll_next_unpin(cx) else {
                return this.poll_silence(cx);
            };
            this.listening = false;
            match chunk {
                None => return Poll::Ready(None),
                Some(Ok(chunk)) => this.take(chunk),
                Some(Err(error)) => this.broken = Some(error),
            }
        }
    }
}

impl RepairedBody {
    fn take(&mut self, chunk: Bytes) {
        let repaired = self.repair.push(chunk, &mut self.ready);
        self.memory.note(&self.repair);
        if repaired.is_err() {
            self.broken = Some(NoStream::TooLong);
        }
    }

    fn poll_silence<T>(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, TransportError>>> {
        let Some(patience) = self.patience else {
            return Poll::Pending;
        };
        if !self.listening {
            self.listening = true;
            self.silence.as_mut().reset(Instant::now() + patience);
        }
        self.silence.poll_unpin(cx).map(|()| {
            let silent = NoStream::Silent(patience);
            self.broken = Some(silent.clone());
            Some(Err(TransportError::new(silent)))
        })
    }
}

/// Lends a future the `Sync` that the parser asks of its transport: it is only ever polled through
/// an exclusive reference, so the lock is never taken.
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
