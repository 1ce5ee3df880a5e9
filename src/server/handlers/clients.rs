//! `GET /sse/clients`: lists all clients. A client ID gives access to the client, so the list requires the token, and a
//! server without a token has no list.

use std::panic::resume_unwind;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tokio::task;

use crate::hub::ClientInfo;
use crate::server::App;
use crate::server::problem::{Problem, ProblemKind};
use crate::server::request::token::Authorized;
use crate::wire;
use crate::wire::answer::{Client, Clients};
use crate::wire::json::rfc3339;

pub(in crate::server) async fn clients(
    State(app): State<App>,
    _: Authorized,
) -> Result<Response, Problem> {
    if app.options.access.token.is_none() {
        return Err(ProblemKind::NoListWithoutToken.into());
    }
    let clients = app.channels.clients().await?;
    // A long list would hold up the other requests of this thread.
    let list = task::spawn_blocking(move || serde_json::to_vec(&list(clients)));
    let list = list
        .await
        .unwrap_or_else(|error| resume_unwind(error.into_panic()));
    let list = list.expect("text and numbers can always be written");
    let head = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_TYPE, wire::JSON),
    ];
    Ok((head, list).into_response())
}

fn list(clients: Vec<ClientInfo>) -> Clients {
    let clients = clients.into_iter().map(|it| Client {
        client_id: it.id.to_string(),
        subscribers: it.subscribers,
        messages: it.messages,
        created: rfc3339(it.created),
        last_activity: rfc3339(it.last_activity),
    });
    Clients {
        clients: clients.collect(),
    }
}
