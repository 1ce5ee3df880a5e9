//! The token check: an extractor for the handlers that need it.
//!
//! Without a configured token, every request is authorised. Reading a known stream and stopping one need only the
//! client ID, since an `EventSource` cannot set headers.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};

use crate::server::App;
use crate::server::problem::{Problem, ProblemKind};
use crate::token::Token;

/// Proof that the request has the server's token, or that the server requires none.
pub(in crate::server) struct Authorized;

impl FromRequestParts<App> for Authorized {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Self::of(&parts.headers, app)
    }
}

impl Authorized {
    pub(in crate::server) fn of(headers: &HeaderMap, app: &App) -> Result<Self, Problem> {
        let fields = headers.get_all(header::AUTHORIZATION).iter();
        Self::by(fields.map(HeaderValue::as_bytes), app)
    }

    /// Checks the values of the headers `Authorization`.
    pub(in crate::server) fn by<'a>(
        fields: impl Iterator<Item = &'a [u8]>,
        app: &App,
    ) -> Result<Self, Problem> {
        match &app.options.access.token {
            Some(token) => check(fields, token).map(|()| Self),
            None => Ok(Self),
        }
    }
}

fn check<'a>(mut fields: impl Iterator<Item = &'a [u8]>, token: &Token) -> Result<(), Problem> {
    match (fields.next().map(bearer), fields.next()) {
        (Some(Some(given)), None) if token.matches(given) => Ok(()),
        (None, _) => Err(ProblemKind::TokenMissing.into()),
        (Some(None), _) => Err(ProblemKind::TokenOfAnotherSort.into()),
        (Some(Some(_)), _) => Err(ProblemKind::TokenWrong.into()),
    }
}

/// Returns the token after the scheme, whose case is ignored (RFC 9110, 11.1).
fn bearer(field: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = field.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}
