//! Publishing: one message in a body of any sort, or many in ndjson.

mod ndjson;

use std::str::FromStr;

use axum::{
    Json,
    body::Body,
    extract::{Query, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{Duration, Instant, timeout};

use crate::{
    control::Requested,
    event::ClientId,
    hub::Receipt,
    message::{Invalid, Message},
    server::{
        App,
        problem::Problem,
        request::{
            client_id::{HeaderClient, PathClient},
            token::Authorized,
        },
        stream::{Parameters, parameter},
    },
    wire::{
        self,
        answer::{Broadcast, Published},
        json,
    },
};

/// A message's JSON may be so much larger than its text, in bytes.
const JSON_EXTRA: usize = 4 * 1024;
/// The most bytes that one byte of text can take in JSON (`\u0001`).
const JSON_ESCAPE_MAX: usize = 6;
/// So much of a refused request's body is read and dropped before the answer: a client that is still
/// writing would otherwise see its connection reset instead of the reason.
const DRAIN_BYTES: usize = 4 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// The same while the server shuts down, which should not take long.
const CLOSING_DRAIN_TIME: Duration = Duration::from_millis(200);

pub(in crate::server) async fn publish(
    State(app): State<App>,
    access: Result<Authorized, Problem>,
    PathClient(id): PathClient,
    request: Request,
) -> Result<Response, Problem> {
    publish_to(&app, access, id, request).await
}

pub(in crate::server) async fn publish_by_header(
    State(app): State<App>,
    access: Result<Authorized, Problem>,
    HeaderClient(id): HeaderClient,
    request: Request,
) -> Result<Response, Problem> {
    publish_to(&app, access, id, request).await
}

pub(in crate::server) async fn broadcast(
    State(app): State<App>,
    access: Result<Authorized, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, mut body) = request.into_parts();
    let message = match access {
        Ok(Authorized) => read_broadcast(&app, &parts, &mut body).await,
        Err(refused) => Err(refused),
    };
    let message = drained(message, &mut body).await?;
    let key = idempotency_key(&parts.headers)?;
    let clients = app.hub.broadcast(&message, key)?;
    Ok((StatusCode::ACCEPTED, Json(Broadcast { clients })).into_response())
}

async fn read_broadcast(app: &App, parts: &Parts, body: &mut Body) -> Result<Message, Problem> {
    match BodyKind::of(&parts.headers)? {
        BodyKind::Ndjson => {
            let detail = "a broadcast takes one message, as text or application/json, not application/x-ndjson";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            Err(Problem::new(status, detail))
        }
        kind => read_message(app, kind, parts, body).await,
    }
}

async fn publish_to(
    app: &App,
    access: Result<Authorized, Problem>,
    id: ClientId,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, mut body) = request.into_parts();
    let published = match access {
        Ok(Authorized) => try_publish(app, id, &parts, &mut body).await,
        Err(refused) => Err(refused),
    };
    let receipt = drained(published, &mut body).await?;
    let mut body = Vec::new();
    answer(receipt).write(&mut body);
    let kind = [(header::CONTENT_TYPE, wire::JSON)];
    Ok((StatusCode::ACCEPTED, kind, body).into_response())
}

/// What is answered to it.
pub(in crate::server) fn answer(receipt: Receipt) -> Published {
    let Requested { level, cancel } = receipt.requested;
    Published {
        id: receipt.last,
        accepted: receipt.accepted,
        subscribers: receipt.subscribers,
        level: level.map(|it| it.to_string()),
        cancel: cancel.is_some(),
        operation: cancel.and_then(|it| it.operation.map(|it| it.as_str().into())),
    }
}

async fn try_publish(
    app: &App,
    id: ClientId,
    parts: &Parts,
    body: &mut Body,
) -> Result<Receipt, Problem> {
    let key = idempotency_key(&parts.headers)?;
    match BodyKind::of(&parts.headers)? {
        BodyKind::Ndjson => {
            let publisher = app.hub.publish_stream(id, key.map(Into::into))?;
            ndjson::publish(publisher, body, app.options.max_message).await
        }
        kind => {
            let begun = Instant::now();
            let message = read_message(app, kind, parts, body).await?;
            let receipt = app.hub.publish(id, message, key)?;
            app.metrics.publish.observe(begun.elapsed());
            Ok(receipt)
        }
    }
}

/// What a body is, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum BodyKind {
    Text,
    Json,
    Ndjson,
}

impl BodyKind {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let value = headers.get(header::CONTENT_TYPE);
        Self::of_value(value.map(|it| it.to_str().unwrap_or_default()))
    }

    /// By the value of the header `Content-Type`.
    pub(in crate::server) fn of_value(value: Option<&str>) -> Result<Self, Problem> {
        let Some(value) = value else {
            return Ok(Self::Text);
        };
        let essence = value.split(';').next().unwrap_or_default().trim();
        let main = essence.split('/').next().unwrap_or_default();
        if essence.eq_ignore_ascii_case(wire::JSON) {
            Ok(Self::Json)
        } else if essence.eq_ignore_ascii_case(wire::NDJSON) {
            Ok(Self::Ndjson)
        } else if main.len() < essence.len() && main.eq_ignore_ascii_case("multipart") {
            let detail = "a multipart body cannot be a message; send text, application/json or application/x-ndjson";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
        } else {
            Ok(Self::Text)
        }
    }

    /// Checks the length of its body, where a message's text may have `max` bytes.
    pub(in crate::server) fn check(self, length: usize, max: usize) -> Result<(), Problem> {
        match self {
            Self::Text => check_text(length, max),
            Self::Json | Self::Ndjson => check_json(length, max),
        }
    }
}

