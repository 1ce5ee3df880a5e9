//! The reasons to refuse a request.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use thiserror::Error;

use crate::channels::Refusal;
use crate::event::NotAClientId;
use crate::hub;
use crate::wire::{self, Route, answer};

/// Why a request is refused. The text says what is wrong and what to do.
#[derive(Debug, Error)]
#[cfg_attr(test, derive(strum::EnumIter))]
pub(in crate::server) enum ProblemKind {
    #[error("the header Host is missing (RFC 9112, 3.2); send the server's name in it")]
    HostMissing,
    #[error("the header Host is sent twice")]
    HostTwice,
    #[error("this server is not known as {0}; if it should be, start it with --allowed-host {0}")]
    HostForeign(String),
    #[error("the header Origin is sent twice")]
    OriginTwice,
    #[error(
        "pages of the origin {0} may not use this server; if they should, start it with --cors-origin {0}"
    )]
    OriginForeign(String),
    #[error(
        "a page of another origin embeds this address; only a page whose origin is given with --cors-origin may use this server"
    )]
    EmbeddedElsewhere,
    #[error("a browser's prefetch must not issue, open or end anything; open the address")]
    Prefetch,
    #[error("the header Transfer-Encoding must be sent once, and be chunked")]
    TransferEncoding,
    #[error("there is nothing at {0}; the API is below /api/v1/sse")]
    PathUnknown(String),
    #[error(
        "this server's page has no such file; if the page was open before the server was replaced, reload it"
    )]
    ViewerFileUnknown,
    #[error("the method {0} is not supported for this path; use {1}")]
    MethodNotAllowed(Method, String),
    #[error(
        "this server asks for its token; codechat reads it from --token-file, CODECHAT_TOKEN_FILE or CODECHAT_TOKEN, other clients send it as in: Authorization: Bearer TOKEN"
    )]
    TokenMissing,
    #[error(
        "this server accepts its token only, no other credentials; codechat reads it from --token-file, CODECHAT_TOKEN_FILE or CODECHAT_TOKEN, other clients send it as in: Authorization: Bearer TOKEN"
    )]
    TokenOfAnotherSort,
    #[error(
        "this is not the server's token; codechat reads it from --token-file, CODECHAT_TOKEN_FILE or CODECHAT_TOKEN, other clients send it as in: Authorization: Bearer TOKEN"
    )]
    TokenWrong,
    #[error("clients are listed only by a server with a token; start it with --token-file")]
    NoListWithoutToken,
    #[error("the client ID in {0} is malformed: {NotAClientId}")]
    ClientIdMalformed(&'static str),
    #[error("the header Sse-Client-ID is sent twice, with different IDs")]
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
    #[error("the body is not a message object: {0}")]
    NotAMessage(String),
    #[error("{0}")]
    LineMalformed(String),
    #[error("the body is not a control request: {0}")]
    NotAControlRequest(String),
    #[error(
        "a multipart body cannot be a message; send text, application/json or application/x-ndjson"
    )]
    Multipart,
    #[error(
        "the charset {0} is not supported; send UTF-8, or another charset of the WHATWG Encoding Standard"
    )]
    CharsetUnknown(String),
    #[error("NDJSON is UTF-8 only, not {0}")]
    LinesNotUtf8(&'static str),
    #[error("a body with a Content-Encoding is not accepted; send it without one")]
    ContentCoding,
    #[error("a broadcast takes one message, as text or application/json, not application/x-ndjson")]
    BroadcastOfLines,
    #[error("the body did not arrive within {0:?}")]
    BodyLate(Duration),
    #[error("its end did not arrive within {0:?} of its first byte")]
    LineLate(Duration),
    #[error("the body was cut short: {0}")]
    BodyCutShort(String),
    #[error("the body cannot be read: {0}")]
    BodyInvalid(String),
    #[error(
        "{0} is over the limit of {1} bytes; send it in pieces, or start the server with a higher --max-message"
    )]
    MessageTooLarge(&'static str, usize),
    #[error("the control request is over the limit of {0} bytes")]
    ControlRequestTooLarge(usize),
    #[error("the server failed on this request, which is a bug; its log says more")]
    Panicked,
    /// A refusal of the channels.
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
    pub(super) fn status(&self) -> StatusCode {
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

    /// Returns the problem's type: a URI reference that clients may compare.
    pub(super) fn type_uri(&self) -> &'static str {
        match self {
            Self::Refused(Refusal::Hub(hub::Refusal::Ended)) => answer::ENDED,
            _ => "about:blank",
        }
    }
}
