//! Which client a request is about: by its path, its `Sse-Client-ID` header, or both.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::event::ClientId;
use crate::server::problem::{Problem, ProblemKind};
use crate::wire;

/// The client that the path names. A different one in the header is refused.
pub(in crate::server) struct PathClient(pub(in crate::server) ClientId);

/// The client that the header names.
pub(in crate::server) struct HeaderClient(pub(in crate::server) ClientId);

impl<S: Send + Sync> FromRequestParts<S> for PathClient {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Wherever a path names a client, it does so last.
        let last = parts.uri.path().rsplit('/').next().unwrap_or_default();
        let id = parse(last, "the path")?;
        match from_header(&parts.headers)? {
            Some(other) if other != id => Err(ProblemKind::ClientIdOfAnother.into()),
            _ => Ok(Self(id)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for HeaderClient {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        from_header(&parts.headers)?
            .map(Self)
            .ok_or_else(|| ProblemKind::ClientIdMissing.into())
    }
}

/// Empty means absent.
fn from_header(headers: &HeaderMap) -> Result<Option<ClientId>, Problem> {
    const PLACE: &str = "the header Sse-Client-ID";
    let mut named = None;
    for value in headers.get_all(wire::CLIENT_ID_HEADER) {
        let text = value
            .to_str()
            .map_err(|_| ProblemKind::ClientIdMalformed(PLACE))?
            .trim();
        if text.is_empty() {
            continue;
        }
        let id = parse(text, PLACE)?;
        if named.is_some_and(|known| known != id) {
            return Err(ProblemKind::ClientIdTwice.into());
        }
        named = Some(id);
    }
    Ok(named)
}

fn parse(text: &str, place: &'static str) -> Result<ClientId, ProblemKind> {
    text.parse()
        .map_err(|_| ProblemKind::ClientIdMalformed(place))
}
