//! Reading a request's body: what it is, how long it may be, and what is done with the rest of one that is
//! refused.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{Duration, timeout};

use crate::message::Message;
use crate::server::App;
use crate::server::problem::{Problem, ProblemKind};
use crate::wire;

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

/// What a body is, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum BodyKind {
    Text,
    Json,
    Ndjson,
}

impl BodyKind {
    pub(in crate::server) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
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
            Err(ProblemKind::Multipart.into())
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

/// A whole body as text, for as long as `check` has nothing against its length.
pub(in crate::server) async fn read_text(
    app: &App,
    body: &mut Body,
    check: impl Fn(usize) -> Result<(), Problem>,
) -> Result<String, Problem> {
    let read = timeout(app.options.body_timeout, read_body(body, check)).await;
    let bytes = read.map_err(|_| ProblemKind::BodyLate(app.options.body_timeout))??;
    String::from_utf8(bytes)
        .map_err(|error| ProblemKind::NotUtf8(error.utf8_error().valid_up_to()).into())
}

/// Checks the length of a message's JSON, as it came, against the most that a message of `max` bytes of text
/// can take.
pub(in crate::server) fn check_json(length: usize, max: usize) -> Result<(), Problem> {
    let limit = (max + JSON_EXTRA) * JSON_ESCAPE_MAX;
    if length > limit {
        return Err(ProblemKind::MessageTooLarge("the message's JSON", limit).into());
    }
    Ok(())
}

/// Checks a message that came as JSON: its text alone, and its text with all else.
pub(in crate::server) fn check_size(message: Message, max: usize) -> Result<Message, Problem> {
    if message.text.len() > max {
        Err(ProblemKind::MessageTooLarge("the message's text", max).into())
    } else if message.heap_size() > max + JSON_EXTRA {
        Err(ProblemKind::MessageTooLarge("the message with its fields", max + JSON_EXTRA).into())
    } else {
        Ok(message)
    }
}

fn check_text(length: usize, max: usize) -> Result<(), Problem> {
    if length > max {
        return Err(ProblemKind::MessageTooLarge("the message's text", max).into());
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
    let why = error.to_string();
    if is_cut_short {
        ProblemKind::BodyCutShort(why)
    } else {
        ProblemKind::BodyInvalid(why)
    }
    .into()
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
