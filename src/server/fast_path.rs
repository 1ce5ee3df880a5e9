//! The fast path: the most common requests, answered without hyper and axum. It issues an ID, publishes a message, or
//! begins a stream.
//!
//! The reason is cost. Besides its three system calls, a message takes 36,000 instructions through hyper and axum, and
//! 10,000 here. docs/benchmarks.md compares the time with that of other servers.
//! `serve --plain-streams` turns it off.
//!
//! Every connection begins here. It stays here while its requests are accepted by [`request`] and succeed. Each must
//! arrive in one piece, or with its body in a second piece. Any other request hands the connection to hyper for good,
//! with the bytes that were read: for example a body in more pieces, an unknown header, a message that is refused or
//! has to wait, a wrong token, or an unknown client. So nothing is refused here, and every rule and every error is in
//! one place. A test checks that both ways send the same bytes.
//!
//! Requests are parsed in a buffer that all connections of a worker thread share, so an idle connection needs no
//! buffer.

mod answer;
mod request;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use encoding_rs::Encoding;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::request::{Action, Plain};
use super::deadline::Deadline;
use super::handlers::publish::ndjson::publish_at_once;
use super::handlers::{connect, publish, subscribe};
use super::request::content::BodyKind;
use super::request::token::Authorized;
use super::service::{HttpService, Seen};
use super::stream::Stream;
use super::write_timeout::WriteTimeout;
use super::{App, BUFFER_BYTES, ServerOptions};
use crate::event::{ClientId, Format};
use crate::hub::{Hub, Position, Receipt};
use crate::message::Message;
use crate::wire::answer::Connected;

/// Time limit for a body that arrives after its head: many clients write the two separately.
const BODY_TIME: Duration = Duration::from_millis(100);

thread_local! {
    /// The bytes read from a connection, while they are answered.
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into());
    /// The answers to it.
    static ANSWERS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How a connection continues.
pub(super) enum Next {
    /// It ends.
    Over,
    /// As a stream, whose head and first bytes have been sent. `unexpected` bytes came after the request.
    Stream { stream: Stream, unexpected: usize },
    /// With hyper, which must read these bytes first.
    Hyper(Vec<u8>),
}

/// Answers the requests of one connection until it ends, becomes a stream, or needs hyper.
pub(super) async fn serve_connection(
    socket: &mut WriteTimeout,
    service: &HttpService,
    closing: &CancellationToken,
) -> Next {
    let Some(hub) = service.app.channels.own() else {
        return Next::Hyper(Vec::new());
    };
    // During a shutdown, hyper answers with 503.
    if !serves(&service.app.options) || hub.is_closing() {
        return Next::Hyper(Vec::new());
    }
    let mut closing = pin!(closing.cancelled());
    let mut fast_path = FastPath {
        socket,
        service,
        hub,
        unsent: Vec::new(),
        incomplete: Vec::new(),
        host: None,
        next: None,
        deadline: Deadline::new(Instant::now() + service.app.options.header_timeout),
        waits: false,
        has_effect: false,
    };
    poll_fn(|cx| fast_path.poll(closing.as_mut(), cx)).await
}

/// Returns whether any request can be answered here. None can if pages of other origins may read the answers.
fn serves(options: &ServerOptions) -> bool {
    let is_plain = options.plain_requests || options.plain_streams;
    !is_plain && options.access.origins.is_empty()
}

struct FastPath<'a> {
    socket: &'a mut WriteTimeout,
    service: &'a HttpService,
    hub: &'a Hub,
    /// Bytes that the socket has not taken yet. No further request is read before they are sent.
    unsent: Vec<u8>,
    /// A request whose body is still to come.
    incomplete: Vec<u8>,
    /// The last `Host` that was accepted; most requests of a connection have the same.
    host: Option<Box<str>>,
    /// How the connection continues when everything is sent.
    next: Option<Next>,
    /// When the next request must have come.
    deadline: Deadline,
    /// Whether the shutdown and the timer will wake this task.
    waits: bool,
    /// Whether the current request has had its effect.
    has_effect: bool,
}

/// The result of answering a request.
enum Answered {
    Whole,
    /// The connection ends.
    Last,
    Stream(Stream),
}

