//! Error answers: a status and one sentence that says what is wrong and what to do (RFC 9457).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    hub::Refusal,
    wire::{self, answer},
};

/// How long a client should wait before it tries again what a limit refused, in seconds.
const LIMIT_RETRY_SECONDS: u16 = 5;
/// How long a client should wait for a server that shuts down, in seconds.
const CLOSING_RETRY_SECONDS: u16 = 1;

/// An error answer.
#[derive(Debug)]
pub(super) struct Problem {
    kind: &'static str,
    status: StatusCode,
    detail: String,
    retry_seconds: Option<u16>,
    line: Option<u64>,
    accepted: Option<u64>,
    offset: Option<usize>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            kind: "about:blank",
            status,
            detail,
            retry_seconds: None,
            line: None,
            accepted: None,
            offset: None,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Text that is not UTF-8 from this byte on, counted from 0.
    pub(super) fn not_utf8(offset: usize) -> Self {
        let detail = format!("the text is not valid UTF-8 at byte offset {offset}; send UTF-8");
        Self {
            offset: Some(offset),
            ..Self::bad_request(detail)
        }
    }

    /// Something is over its limit of so many bytes.
    pub(super) fn too_large(what: &str, limit: usize) -> Self {
        let detail = format!(
            "{what} is over the limit of {limit} bytes; send it in pieces, or start the server with a higher --max-message"
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// Tells which line of an ndjson body it was, counted from 1, and how many messages stand.
    pub(super) fn in_line(self, line: u64, accepted: u64) -> Self {
        let detail = format!("line {line}: {}", self.detail);
        Self {
            detail,
            line: Some(line),
            accepted: Some(accepted),
            ..self
        }
    }

    /// Tells how many messages of the request stand.
    pub(super) fn after(self, accepted: u64) -> Self {
        Self {
            accepted: Some(accepted),
            ..self
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, retry_seconds) = match refusal {
            Refusal::Unknown | Refusal::Ended => (StatusCode::NOT_FOUND, None),
            Refusal::TooManyClients(_)
            | Refusal::TooManySubscribers(_)
            | Refusal::TooManyControlStreams(_)
            | Refusal::OutOfMemory(_) => (StatusCode::TOO_MANY_REQUESTS, Some(LIMIT_RETRY_SECONDS)),
            Refusal::Closing => (StatusCode::SERVICE_UNAVAILABLE, Some(CLOSING_RETRY_SECONDS)),
        };
        let kind = match refusal {
            Refusal::Ended => answer::ENDED,
            _ => "about:blank",
        };
        Self {
            kind,
            retry_seconds,
            ..Self::new(status, refusal.to_string())
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = answer::Problem {
            kind: self.kind.into(),
            title: self.status.canonical_reason().unwrap_or_default().into(),
            status: self.status.as_u16(),
            detail: self.detail,
            line: self.line,
            accepted: self.accepted,
            offset: self.offset,
        };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (
            self.status,
            [(header::CONTENT_TYPE, wire::PROBLEM_JSON)],
            json,
        )
            .into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
