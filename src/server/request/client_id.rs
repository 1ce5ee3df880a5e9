//! The client that a request is about: from its path, its `Sse-Client-ID` header, or both.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::event::ClientId;
use crate::server::problem::{Problem, ProblemKind};
use crate::wire::{self, Route};

/// The client named by the request's path, or else by its header. It is an error if they differ.
pub(in crate::server) struct NamedClient(pub(in crate::server) ClientId);

impl<S: Send + Sync> FromRequestParts<S> for NamedClient {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let in_path = Route::parse(parts.uri.path()).map_or("", |(_, id)| id);
        if in_path.is_empty() {
            let id = from_header(&parts.headers)?;
            return Ok(Self(id.ok_or(ProblemKind::ClientIdMissing)?));
        }
        let id = parse(in_path, "the path")?;
        if from_header(&parts.headers)?.is_some_and(|other| other != id) {
            return Err(ProblemKind::ClientIdOfAnother.into());
        }
        Ok(Self(id))
    }
}

/// Parses the header; empty means absent.
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