async fn read_message(
    app: &App,
    kind: BodyKind,
    parts: &Parts,
    body: &mut Body,
) -> Result<Message, Problem> {
    let max = app.options.max_message;
    let text = read_text(app, body, |length| kind.check(length, max)).await?;
    let Query(parameters) = Parameters::try_from_uri(&parts.uri)
        .map_err(|error| Problem::bad_request(error.body_text()))?;
    message(kind, text, &parameters, max)
}

/// The message that a body is. Where it is text, `parameters` say the rest.
pub(in crate::server) fn message(
    kind: BodyKind,
    text: String,
    parameters: &[(String, String)],
    max: usize,
) -> Result<Message, Problem> {
    if kind == BodyKind::Json {
        let message = json::parse_message(&text).map_err(|error| {
            Problem::bad_request(format!("the body is no message object: {error}"))
        })?;
        return check_size(message, max);
    }
    let message = Message {
        text,
        level: optional(parameters, "level")?,
        operation: optional(parameters, "operation")?,
        progress: optional(parameters, "progress")?,
        outcome: optional(parameters, "outcome")?,
        event: optional(parameters, "event")?,
        ..Message::default()
    };
    if message.text.is_empty() && message.progress.is_none() && message.outcome.is_none() {
        return Err(Problem::bad_request(
            "the message is empty; send its text as the body, as in: curl -d 'hello' URL",
        ));
    }
    Ok(message)
}

/// A whole body as text, for as long as `check` has nothing against its length.
pub(in crate::server) async fn read_text(
    app: &App,
    body: &mut Body,
    check: impl Fn(usize) -> Result<(), Problem>,
) -> Result<String, Problem> {
    let read = timeout(app.options.body_timeout, read_body(body, check)).await;
    let bytes = read.map_err(|_| {
        let detail = format!(
            "the body did not come within {:?}",
            app.options.body_timeout
        );
        Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
    })??;
    String::from_utf8(bytes).map_err(|error| Problem::not_utf8(error.utf8_error().valid_up_to()))
}

/// What the query parameter of this name says, where there is one.
pub(in crate::server) fn optional<T: FromStr<Err = Invalid>>(
    parameters: &[(String, String)],
    name: &str,
) -> Result<Option<T>, Problem> {
    let value = parameter(parameters, name).map(str::parse).transpose();
    value.map_err(|error: Invalid| Problem::bad_request(error.to_string()))
}

/// Checks the length of a message's JSON, as it came, against the most that a message of `max` bytes of text
/// can take.
pub(in crate::server) fn check_json(length: usize, max: usize) -> Result<(), Problem> {
    let limit = (max + JSON_EXTRA) * JSON_ESCAPE_MAX;
    if length > limit {
        return Err(Problem::too_large("the message's JSON", limit));
    }
    Ok(())
}

/// Checks a message that came as JSON: its text alone, and its text with all else.
pub(in crate::server) fn check_size(message: Message, max: usize) -> Result<Message, Problem> {
    if message.text.len() > max {
        Err(Problem::too_large("the message's text", max))
    } else if message.heap_size() > max + JSON_EXTRA {
        Err(Problem::too_large(
            "the message with its fields",
            max + JSON_EXTRA,
        ))
    } else {
        Ok(message)
    }
}

fn check_text(length: usize, max: usize) -> Result<(), Problem> {
    if length > max {
        return Err(Problem::too_large("the message's text", max));
    }
    Ok(())
}

async fn read_body(
    body: &mut Body,
    check: impl Fn(usize) -> Result<(), Problem>,
) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = next_chunk(body).await? {
        check(bytes.len() + chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The next bytes of a body; trailers are passed over.
pub(in crate::server) async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken_off(&error))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// A body that ends too early is the network's fault, so its status is one that says to try again.
fn broken_off(error: &axum::Error) -> Problem {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    let mut is_cut_short = false;
    while let Some(error) = cause {
        let kind = error.downcast_ref().map(std::io::Error::kind);
        is_cut_short |= kind == Some(std::io::ErrorKind::UnexpectedEof);
        cause = error.source();
    }
    let status = if is_cut_short {
        StatusCode::REQUEST_TIMEOUT
    } else {
        StatusCode::BAD_REQUEST
    };
    Problem::new(status, format!("the body broke off: {error}"))
}

/// Reads the rest of a refused request's body: see [`DRAIN_BYTES`].
pub(in crate::server) async fn drained<T>(
    result: Result<T, Problem>,
    body: &mut Body,
) -> Result<T, Problem> {
    if let Err(problem) = &result {
        let drain = async {
            let mut read = 0;
            while let Ok(Some(chunk)) = next_chunk(body).await {
                read += chunk.len();
                if read > DRAIN_BYTES {
                    break;
                }
            }
        };
        // Whether it ended or ran out of time, the answer is due.
        let time = match problem.status() {
            StatusCode::SERVICE_UNAVAILABLE => CLOSING_DRAIN_TIME,
            _ => DRAIN_TIME,
        };
        let _ = timeout(time, drain).await;
    }
    result
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(wire::IDEMPOTENCY_KEY_HEADER) else {
        return Ok(None);
    };
    match std::str::from_utf8(value.as_bytes()) {
        Ok("") => Ok(None),
        Ok(key) if key.len() <= wire::IDEMPOTENCY_KEY_MAX => Ok(Some(key)),
        _ => Err(Problem::bad_request(format!(
            "Idempotency-Key must be text of at most {} bytes",
            wire::IDEMPOTENCY_KEY_MAX
        ))),
    }
}
