//! `GET /sse/clients`: every client, for whoever has the token. A client's ID is a capability, so where
//! there is no token there is no list.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::server::App;
use crate::server::problem::{Problem, ProblemKind};
use crate::server::request::token::Authorized;
use crate::wire::answer::{Client, Clients};
use crate::wire::json::rfc3339;

pub(in crate::server) async fn clients(
    State(app): State<App>,
    _: Authorized,
) -> Result<Response, Problem> {
    if app.options.access.token.is_none() {
        return Err(ProblemKind::NoListWithoutToken.into());
    }
    let clients = app.hub.clients().into_iter().map(|it| Client {
        client_id: it.id.to_string(),
        subscribers: it.subscribers,
        messages: it.messages,
        created: rfc3339(it.created),
        last_activity: rfc3339(it.last_activity),
    });
    let clients = Clients {
        clients: clients.collect(),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(clients)).into_response())
}