impl FastPath<'_> {
    fn poll(&mut self, closing: Pin<&mut impl Future>, cx: &mut Context<'_>) -> Poll<Next> {
        let mut asks = false;
        loop {
            if ready!(self.poll_send(cx)).is_err() {
                return Poll::Ready(Next::Over);
            }
            if let Some(next) = self.next.take() {
                return Poll::Ready(next);
            }
            if self.hub.is_closing() {
                return Poll::Ready(self.end());
            }
            match self.poll_requests(cx) {
                Poll::Ready(Ok(())) => asks = true,
                Poll::Ready(Err(_)) => return Poll::Ready(Next::Over),
                Poll::Pending => break,
            }
        }
        if !self.waits {
            self.waits = true;
            if closing.poll(cx).is_ready() {
                return Poll::Ready(self.end());
            }
        } else if asks && self.incomplete.is_empty() && self.deadline.is_armed(Instant::now()) {
            // Both were polled a moment ago without being due, and will wake this task.
            return Poll::Pending;
        }
        self.deadline.poll(cx).map(|()| self.end())
    }

    /// Returns how the connection continues if no more is read here. An incomplete request is left to hyper.
    fn end(&mut self) -> Next {
        if self.incomplete.is_empty() {
            Next::Over
        } else {
            Next::Hyper(mem::take(&mut self.incomplete))
        }
    }

    /// Sends what the socket did not take before.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut *self.socket).poll_write(cx, &self.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..sent);
        }
        if self.unsent.capacity() > 0 {
            self.unsent = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once, and answers the requests.
    fn poll_requests(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        READ.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            buffer.put_slice(&self.incomplete);
            ready!(Pin::new(&mut *self.socket).poll_read(cx, &mut buffer))?;
            if buffer.filled().len() == self.incomplete.len() {
                self.next = Some(self.end());
                return Poll::Ready(Ok(()));
            }
            let answered = ANSWERS.with_borrow_mut(|answers| {
                answers.clear();
                self.answer(buffer.filled(), answers, cx);
                self.send(answers, cx)
            });
            Poll::Ready(answered)
        })
    }

    /// Answers one request after the other. Those that cannot be answered here are left to hyper.
    fn answer(&mut self, mut requests: &[u8], answers: &mut Vec<u8>, cx: &mut Context<'_>) {
        let mut begun = Instant::now();
        self.deadline
            .set(begun + self.service.app.options.header_timeout);
        let mut may_wait = mem::take(&mut self.incomplete).is_empty();
        while !requests.is_empty() {
            let before = answers.len();
            self.has_effect = false;
            let parsed = request::parse(requests)
                // A client that sends many requests and reads no answers must not fill up memory.
                .filter(|_| before < BUFFER_BYTES);
            if let Some(Plain {
                body: None, length, ..
            }) = parsed
                && may_wait
                && length <= BUFFER_BYTES
            {
                self.incomplete = requests.into();
                self.deadline.set(begun + BODY_TIME);
                return;
            }
            may_wait = true;
            let answered = parsed.and_then(|request| {
                let trying = || self.answer_one(&request, begun, answers, cx);
                let answered = catch_unwind(AssertUnwindSafe(trying)).ok().flatten();
                answered.map(|it| (it, request.length))
            });
            match answered {
                Some((Answered::Whole, length)) => requests = &requests[length..],
                Some((Answered::Last, _)) => {
                    self.next = Some(Next::Over);
                    return;
                }
                Some((Answered::Stream(stream), length)) => {
                    let unexpected = requests.len() - length;
                    self.next = Some(Next::Stream { stream, unexpected });
                    return;
                }
                None => {
                    answers.truncate(before);
                    // If a request panicked before its effect, hyper's handler fails in the same way and reports it.
                    // After its effect, the message would be published twice.
                    self.next = Some(if self.has_effect {
                        Next::Over
                    } else {
                        Next::Hyper(requests.into())
                    });
                    return;
                }
            }
            if !requests.is_empty() {
                begun = Instant::now();
            }
        }
    }

    /// Answers a request; `None` if the ordinary handler has to, for example because it would refuse it.
    fn answer_one(
        &mut self,
        request: &Plain,
        begun: Instant,
        answers: &mut Vec<u8>,
        cx: &mut Context<'_>,
    ) -> Option<Answered> {
        let app = &self.service.app;
        if self.host.as_deref() != Some(request.host) {
            if !app.gate.knows(request.host) {
                return None;
            }
            self.host = Some(request.host.into());
        }
        // Without a token, only the stream of a known client may be opened; the handlers decide that.
        Authorized::by(request.authorization.into_iter(), app).ok()?;
        let mut answered = if request.closes {
            Answered::Last
        } else {
            Answered::Whole
        };
        let (method, client, status) = match request.action {
            Action::Connect => {
                let id = self.hub.connect().ok()?;
                connect::log_issued(id);
                self.has_effect = true;
                connected(self.hub, id, answers)?;
                (Method::GET, None, StatusCode::OK)
            }
            Action::Subscribe(id) => {
                answered = Answered::Stream(open_stream(self.hub, app, id, answers, cx)?);
                (Method::GET, Some(id), StatusCode::OK)
            }
            Action::Publish(id, kind, key) => {
                let message = message(kind, request.body?, app.options.max_message)?;
                let receipt = self.hub.publish(id, message, key).ok()?;
                let accepted = self.accepted(id, receipt, request.closes, answers);
                app.metrics.publish.observe(begun.elapsed());
                accepted
            }
            Action::PublishLines(id, key) => {
                let max = app.options.max_message;
                let receipt = publish_at_once(self.hub, id, key, request.body?, max)?;
                self.accepted(id, receipt, request.closes, answers)
            }
        };
        let seen = Seen {
            method,
            route: request.route.path(),
            client: client
                .filter(|_| tracing::enabled!(tracing::Level::DEBUG))
                .map(|it| it.short()),
            begun,
        };
        self.service.log(&seen, status);
        Some(answered)
    }

    /// Answers a request that has published.
    fn accepted(
        &mut self,
        id: ClientId,
        receipt: Receipt,
        closes: bool,
        answers: &mut Vec<u8>,
    ) -> (Method, Option<ClientId>, StatusCode) {
        self.has_effect = true;
        answer::accepted(&publish::answer(receipt), closes, answers);
        (Method::POST, Some(id), StatusCode::ACCEPTED)
    }

    fn send(&mut self, answers: &mut Vec<u8>, cx: &mut Context<'_>) -> io::Result<()> {
        if !answers.is_empty() {
            let sent = match Pin::new(&mut *self.socket).poll_write(cx, answers) {
                Poll::Ready(sent) => sent?,
                Poll::Pending => 0,
            };
            self.unsent.extend_from_slice(&answers[sent..]);
            answers.shrink_to(2 * BUFFER_BYTES);
        }
        Ok(())
    }
}

