//! Streams: what those of messages and those of control events have in common.

mod stall_body;
pub(super) mod takeover;

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, IntoResponseParts, Response};
use bytes::Bytes;
use http_body::Frame;
use tokio::time::Instant;

use self::stall_body::StallTimeoutBody;
use super::App;
use super::deadline::Deadline;
use super::metrics::Metrics;
use super::reconnect_grace::drop_later;
use crate::event::{ClientId, EventId, unix_millis};
use crate::hub::{ControlEvent, ControlStream, Delivery, Start, Subscription};
use crate::lock::lock;
use crate::wire::{self, sse};

/// Upper bound of one gathered write, in bytes.
const WRITE_BYTES: usize = 64 * 1024;

/// Returns an answer that is a stream. The connection decides how it is written.
pub(super) fn answer(head: impl IntoResponseParts, stream: Stream) -> Response {
    (head, Extension(OpenStream::new(stream))).into_response()
}

/// Adds the body, made by `body`, if the answer is a stream; removes a wrong `Content-Length`.
pub(super) fn fill(response: &mut Response, body: impl FnOnce(Stream, &mut HeaderMap) -> Body) {
    let (is_unmodified, stream) = (
        response.status() == StatusCode::NOT_MODIFIED,
        response.extensions_mut().remove::<OpenStream>(),
    );
    let stream = stream.and_then(|it| it.take());
    // The router has computed it from the placeholder's empty body, or from a body that is not sent (RFC 9110, 8.6).
    if stream.is_some() || is_unmodified {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    if let Some(stream) = stream {
        *response.body_mut() = body(stream, response.headers_mut());
    }
}

/// Returns the headers of every stream's answer.
pub(super) fn common_head(id: ClientId) -> [(&'static str, String); 5] {
    [
        (header::CONTENT_TYPE.as_str(), wire::EVENT_STREAM.to_owned()),
        (
            header::CACHE_CONTROL.as_str(),
            "no-cache, no-transform".to_owned(),
        ),
        ("x-accel-buffering", "no".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        (wire::CLIENT_ID_HEADER, id.to_string()),
    ]
}

/// The content of one stream.
pub(super) struct Stream {
    /// `None` after the last bytes.
    source: Option<Source>,
    /// What is sent before the first frame.
    first: Vec<u8>,
    heartbeat: Duration,
    /// When to reconnect after a shutdown, in milliseconds.
    retry: u64,
    /// The last event that was written when bytes were gathered last.
    written: Option<EventId>,
    metrics: Arc<Metrics>,
}

/// Where the content comes from.
enum Source {
    Messages(Subscription),
    Control(ControlEvents),
}

impl Stream {
    pub(super) fn open(subscription: Subscription, app: &App) -> Self {
        let client = subscription.client_id();
        tracing::debug!(client = client.short(), start = ?subscription.start(), "subscribed");
        let first = match subscription.start() {
            Start::Fresh => {
                sse::greeting(subscription.last(), unix_millis(), subscription.format())
            }
            Start::Resumed => sse::RESUMED.to_vec(),
            Start::Restarted => Vec::new(),
        };
        Self {
            source: Some(Source::Messages(subscription)),
            first,
            heartbeat: app.options.heartbeat,
            retry: spread_retry(client, app),
            written: None,
            metrics: Arc::clone(&app.metrics),
        }
    }

    /// Opens a control stream, which sends nothing before its first event.
    pub(super) fn of_control(events: ControlEvents, id: ClientId, app: &App) -> Self {
        Self {
            source: Some(Source::Control(events)),
            first: Vec::new(),
            heartbeat: app.options.heartbeat,
            retry: spread_retry(id, app),
            written: None,
            metrics: Arc::clone(&app.metrics),
        }
    }

    /// Returns whether everything has been sent.
    pub(super) fn is_over(&self) -> bool {
        self.source.is_none() && self.first.is_empty()
    }

    /// Returns the interval of comments on a stream without content.
    pub(super) fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// Appends such a comment.
    #[expect(clippy::unused_self, reason = "a stream has one kind of heartbeat")]
    pub(super) fn beat(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(sse::HEARTBEAT);
    }

    /// Appends everything that is due, up to [`WRITE_BYTES`]. Returns true if there may be more; otherwise the task is
    /// woken when there is.
    pub(super) fn gather(&mut self, out: &mut Vec<u8>, cx: &mut Context<'_>) -> bool {
        let before = out.len();
        if let Some(Source::Messages(subscription)) = &self.source {
            self.written = Some(subscription.last());
        }
        let more = self.append(out, cx);
        self.metrics.bytes.add(out.len() - before);
        more
    }

    /// Notes that the socket did not take all that was gathered last.
    pub(super) fn note_unwritten(&self) {
        if let (Some(Source::Messages(subscription)), Some(written)) = (&self.source, self.written)
        {
            subscription.note_unwritten(written);
        }
    }

    /// Counts a reader that is closed because it takes no bytes.
    pub(super) fn stalled(&self) {
        self.metrics.stalled.add(1);
    }

    fn append(&mut self, out: &mut Vec<u8>, cx: &mut Context<'_>) -> bool {
        out.append(&mut mem::take(&mut self.first));
        while let Some(source) = &mut self.source {
            if out.len() >= WRITE_BYTES {
                return true;
            }
            let appended = match source {
                Source::Messages(subscription) => {
                    poll_append(subscription, self.retry, &self.metrics, out, cx)
                }
                Source::Control(events) => events.poll_append(self.retry, out, cx),
            };
            match appended {
                Poll::Pending => return false,
                Poll::Ready(false) => {}
                Poll::Ready(true) => self.source = None,
            }
        }
        false
    }
}

/// Appends a channel's messages that are due; ready with true after the last one.
fn poll_append(
    subscription: &mut Subscription,
    retry: u64,
    metrics: &Metrics,
    out: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<bool> {
    let delivery = ready!(subscription.poll_read(out, WRITE_BYTES, cx));
    let last = subscription.last();
    match delivery {
        Delivery::Events | Delivery::Cut => {}
        Delivery::Gap(gap, id) => {
            tracing::debug!(client = subscription.client_id().short(), %gap, "gap");
            metrics.gaps.add(1);
            out.extend(sse::gap(id, gap));
        }
        Delivery::End(end) => out.extend(sse::end(Some(last), end)),
        Delivery::Closing => {
            let format = subscription.format();
            out.extend(sse::farewell(last, unix_millis(), retry, format));
        }
    }
    Poll::Ready(matches!(
        delivery,
        Delivery::End(_) | Delivery::Closing | Delivery::Cut
    ))
}

/// Passes a stream from the handler to the connection, which knows whether it can be taken over. (Extensions must be
/// cloneable, and a stream is not.)
#[derive(Clone)]
pub(super) struct OpenStream(Arc<Mutex<Option<Stream>>>);

impl OpenStream {
    fn new(stream: Stream) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))))
    }

    /// Returns the stream at the first call.
    pub(super) fn take(&self) -> Option<Stream> {
        lock(&self.0).take()
    }
}

