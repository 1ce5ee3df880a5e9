//! `GET /sse/connect`: issues a client ID and opens its channel.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{App, authorized::Authorized, problem::Problem};
use crate::wire::{self, answer::Connected};

pub(super) async fn connect(
    State(app): State<App>,
    _: Authorized,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = app.hub.connect()?;
    tracing::debug!(client = id.short(), "client ID issued");
    let named = [
        (wire::CLIENT_ID_HEADER, id.to_string()),
        (header::CACHE_CONTROL.as_str(), "no-store".into()),
    ];
    Ok(if wants_text(&headers) {
        (named, format!("{id}\n")).into_response()
    } else {
        (
            named,
            Json(Connected::new(id, app.hub.limits().idle_timeout)),
        )
            .into_response()
    })
}

/// Whether the client names plain text as what it takes, and JSON not before it.
fn wants_text(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .find(|range| {
            range.eq_ignore_ascii_case("text/plain")
                || range.eq_ignore_ascii_case(wire::JSON)
                || *range == "*/*"
        })
        .is_some_and(|range| range.eq_ignore_ascii_case("text/plain"))
}
