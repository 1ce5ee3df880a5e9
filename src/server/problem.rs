//! Error answers (RFC 9457): how they are written.

mod kind;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

pub(super) use kind::ProblemKind;

use crate::wire::{self, answer};

/// How long a client should wait before it retries after reaching a limit, in seconds.
const LIMIT_RETRY_SECONDS: u16 = 5;
/// How long a client should wait for a server that is shutting down, in seconds.
const CLOSING_RETRY_SECONDS: u16 = 1;

/// An error answer.
#[derive(Debug)]
pub(super) struct Problem {
    kind: ProblemKind,
    /// The refused line of an NDJSON body, from 1.
    line: Option<u64>,
    /// How many messages of the request were published.
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

    /// Adds the line of an NDJSON body, from 1, and how many messages were published.
    pub(super) fn in_line(self, line: u64, accepted: u64) -> Self {
        Self {
            line: Some(line),
            ..self.after(accepted)
        }
    }

    /// Adds how many messages of the request were published.
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
    use crate::channels::Refusal;
    use crate::hub;

    const DOCUMENT: &str = include_str!("../../docs/http-api.md");

    fn every_kind() -> impl Iterator<Item = ProblemKind> {
        let hubs = hub::Refusal::iter().map(Refusal::Hub);
        let refusals = hubs.chain(Refusal::iter());
        ProblemKind::iter().chain(refusals.map(ProblemKind::Refused))
    }

    /// Returns the rows of the documented table whose head begins with this cell: the first cell, and the rest.
    fn table(head: &str) -> Vec<(&'static str, &'static str)> {
        DOCUMENT
            .lines()
            .skip_while(|line| !line.starts_with(&format!("| {head} |")))
            .skip(2)
            .map_while(|line| line.strip_prefix("| ")?.split_once(" | "))
            .collect()
    }

    /// Returns what the documented row of its status must contain.
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
            ProblemKind::BodyLate(_) => "a body that did not arrive within its time",
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
    fn the_documented_statuses_and_types_are_the_servers() {
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
