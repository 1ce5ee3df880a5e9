//! Error answers (RFC 9457): every reason to refuse a request, with its status, type and text.

use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use crate::channels::Refusal;
use crate::event::NotAClientId;
use crate::hub;
use crate::wire::{self, Route, answer};

/// How long a client should wait before it tries again what a limit refused, in seconds.
const LIMIT_RETRY_SECONDS: u16 = 5;
/// How long a client should wait for a server that shuts down, in seconds.
const CLOSING_RETRY_SECONDS: u16 = 1;

/// Why a request is refused. The text says what is wrong and what to do.
#[derive(Debug, Error)]
#[cfg_attr(test, derive(strum::EnumIter))]
pub(super) enum ProblemKind {
    #[error("the header Host is missing (RFC 9112, 3.2); send the server's name in it")]
    HostMissing,
    #[error("the header Host is there twice")]
    HostTwice,
    #[error("this server is not known as {0}; if it should be, start it with --allowed-host {0}")]
    HostForeign(String),
    #[error("the header Origin is there twice")]
    OriginTwice,
    #[error(
        "pages of the origin {0} may not use this server; if they should, start it with --cors-origin {0}"
    )]
    OriginForeign(String),
    #[error(
        "a page of another origin embeds this address; only a page whose origin is given with --cors-origin may use this server"
    )]
    EmbeddedElsewhere,
    #[error("a browser's prefetch issues, opens and ends nothing; open the address")]
    Prefetch,
    #[error("the header Transfer-Encoding must be there once and say nothing but chunked")]
    TransferEncoding,
    #[error("there is nothing at {0}; the API is below /api/v1/sse")]
    PathUnknown(String),
    #[error(
        "this server's page has no such file; if the page was open before the server was replaced, reload it"
    )]
    ViewerFileUnknown,
    #[error("{0} is not for this path, which takes {1}")]
    MethodNotAllowed(Method, String),
    #[error(
        "this server asks for its token; codechat reads it from --token-file or CODECHAT_TOKEN, other clients send it as in: Authorization: Bearer TOKEN"
    )]
    TokenMissing,
    #[error(
        "this server takes its token alone, no other sort of credentials; codechat reads it from --token-file or CODECHAT_TOKEN, other clients send it as in: Authorization: Bearer TOKEN"
    )]
    TokenOfAnotherSort,
    #[error(
        "this is not the server's token; codechat reads it from --token-file or CODECHAT_TOKEN, other clients send it as in: Authorization: Bearer TOKEN"
    )]
    TokenWrong,
    #[error("clients are listed only by a server with a token; start it with --token-file")]
    NoListWithoutToken,
    #[error("the client ID in {0} is malformed: {NotAClientId}")]
    ClientIdMalformed(&'static str),
    #[error("the header Sse-Client-ID is there twice, with different IDs")]
    ClientIdTwice,
    #[error(
        "the header Sse-Client-ID names another client than the path; send the same ID in both, or leave the header out"
    )]
    ClientIdOfAnother,
    #[error(
        "no client is named; send its ID in the header Sse-Client-ID, or post to {}/{{clientId}}",
        Route::Publish.path()
    )]
    ClientIdMissing,
    #[error(
        "Idempotency-Key must be text of at most {} bytes",
        wire::IDEMPOTENCY_KEY_MAX
    )]
    IdempotencyKeyMalformed,
    #[error("{0}")]
    QueryMalformed(String),
    #[error("malformed Last-Event-ID: {0}")]
    CursorMalformed(String),
    #[error("tail must be a number of messages, 0 or more")]
    TailMalformed,
    #[error("the text is not valid UTF-8 at byte offset {0}; send UTF-8")]
    NotUtf8(usize),
    #[error(
        "the text is not valid {0} at byte offset {1}; send it in the charset that Content-Type names"
    )]
    NotInCharset(&'static str, usize),
    #[error("the message is empty; send its text as the body, as in: curl -d 'hello' URL")]
    MessageEmpty,
    #[error("the body is no message object: {0}")]
    NotAMessage(String),
    #[error("{0}")]
    LineMalformed(String),
    #[error("the body is no control request: {0}")]
    NotAControlRequest(String),
    #[error(
        "a multipart body cannot be a message; send text, application/json or application/x-ndjson"
    )]
    Multipart,
    #[error(
        "the charset {0} is not understood; send UTF-8, or another charset of the WHATWG Encoding Standard"
    )]
    CharsetUnknown(String),
    #[error("NDJSON is UTF-8 only, not {0}")]
    LinesNotUtf8(&'static str),
    #[error("a body with a Content-Encoding is not taken; send it as it is, without one")]
    ContentCoding,
    #[error("a broadcast takes one message, as text or application/json, not application/x-ndjson")]
    BroadcastOfLines,
    #[error("the body did not come within {0:?}")]
    BodyLate(Duration),
    #[error("its end did not come within {0:?} of its first byte")]
    LineLate(Duration),
    #[error("the body broke off: {0}")]
    BodyCutShort(String),
    #[error("the body broke off: {0}")]
    BodyInvalid(String),
    #[error(
        "{0} is over the limit of {1} bytes; send it in pieces, or start the server with a higher --max-message"
    )]
    MessageTooLarge(&'static str, usize),
    #[error("the control request is over the limit of {0} bytes")]
    ControlRequestTooLarge(usize),
    #[error("the server failed at this request, which is a bug in it; its log says more")]
    Panicked,
    /// What the channels refuse.
    #[error(transparent)]
    #[cfg_attr(test, strum(disabled))]
    Refused(#[from] Refusal),
}

impl From<hub::Refusal> for ProblemKind {
    fn from(refusal: hub::Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl ProblemKind {
    fn status(&self) -> StatusCode {
        match self {
            Self::HostMissing
            | Self::HostTwice
            | Self::OriginTwice
            | Self::TransferEncoding
            | Self::ClientIdMalformed(_)
            | Self::ClientIdTwice
            | Self::ClientIdOfAnother
            | Self::ClientIdMissing
            | Self::IdempotencyKeyMalformed
            | Self::QueryMalformed(_)
            | Self::CursorMalformed(_)
            | Self::TailMalformed
            | Self::NotUtf8(_)
            | Self::NotInCharset(..)
            | Self::MessageEmpty
            | Self::NotAMessage(_)
            | Self::LineMalformed(_)
            | Self::NotAControlRequest(_)
            | Self::BodyInvalid(_) => StatusCode::BAD_REQUEST,
            Self::TokenMissing | Self::TokenOfAnotherSort | Self::TokenWrong => {
                StatusCode::UNAUTHORIZED
            }
            Self::HostForeign(_)
            | Self::OriginForeign(_)
            | Self::EmbeddedElsewhere
            | Self::Prefetch => StatusCode::FORBIDDEN,
            Self::PathUnknown(_)
            | Self::ViewerFileUnknown
            | Self::NoListWithoutToken
            | Self::Refused(Refusal::Hub(hub::Refusal::Unknown | hub::Refusal::Ended)) => {
                StatusCode::NOT_FOUND
            }
            Self::MethodNotAllowed(..) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyLate(_) | Self::LineLate(_) | Self::BodyCutShort(_) => {
                StatusCode::REQUEST_TIMEOUT
            }
            Self::MessageTooLarge(..) | Self::ControlRequestTooLarge(_) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Multipart
            | Self::BroadcastOfLines
            | Self::CharsetUnknown(_)
            | Self::LinesNotUtf8(_)
            | Self::ContentCoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Refused(
                Refusal::Hub(
                    hub::Refusal::TooManyClients(_)
                    | hub::Refusal::TooManySubscribers(_)
                    | hub::Refusal::TooManyControlStreams(_)
                    | hub::Refusal::OutOfMemory(_),
                )
                | Refusal::StoreFull,
            ) => StatusCode::TOO_MANY_REQUESTS,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Refused(Refusal::Hub(hub::Refusal::Closing) | Refusal::StoreAway) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The problem's type: a URI reference that a client may look at.
    fn type_uri(&self) -> &'static str {
        match self {
            Self::Refused(Refusal::Hub(hub::Refusal::Ended)) => answer::ENDED,
            _ => "about:blank",
        }
    }
}

/// An error answer.
#[derive(Debug)]
pub(super) struct Problem {
    kind: ProblemKind,
    /// The line of an NDJSON body that is refused, from 1.
    line: Option<u64>,
    /// How many messages of the request stand.
    accepted: Option<u64>,
}

impl<K: Into<ProblemKind>> From<K> for Problem {
    fn from(kind: K) -> Self {
        Self {
            kind: kind.into(),
            line: None,
            accepted: None,
        }
    }
}

impl Problem {
    pub(super) fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// Adds which line of an NDJSON body it was, from 1, and how many messages stand.
    pub(super) fn in_line(self, line: u64, accepted: u64) -> Self {
        Self {
            line: Some(line),
            ..self.after(accepted)
        }
    }

    /// Adds how many messages of the request stand.
    pub(super) fn after(self, accepted: u64) -> Self {
        Self {
            accepted: Some(accepted),
            ..self
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let detail = match self.line {
            Some(line) => format!("line {line}: {}", self.kind),
            None => self.kind.to_string(),
        };
        let body = answer::Problem {
            kind: self.kind.type_uri().into(),
            title: status.canonical_reason().unwrap_or_default().into(),
            status: status.as_u16(),
            detail,
            line: self.line,
            accepted: self.accepted,
            offset: match self.kind {
                ProblemKind::NotUtf8(offset) | ProblemKind::NotInCharset(_, offset) => Some(offset),
                _ => None,
            },
        };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let content_type = [(header::CONTENT_TYPE, wire::PROBLEM_JSON)];
        let mut response = (status, content_type, json).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::UNAUTHORIZED => {
                let scheme = HeaderValue::from_static("Bearer");
                headers.insert(header::WWW_AUTHENTICATE, scheme);
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, LIMIT_RETRY_SECONDS.into());
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, CLOSING_RETRY_SECONDS.into());
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        if matches!(self.kind, ProblemKind::ContentCoding) {
            let identity = HeaderValue::from_static("identity");
            headers.insert(header::ACCEPT_ENCODING, identity);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use strum::IntoEnumIterator;

    use super::*;

    const DOCUMENT: &str = include_str!("../../docs/http-api.md");

    fn every_kind() -> impl Iterator<Item = ProblemKind> {
        let hubs = hub::Refusal::iter().map(Refusal::Hub);
        let refusals = hubs.chain(Refusal::iter());
        ProblemKind::iter().chain(refusals.map(ProblemKind::Refused))
    }

    /// The rows of the documented table whose head begins with this cell: the first cell, and the rest.
    fn table(head: &str) -> Vec<(&'static str, &'static str)> {
        DOCUMENT
            .lines()
            .skip_while(|line| !line.starts_with(&format!("| {head} |")))
            .skip(2)
            .map_while(|line| line.strip_prefix("| ")?.split_once(" | "))
            .collect()
    }

    /// What the documented row of the status says of it.
    fn documented_as(kind: &ProblemKind) -> &'static str {
        match kind {
            ProblemKind::HostMissing | ProblemKind::HostTwice => "no `Host`, or two",
            ProblemKind::OriginTwice => "two `Origin`",
            ProblemKind::HostForeign(_) => "a `Host` that is not the server's",
            ProblemKind::OriginForeign(_) | ProblemKind::EmbeddedElsewhere => {
                "a web page of another origin"
            }
            ProblemKind::Prefetch => "prefetch (`Sec-Purpose",
            ProblemKind::TransferEncoding => "a `Transfer-Encoding` other than `chunked`",
            ProblemKind::PathUnknown(_) => "an unknown path",
            ProblemKind::ViewerFileUnknown => "a file that the page does not have",
            ProblemKind::MethodNotAllowed(..) => "a method that the path does not take",
            ProblemKind::TokenMissing
            | ProblemKind::TokenOfAnotherSort
            | ProblemKind::TokenWrong => "the token is missing or wrong",
            ProblemKind::NoListWithoutToken => "`/clients` on a server without a token",
            ProblemKind::ClientIdMalformed(_) => "a malformed ID",
            ProblemKind::ClientIdTwice
            | ProblemKind::ClientIdOfAnother
            | ProblemKind::ClientIdMissing => "no client ID, or two different ones",
            ProblemKind::IdempotencyKeyMalformed => "a malformed `Idempotency-Key`",
            ProblemKind::QueryMalformed(_) | ProblemKind::TailMalformed => {
                "a malformed query parameter"
            }
            ProblemKind::CursorMalformed(_) => "a malformed cursor",
            ProblemKind::NotUtf8(_) | ProblemKind::NotInCharset(..) => {
                "text that is not valid in its charset"
            }
            ProblemKind::MessageEmpty => "an empty message",
            ProblemKind::NotAMessage(_)
            | ProblemKind::LineMalformed(_)
            | ProblemKind::NotAControlRequest(_)
            | ProblemKind::BodyInvalid(_) => "a malformed body",
            ProblemKind::Multipart => "`multipart/*`",
            ProblemKind::CharsetUnknown(_) => "a charset that is not known",
            ProblemKind::LinesNotUtf8(_) => "NDJSON in another charset than UTF-8",
            ProblemKind::ContentCoding => "a `Content-Encoding`",
            ProblemKind::BroadcastOfLines => "NDJSON to `/broadcast`",
            ProblemKind::BodyLate(_) => "a body that did not come within its time",
            ProblemKind::LineLate(_) => "a line of NDJSON whose end did not",
            ProblemKind::BodyCutShort(_) => "was cut short",
            ProblemKind::MessageTooLarge(..) => "a message",
            ProblemKind::ControlRequestTooLarge(_) => "a control request",
            ProblemKind::Panicked => "a bug in the server",
            ProblemKind::Refused(Refusal::Hub(refusal)) => match refusal {
                hub::Refusal::Unknown => "a client that is unknown",
                hub::Refusal::Ended => "has ended",
                hub::Refusal::TooManyClients(_) => "the limit of clients",
                hub::Refusal::TooManySubscribers(_) => "subscribers",
                hub::Refusal::TooManyControlStreams(_) => "control streams",
                hub::Refusal::OutOfMemory(_) => "memory",
                hub::Refusal::Closing => "the server is shutting down",
            },
            ProblemKind::Refused(Refusal::StoreAway) => "the store does not answer",
            ProblemKind::Refused(Refusal::StoreFull) => "is full",
        }
    }

    #[test]
    fn every_reason_is_documented_at_its_status() {
        let rows = table("status");
        for kind in every_kind() {
            let status = kind.status().as_u16().to_string();
            let (_, text) = rows
                .iter()
                .find(|(it, _)| *it == status)
                .unwrap_or_else(|| panic!("{status} is not documented"));
            let expected = documented_as(&kind);
            assert!(
                text.contains(expected),
                "{status}: {expected:?} in {text:?}"
            );
        }
    }

    #[test]
    fn the_documented_statuses_and_types_are_those_that_there_are() {
        let statuses: BTreeSet<_> = every_kind()
            .map(|it| it.status().as_u16().to_string())
            .collect();
        let documented: BTreeSet<_> = table("status").iter().map(|it| it.0.to_owned()).collect();
        assert_eq!(documented, statuses);
        let types: BTreeSet<_> = every_kind()
            .map(|it| format!("`{}`", it.type_uri()))
            .collect();
        let documented: BTreeSet<_> = table("type").iter().map(|it| it.0.to_owned()).collect();
        assert_eq!(documented, types);
    }
}
