//! `GET /sse/debug/{clientId}`: one subscriber's stream.

use std::{
    convert::Infallible,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Instant, Sleep, sleep};

use super::{App, identity::PathClient, problem::Problem};
use crate::{
    event::{ClientId, EventId, Format, unix_millis},
    hub::{Delivery, Position, Refusal, Start, Subscription},
    wire::{self, sse},
};

/// So many bytes of frames are gathered into one write.
const WRITE_BYTES: usize = 64 * 1024;

pub(super) type Parameters = Query<Vec<(String, String)>>;

pub(super) async fn subscribe(
    State(app): State<App>,
    PathClient(id): PathClient,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = parameter(&parameters, "format").map_or(Ok(Format::Text), str::parse);
    let format = format.map_err(|error| Problem::bad_request(error.to_string()))?;
    let position = position(&parameters, &headers)?;
    let subscription = match app.hub.subscribe(id, format, position) {
        // Tells an EventSource to stop reconnecting (WHATWG HTML 9.2.3).
        Err(Refusal::Ended) => return Ok(StatusCode::NO_CONTENT.into_response()),
        other => other?,
    };
    tracing::debug!(client = id.short(), start = ?subscription.start(), "subscribed");
    let head = [
        (header::CONTENT_TYPE.as_str(), wire::EVENT_STREAM.to_owned()),
        (
            header::CACHE_CONTROL.as_str(),
            "no-cache, no-transform".to_owned(),
        ),
        ("x-accel-buffering", "no".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        (wire::CLIENT_ID_HEADER, id.to_string()),
        (wire::FORMAT_HEADER, format.as_str().to_owned()),
    ];
    Ok((
        head,
        Body::new(StreamBody::new(subscription, app.options.heartbeat)),
    )
        .into_response())
}

/// The first parameter of this name.
pub(super) fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters
        .iter()
        .find(|(it, _)| it == name)
        .map(|(_, value)| value.as_str())
}

/// Where the reader wants to begin: its cursor goes before `tail`, which is for the first time only.
fn position(parameters: &[(String, String)], headers: &HeaderMap) -> Result<Position, Problem> {
    let header = headers
        .get(wire::LAST_EVENT_ID_HEADER)
        .map(|value| value.to_str().unwrap_or("?"));
    let cursor = [
        header,
        parameter(parameters, "lastEventId"),
        parameter(parameters, "last_event_id"),
    ];
    if let Some(cursor) = cursor.into_iter().flatten().find(|it| !it.is_empty()) {
        let cursor: EventId = cursor
            .parse()
            .map_err(|error| Problem::bad_request(format!("malformed Last-Event-ID: {error}")))?;
        return Ok(Position::After(cursor));
    }
    match parameter(parameters, "tail") {
        None => Ok(Position::Start),
        Some(count) => count
            .parse()
            .map(Position::Tail)
            .map_err(|_| Problem::bad_request("tail must be a number of messages, 0 or more")),
    }
}

/// A stream's body: all frames that are due go into one write, and a comment where nothing was due
/// for a heartbeat.
struct StreamBody {
    /// `None` once the last bytes are out.
    subscription: Option<Subscription>,
    /// What goes out before the first frame.
    first: Vec<u8>,
    heartbeat: Duration,
    /// Fires at `written + heartbeat`, or before and is set again: that costs less than setting it at
    /// every write.
    timer: Pin<Box<Sleep>>,
    written: Instant,
}

impl StreamBody {
    fn new(subscription: Subscription, heartbeat: Duration) -> Self {
        let first = match subscription.start() {
            Start::Fresh => {
                sse::greeting(subscription.last(), unix_millis(), subscription.format())
            }
            Start::Resumed => sse::RESUMED.to_vec(),
            Start::Restarted => Vec::new(),
        };
        let timer = Box::pin(sleep(heartbeat));
        Self {
            subscription: Some(subscription),
            first,
            heartbeat,
            timer,
            written: Instant::now(),
        }
    }

    /// Appends all that is due.
    fn gather(&mut self, out: &mut Vec<u8>, cx: &mut Context<'_>) {
        while out.len() < WRITE_BYTES
            && let Some(subscription) = &mut self.subscription
            && let Poll::Ready(delivery) = subscription.poll_read(out, WRITE_BYTES, cx)
        {
            let last = subscription.last();
            match delivery {
                Delivery::Events => {}
                Delivery::Gap(gap, id) => {
                    tracing::debug!(client = subscription.client_id().short(), %gap, "gap");
                    out.extend(sse::gap(id, gap));
                }
                Delivery::End(end) => {
                    out.extend(sse::end(last, end));
                    self.subscription = None;
                }
                Delivery::Closing => {
                    let retry = spread_retry(subscription.client_id());
                    out.extend(sse::farewell(
                        last,
                        unix_millis(),
                        retry,
                        subscription.format(),
                    ));
                    self.subscription = None;
                }
            }
        }
    }

    fn poll_heartbeat(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let due = self.written + self.heartbeat;
            let is_due = due <= Instant::now();
            self.timer.as_mut().reset(if is_due {
                Instant::now() + self.heartbeat
            } else {
                due
            });
            if is_due {
                return Poll::Ready(());
            }
        }
    }
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut out = mem::take(&mut self.first);
        self.gather(&mut out, cx);
        if out.is_empty() {
            if self.subscription.is_none() {
                return Poll::Ready(None);
            }
            ready!(self.poll_heartbeat(cx));
            out.extend_from_slice(sse::HEARTBEAT);
        }
        self.written = Instant::now();
        Poll::Ready(Some(Ok(Frame::data(out.into()))))
    }
}

/// Spreads the clients' return after a shutdown over 1 to 5 s, so that they do not come all at once.
/// A client's ID is random, so it is as good as a dice.
fn spread_retry(id: ClientId) -> u64 {
    let bytes = id.as_bytes();
    1000 + u64::from(u16::from_be_bytes([bytes[0], bytes[1]])) * 4000 / u64::from(u16::MAX)
}
