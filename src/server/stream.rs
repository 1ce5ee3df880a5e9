//! What every stream does, whether it carries messages or control events.

mod patient_body;
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

use self::patient_body::PatientBody;
use super::App;
use super::deadline::Deadline;
use super::metrics::Metrics;
use super::reconnect_grace::drop_later;
use crate::event::{ClientId, unix_millis};
use crate::hub::{ControlEvent, ControlStream, Delivery, Start, Subscription};
use crate::lock::lock;
use crate::wire::{self, sse};

/// Upper bound of one gathered write, in bytes.
const WRITE_BYTES: usize = 64 * 1024;

/// The answer that is a stream. The connection decides how it is written.
pub(super) fn answer(head: impl IntoResponseParts, stream: Stream) -> Response {
    (head, Extension(OpenStream::new(stream))).into_response()
}

/// Gives an answer that is a stream its body, which `body` makes; and takes a length away that is of another body.
pub(super) fn fill(response: &mut Response, body: impl FnOnce(Stream, &mut HeaderMap) -> Body) {
    let (is_unmodified, stream) = (
        response.status() == StatusCode::NOT_MODIFIED,
        response.extensions_mut().remove::<OpenStream>(),
    );
    let stream = stream.and_then(|it| it.take());
    // The router has counted the empty body that stands in for a stream; and that of an answer which is not sent (RFC 9110, 8.6).
    if stream.is_some() || is_unmodified {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    if let Some(stream) = stream {
        *response.body_mut() = body(stream, response.headers_mut());
    }
}

/// What the head of every stream's answer says.
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

/// What one stream says, and when.
pub(super) struct Stream {
    /// `None` once the last bytes are out.
    source: Option<Source>,
    /// What goes out before the first frame.
    first: Vec<u8>,
    heartbeat: Duration,
    metrics: Arc<Metrics>,
}

/// What a stream tells of.
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
            metrics: Arc::clone(&app.metrics),
        }
    }

    /// A control stream, which has nothing to say before its first event.
    pub(super) fn of_control(
        events: ControlEvents,
        heartbeat: Duration,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            source: Some(Source::Control(events)),
            first: Vec::new(),
            heartbeat,
            metrics,
        }
    }

    /// Whether all has been said.
    pub(super) fn is_over(&self) -> bool {
        self.source.is_none() && self.first.is_empty()
    }

    /// A comment is due where nothing was said for so long.
    pub(super) fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// Appends that comment.
    #[expect(clippy::unused_self, reason = "it is the stream that says it")]
    pub(super) fn beat(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(sse::HEARTBEAT);
    }

    /// Appends all that is due, up to one write's worth; true where more may be. Otherwise the task
    /// is woken when more comes.
    pub(super) fn gather(&mut self, out: &mut Vec<u8>, cx: &mut Context<'_>) -> bool {
        let before = out.len();
        let more = self.append(out, cx);
        self.metrics.bytes.add(out.len() - before);
        more
    }

    /// To be called where its reader is given up since it takes no bytes.
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
                Source::Messages(subscription) => poll_append(subscription, &self.metrics, out, cx),
                Source::Control(events) => events.poll_append(out, cx),
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

/// Appends what is due of a channel's messages; ready with true once all has been said.
fn poll_append(
    subscription: &mut Subscription,
    metrics: &Metrics,
    out: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<bool> {
    let delivery = ready!(subscription.poll_read(out, WRITE_BYTES, cx));
    let last = subscription.last();
    match delivery {
        Delivery::Events => {}
        Delivery::Gap(gap, id) => {
            tracing::debug!(client = subscription.client_id().short(), %gap, "gap");
            metrics.gaps.add(1);
            out.extend(sse::gap(id, gap));
        }
        Delivery::End(end) => out.extend(sse::end(Some(last), end)),
        Delivery::Closing => {
            let retry = spread_retry(subscription.client_id());
            let format = subscription.format();
            out.extend(sse::farewell(last, unix_millis(), retry, format));
        }
    }
    Poll::Ready(matches!(delivery, Delivery::End(_) | Delivery::Closing))
}

/// A stream on its way from the handler to the connection, which alone knows whether it can be
/// written directly. (Extensions are cloned; a stream cannot be.)
#[derive(Clone)]
pub(super) struct OpenStream(Arc<Mutex<Option<Stream>>>);

impl OpenStream {
    fn new(stream: Stream) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))))
    }

    /// The stream; taken once.
    pub(super) fn take(&self) -> Option<Stream> {
        lock(&self.0).take()
    }
}

/// A stream as an ordinary body: all frames that are due go into one write, and a comment where
/// nothing was due for a heartbeat.
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
    pub(super) fn cut_after(self, stall_timeout: Duration) -> PatientBody {
        PatientBody::new(self, stall_timeout)
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

/// Spreads the clients' return after a shutdown over 1 to 5 s, so that they do not come all at once.
/// A client's ID is random, so it is as good as a dice.
pub(super) fn spread_retry(id: ClientId) -> u64 {
    let bytes = id.as_bytes();
    1000 + u64::from(u16::from_be_bytes([bytes[0], bytes[1]])) * 4000 / u64::from(u16::MAX)
}

/// What a control stream says.
pub(super) struct ControlEvents(Option<ControlStream>);

impl ControlEvents {
    pub(super) fn new(stream: ControlStream) -> Self {
        Self(Some(stream))
    }

    /// Appends what is news; ready with true once all has been said.
    pub(super) fn poll_append(&mut self, out: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<bool> {
        let Some(stream) = &mut self.0 else {
            return Poll::Ready(true);
        };
        let event = ready!(stream.poll_event(cx));
        match &event {
            ControlEvent::State(state) => out.extend(sse::control(state)),
            ControlEvent::End(end) => out.extend(sse::end(None, *end)),
            ControlEvent::Closing => {
                let retry = spread_retry(stream.client_id());
                out.extend(sse::control_farewell(retry));
            }
        }
        Poll::Ready(!matches!(event, ControlEvent::State(_)))
    }
}

impl Drop for ControlEvents {
    fn drop(&mut self) {
        if let Some(stream) = self.0.take()
            && stream.stands_for_an_operation()
        {
            stream.gone();
            drop_later(stream);
        }
    }
}
