//! `GET /sse/connect`: issues a client ID and opens its channel.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use crate::event::ClientId;
use crate::server::App;
use crate::server::access::gate::refuse_prefetch;
use crate::server::problem::Problem;
use crate::server::request::token::Authorized;
use crate::wire::answer::Connected;
use crate::wire::{self, Route};

pub(in crate::server) async fn connect(
    State(app): State<App>,
    _: Authorized,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    refuse_prefetch(&headers)?;
    let accepted = headers.get_all(header::ACCEPT).iter();
    let in_text = wants_text(accepted.filter_map(|value| value.to_str().ok()));
    let id = app.channels.connect().await?;
    log_issued(id);
    let head = head(id);
    Ok(if in_text {
        (head, format!("{id}\n")).into_response()
    } else {
        let idle_timeout = app.channels.hub().limits().idle_timeout;
        // The prefix of a nested router is known only from the request.
        let prefix = uri.path().strip_suffix(Route::Connect.path());
        let answer = Connected::new(id, idle_timeout).below(prefix.unwrap_or_default());
        (head, Json(answer)).into_response()
    })
}

pub(in crate::server) fn log_issued(id: ClientId) {
    tracing::debug!(client = id.short(), "client ID issued");
}

/// Returns the headers of the answer.
pub(in crate::server) fn head(id: ClientId) -> [(&'static str, String); 2] {
    [
        (wire::CLIENT_ID_HEADER, id.to_string()),
        (header::CACHE_CONTROL.as_str(), "no-store".into()),
    ]
}

/// Returns whether the client prefers plain text to JSON. `accepted` are the values of its headers `Accept`.
pub(in crate::server) fn wants_text<'a>(accepted: impl Iterator<Item = &'a str>) -> bool {
    accepted
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .find(|range| {
            range.eq_ignore_ascii_case("text/plain")
                || range.eq_ignore_ascii_case(wire::JSON)
                || *range == "*/*"
        })
        .is_some_and(|range| range.eq_ignore_ascii_case("text/plain"))
}
