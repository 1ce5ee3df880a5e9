//! The client that a request is about: from its path, its `Sse-Client-ID` header, or both.

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
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
        let fields = parts.headers.get_all(wire::CLIENT_ID_HEADER).iter();
        Self::by(in_path, fields.map(HeaderValue::as_bytes))
    }
}

impl NamedClient {
    /// Parses the ID in the path, which is empty if there is none, and the values of the headers.
    pub(in crate::server) fn by<'a>(
        in_path: &str,
        fields: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self, Problem> {
        let in_header = from_header(fields);
        if in_path.is_empty() {
            return Ok(Self(in_header?.ok_or(ProblemKind::ClientIdMissing)?));
        }
        let id = parse(in_path.as_bytes(), "the path")?;
        if in_header?.is_some_and(|other| other != id) {
            return Err(ProblemKind::ClientIdOfAnother.into());
        }
        Ok(Self(id))
    }
}

/// Parses the header; empty means absent.
fn from_header<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Result<Option<ClientId>, Problem> {
    let mut named = None;
    for value in fields.map(<[u8]>::trim_ascii) {
        if value.is_empty() {
            continue;
        }
        let id = parse(value, "the header Sse-Client-ID")?;
        if named.is_some_and(|known| known != id) {
            return Err(ProblemKind::ClientIdTwice.into());
        }
        named = Some(id);
    }
    Ok(named)
}

fn parse(text: &[u8], place: &'static str) -> Result<ClientId, ProblemKind> {
    let text = str::from_utf8(text).ok();
    let id = text.and_then(|it| it.parse().ok());
    id.ok_or(ProblemKind::ClientIdMalformed(place))
}
