//! `GET /sse/debug/{clientId}`: opens one subscriber's stream.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};

use crate::channels::Refusal;
use crate::event::{EventId, Format, NotAnEventId};
use crate::hub::{self, Position, Subscription};
use crate::server::App;
use crate::server::access::gate::refuse_prefetch;
use crate::server::problem::{Problem, ProblemKind};
use crate::server::request::client_id::NamedClient;
use crate::server::request::query::{Parameters, parameter};
use crate::server::request::token::Authorized;
use crate::server::stream::{Stream, answer, common_head};
use crate::wire::{self, past};

pub(in crate::server) async fn subscribe(
    State(app): State<App>,
    NamedClient(id): NamedClient,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = parameter(&parameters, "format").map_or(Ok(Format::Text), str::parse);
    let format = format.map_err(|error| ProblemKind::QueryMalformed(error.to_string()))?;
    let position = position(&parameters, &headers)?;
    let access = refuse_prefetch(&headers).and_then(|()| Authorized::of(&headers, &app));
    let subscribed = match access {
        Ok(Authorized) => app.channels.subscribe(id, format, position).await,
        // Without the token, only an existing client can be read.
        Err(_) => app.channels.attach(id, format, position).await,
    };
    let subscription = match subscribed {
        // Makes an EventSource stop reconnecting (WHATWG HTML 9.2.3).
        Err(Refusal::Hub(hub::Refusal::Ended)) => return Ok(StatusCode::NO_CONTENT.into_response()),
        Err(unknown @ Refusal::Hub(hub::Refusal::Unknown)) => {
            return Err(access.err().unwrap_or(unknown.into()));
        }
        other => other?,
    };
    let head = head(&subscription, &app);
    Ok(answer(
        AppendHeaders(head),
        Stream::open(subscription, &app),
    ))
}

/// Returns the headers of the answer.
pub(in crate::server) fn head(
    subscription: &Subscription,
    app: &App,
) -> Vec<(&'static str, String)> {
    let mut head = common_head(subscription.client_id()).to_vec();
    head.extend([
        (
            wire::FORMAT_HEADER,
            subscription.format().as_str().to_owned(),
        ),
        (past::PAST_HEADER, past::field(subscription.past())),
    ]);
    if app.options.is_watchers {
        head.push((wire::SERVER_OWNER_HEADER, wire::OWNED_BY_WATCHER.to_owned()));
    }
    head
}

/// Returns where the reader wants to begin. Its cursor overrides `tail`, which applies only to the first request.
fn position(parameters: &[(String, String)], headers: &HeaderMap) -> Result<Position, Problem> {
    let header = headers
        .get(wire::LAST_EVENT_ID_HEADER)
        .map(|value| value.to_str().unwrap_or("?"));
    let cursor = [
        header,
        parameter(parameters, "lastEventId"),
        parameter(parameters, "last_event_id"),
    ];
    if let Some(cursor) = cursor.into_iter().flatten().find(|it| !it.is_empty()) {
        let cursor: EventId = cursor
            .parse()
            .map_err(|error: NotAnEventId| ProblemKind::CursorMalformed(error.to_string()))?;
        return Ok(Position::After(cursor));
    }
    match parameter(parameters, "tail") {
        None => Ok(Position::Start),
        Some(count) => count
            .parse()
            .map(Position::Tail)
            .map_err(|_| ProblemKind::TailMalformed.into()),
    }
}
