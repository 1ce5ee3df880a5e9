//! Answers over HTTP/2, with a stall timeout for each.
//!
//! The socket does not show whether an HTTP/2 client reads an answer: it carries other answers too, and a client may
//! acknowledge pings while it does not open the answer's flow control window. So each answer runs in a future that
//! notices when hyper stops asking the body for more, which means that the window is used up. After the stall timeout,
//! that future is dropped: the stream is reset, and the subscriber leaves its channel.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::rt::Executor;
use tokio::time::Instant;

use super::deadline::Deadline;
use super::metrics::Metrics;

/// Length of the pieces that hyper gets, in bytes: small, so that even a slow client takes one within the stall
/// timeout.
const PIECE_BYTES: usize = 4 * 1024;

tokio::task_local! {
    /// The progress of the answer that is being polled.
    static PROGRESS: Arc<Progress>;
}

/// Runs the answers of one connection, a task each.
#[derive(Clone)]
pub(super) struct Answers {
    stall_timeout: Duration,
    metrics: Arc<Metrics>,
}

impl Answers {
    pub(super) fn new(stall_timeout: Duration, metrics: Arc<Metrics>) -> Self {
        Self {
            stall_timeout,
            metrics,
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Answers {
    fn execute(&self, answer: F) {
        let Self {
            stall_timeout,
            metrics,
        } = self.clone();
        tokio::spawn(async move {
            if run(answer, stall_timeout).await.is_err() {
                metrics.stalled.add(1);
                tracing::debug!(timeout = ?stall_timeout, "resetting a stream that takes no bytes");
            }
        });
    }
}

/// The client took no bytes for the stall timeout.
struct Stalled;

async fn run(answer: impl Future<Output = ()>, stall_timeout: Duration) -> Result<(), Stalled> {
    let progress = Arc::new(Progress::default());
    let mut answer = pin!(PROGRESS.scope(Arc::clone(&progress), answer));
    let mut deadline: Option<Deadline> = None;
    poll_fn(|cx| {
        progress.begin_poll();
        if answer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        match progress.now() {
            HANDLER | BODY_WAITS => {
                deadline = None;
                return Poll::Pending;
            }
            BODY_TAKEN => deadline = None,
            _ => {}
        }
        let deadline =
            deadline.get_or_insert_with(|| Deadline::new(Instant::now() + stall_timeout));
        deadline.poll(cx).map(|()| Err(Stalled))
    })
    .await
}

/// What hyper did with an answer's body when the answer was last polled: one of the constants below.
#[derive(Default)]
struct Progress(AtomicU8);

/// There is no body yet: the handler is running.
const HANDLER: u8 = 0;
/// Hyper did not ask for more: the window is used up.
const BLOCKED: u8 = 1;
/// Hyper took a piece of the body.
const BODY_TAKEN: u8 = 2;
/// Hyper took everything that was due.
const BODY_WAITS: u8 = 3;

impl Progress {
    fn begin_poll(&self) {
        if self.now() != HANDLER {
            self.set(BLOCKED);
        }
    }

    fn now(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, step: u8) {
        self.0.store(step, Ordering::Relaxed);
    }
}

/// Watches the answer's body, if it is sent over HTTP/2.
pub(super) fn watched(answer: Response<Body>) -> Response<Body> {
    let Ok(progress) = PROGRESS.try_with(Arc::clone) else {
        return answer;
    };
    progress.set(BLOCKED);
    answer.map(|body| {
        Body::new(WatchedBody {
            body,
            rest: Bytes::new(),
            progress,
        })
    })
}

/// A body in small pieces, which notes whether hyper asks for the next one.
struct WatchedBody {
    body: Body,
    /// The rest of the last frame.
    rest: Bytes,
    progress: Arc<Progress>,
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.progress.set(BODY_WAITS);
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        self.progress.set(BODY_TAKEN);
        let length = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}