/// Parses a body as one message; `None` if the ordinary handler would do more than that.
fn message(kind: BodyKind, body: &[u8], max: usize) -> Option<Message> {
    kind.check(body.len(), max).ok()?;
    // The ordinary handler removes a byte order mark.
    if Encoding::for_bom(body).is_some() {
        return None;
    }
    let text = str::from_utf8(body).ok()?;
    publish::message(kind, text.into(), &[], max).ok()
}

fn connected(hub: &Hub, id: ClientId, answers: &mut Vec<u8>) -> Option<()> {
    let body = serde_json::to_vec(&Connected::new(id, hub.limits().idle_timeout)).ok()?;
    answer::json(StatusCode::OK, &connect::head(id), &body, answers);
    Some(())
}

fn open_stream(
    hub: &Hub,
    app: &App,
    id: ClientId,
    answers: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Option<Stream> {
    let (format, position) = (Format::default(), Position::Start);
    let subscription = hub.subscribe(id, format, position).ok()?;
    answer::stream(&subscribe::head(&subscription, app), answers);
    let mut stream = Stream::open(subscription, app);
    let mut first = Vec::new();
    stream.gather(&mut first, cx);
    answer::chunk(&first, answers);
    if stream.is_over() {
        answer::last_chunk(answers);
    }
    Some(stream)
}