/// A stream as an ordinary body: all frames that are due go into one write, and a comment is sent if there were none
/// for the time of a heartbeat.
pub(super) struct StreamBody {
    stream: Stream,
    /// The next heartbeat.
    deadline: Deadline,
}

impl StreamBody {
    pub(super) fn new(stream: Stream) -> Self {
        let deadline = Deadline::new(Instant::now() + stream.heartbeat);
        Self { stream, deadline }
    }

    /// Ends the stream if its reader takes no bytes for this time.
    pub(super) fn cut_after(self, stall_timeout: Duration) -> StallTimeoutBody {
        StallTimeoutBody::new(self, stall_timeout)
    }
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut out = Vec::new();
        self.stream.gather(&mut out, cx);
        if out.is_empty() {
            if self.stream.is_over() {
                return Poll::Ready(None);
            }
            ready!(self.deadline.poll(cx));
            self.stream.beat(&mut out);
        }
        let due = Instant::now() + self.stream.heartbeat;
        self.deadline.set(due);
        Poll::Ready(Some(Ok(Frame::data(out.into()))))
    }
}

/// Returns a retry time that spreads the clients' reconnects after a shutdown over 1 to 5 s, or 1 to 2 s if there are
/// other servers, because these keep the readers' positions only for a short time. The client's random ID serves as the
/// random number.
fn spread_retry(id: ClientId, app: &App) -> u64 {
    let bytes = id.as_bytes();
    let spread = if app.channels.own().is_some() {
        4000
    } else {
        1000
    };
    1000 + u64::from(u16::from_be_bytes([bytes[0], bytes[1]])) * spread / u64::from(u16::MAX)
}

/// The content of a control stream.
pub(super) struct ControlEvents(Option<ControlStream>);

impl ControlEvents {
    pub(super) fn new(stream: ControlStream) -> Self {
        Self(Some(stream))
    }

    /// Appends the changed state; ready with true after the last event.
    fn poll_append(&mut self, retry: u64, out: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<bool> {
        let Some(stream) = &mut self.0 else {
            return Poll::Ready(true);
        };
        let event = ready!(stream.poll_event(cx));
        match &event {
            ControlEvent::State(state) => out.extend(sse::control(state)),
            ControlEvent::End(end) => out.extend(sse::end(None, *end)),
            ControlEvent::Closing => out.extend(sse::control_farewell(retry)),
            ControlEvent::Cut => {}
        }
        Poll::Ready(!matches!(event, ControlEvent::State(_)))
    }
}

impl Drop for ControlEvents {
    fn drop(&mut self) {
        if let Some(stream) = self.0.take()
            && stream.accompanies_an_operation()
        {
            stream.gone();
            drop_later(stream);
        }
    }
}
