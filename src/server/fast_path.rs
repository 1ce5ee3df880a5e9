//! The plainest requests, answered without HTTP in between: an ID is issued, a message is published, or
//! a stream begins.
//!
//! The reason is cost. Through hyper and axum a message takes 36,000 instructions besides the three
//! system calls that it needs, here 10,000: 8.8 µs in all rather than 13.0 for a plain axum server, of
//! which the kernel has 6.5. (A bare loop around epoll that checks and keeps nothing takes 7.1 on the same
//! machine.) `serve --plain-streams` goes the other way, and `benches/load` compares.
//!
//! So a connection begins here. It stays for as long as each read brings whole requests of which nothing
//! is out of the ordinary ([`request`]), and which succeed. At the first other one hyper gets the
//! connection for good, with the bytes that were read: a body in several pieces, a header that means
//! something, a message that is refused, a client that is not known. So nothing is refused here, there is
//! one place for each rule and each error, and a test sees that both ways answer the same bytes.
//!
//! A request is answered while it lies in a buffer that all connections of a worker share: one that is
//! idle holds no memory for it.

mod answer;
mod request;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use axum::http::{Method, StatusCode};
use encoding_rs::Encoding;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::request::{Action, Plain};
use super::deadline::Deadline;
use super::handlers::{connect, publish, subscribe};
use super::service::{HttpService, Seen};
use super::stream::Stream;
use super::write_timeout::WriteTimeout;
use super::{App, BUFFER_BYTES, ServerOptions};
use crate::event::{ClientId, Format};
use crate::hub::{Hub, Position};
use crate::wire::Route;
use crate::wire::answer::Connected;

thread_local! {
    /// What was read of a connection, while it is answered.
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into());
    /// The answers to it.
    static ANSWERS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How a connection goes on.
pub(super) enum Next {
    /// Not at all.
    Over,
    /// As a stream, whose head and first bytes are out. So many bytes came behind its request.
    Stream { stream: Stream, unasked: usize },
    /// With hyper, which has these bytes yet to read.
    Hyper(Vec<u8>),
}

/// Answers the requests of one connection until it has to go on otherwise.
pub(super) async fn converse(
    socket: &mut WriteTimeout,
    service: &HttpService,
    closing: &CancellationToken,
) -> Next {
    let Some(hub) = service.app.channels.own() else {
        return Next::Hyper(Vec::new());
    };
    // One that comes while the server closes has yet to be told so.
    if !serves(&service.app.options) || hub.is_closing() {
        return Next::Hyper(Vec::new());
    }
    let mut closing = pin!(closing.cancelled());
    let mut fast_path = FastPath {
        socket,
        service,
        hub,
        unsent: Vec::new(),
        host: None,
        next: None,
        deadline: Deadline::new(Instant::now() + service.app.options.header_timeout),
        waits: false,
        acted: false,
    };
    poll_fn(|cx| fast_path.poll(closing.as_mut(), cx)).await
}

/// Whether a server has requests that are answered here. Where a token or a page's origin has to be
/// looked at, none are plain.
fn serves(options: &ServerOptions) -> bool {
    let access = &options.access;
    let is_plain = options.plain_requests || options.plain_streams;
    !is_plain && access.token.is_none() && access.origins.is_empty()
}

struct FastPath<'a> {
    socket: &'a mut WriteTimeout,
    service: &'a HttpService,
    hub: &'a Hub,
    /// What the socket did not take yet. No request is read before it has.
    unsent: Vec<u8>,
    /// The last `Host` that was let in; most requests of a connection have the same.
    host: Option<Box<str>>,
    /// What follows once all is sent.
    next: Option<Next>,
    /// A request must have come by then.
    deadline: Deadline,
    /// Whether this task is woken when the server closes, and by its timer.
    waits: bool,
    /// Whether the request that is being answered has had its effect.
    acted: bool,
}

/// What came of a request that was answered.
enum Answered {
    Whole,
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
                return Poll::Ready(Next::Over);
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
                return Poll::Ready(Next::Over);
            }
        } else if asks && self.deadline.is_armed(Instant::now()) {
            // Both have yet to wake this task: the server was open, and the timer not due, just now.
            return Poll::Pending;
        }
        self.deadline.poll(cx).map(|()| Next::Over)
    }

    /// Sends what the socket did not take at once.
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

    /// Reads once, and answers what came.
    fn poll_requests(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        READ.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(Pin::new(&mut *self.socket).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            let answered = ANSWERS.with_borrow_mut(|answers| {
                answers.clear();
                self.answer(buffer.filled(), answers, cx);
                self.send(answers, cx)
            });
            Poll::Ready(answered)
        })
    }

    /// Answers one request after the other. What is left then is for hyper.
    fn answer(&mut self, mut requests: &[u8], answers: &mut Vec<u8>, cx: &mut Context<'_>) {
        let mut begun = Instant::now();
        self.deadline
            .set(begun + self.service.app.options.header_timeout);
        while !requests.is_empty() {
            let before = answers.len();
            self.acted = false;
            let answered = request::parse(requests)
                // A client that asks much and takes no answers must not fill the memory.
                .filter(|_| before < BUFFER_BYTES)
                .and_then(|request| {
                    let trying = || self.answer_one(&request, begun, answers, cx);
                    let answered = catch_unwind(AssertUnwindSafe(trying)).ok().flatten();
                    answered.map(|it| (it, request.length))
                });
            match answered {
                Some((Answered::Whole, length)) => requests = &requests[length..],
                Some((Answered::Stream(stream), length)) => {
                    let unasked = requests.len() - length;
                    self.next = Some(Next::Stream { stream, unasked });
                    return;
                }
                None => {
                    answers.truncate(before);
                    // Where it panicked and nothing has happened yet, hyper's way fails in the same
                    // manner and says so. Else the message would be published twice.
                    self.next = Some(if self.acted {
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

    /// Answers a request by what its ordinary handler does; `None` where that would not succeed.
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
        let mut answered = Answered::Whole;
        let (method, route, client, status) = match request.action {
            Action::Connect => {
                let id = self.hub.connect().ok()?;
                connect::log_issued(id);
                self.acted = true;
                connected(self.hub, id, answers)?;
                (Method::GET, Route::Connect, None, StatusCode::OK)
            }
            Action::Subscribe(id) => {
                answered = Answered::Stream(open_stream(self.hub, app, id, answers, cx)?);
                (Method::GET, Route::Client, Some(id), StatusCode::OK)
            }
            Action::Publish(id, kind) => {
                let max = app.options.max_message;
                kind.check(request.body.len(), max).ok()?;
                // A byte order mark is passed over by the ordinary handler.
                if Encoding::for_bom(request.body).is_some() {
                    return None;
                }
                let text = str::from_utf8(request.body).ok()?.to_owned();
                let message = publish::message(kind, text, &[], max).ok()?;
                let receipt = self.hub.publish(id, message, None).ok()?;
                self.acted = true;
                app.metrics.publish.observe(begun.elapsed());
                answer::accepted(&publish::answer(receipt), answers);
                (Method::POST, Route::Client, Some(id), StatusCode::ACCEPTED)
            }
        };
        let seen = Seen {
            method,
            route: route.path(),
            client: client
                .filter(|_| tracing::enabled!(tracing::Level::DEBUG))
                .map(|it| it.short()),
            begun,
        };
        self.service.log(&seen, status);
        Some(answered)
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
