//! Control requests: `POST /sse/debug/control/{clientId}` takes one from a watcher, `GET` streams them to a publisher.

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::server::App;
use crate::server::access::gate::refuse_prefetch;
use crate::server::problem::{Problem, ProblemKind};
use crate::server::request::body::read_text;
use crate::server::request::client_id::NamedClient;
use crate::server::request::content::Content;
use crate::server::request::query::{Parameters, optional};
use crate::server::request::token::Authorized;
use crate::server::stream::{ControlEvents, Stream, answer, common_head};
use crate::wire::{self, control};

/// Upper bound of a control request, in bytes: it has at most a level and an operation's name.
const REQUEST_BYTES: usize = 4 * 1024;

pub(in crate::server) async fn request(
    State(app): State<App>,
    NamedClient(id): NamedClient,
    _: Authorized,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, mut body) = request.into_parts();
    let text = read_request(&app, &parts, &mut body).await?;
    let asked = control::parse_request(&text)
        .map_err(|error| ProblemKind::NotAControlRequest(error.to_string()))?;
    let state = app.channels.request_control(id, asked).await?;
    tracing::debug!(client = id.short(), requested = ?state.requested, "control request");
    let head = [(header::CONTENT_TYPE, wire::JSON)];
    let object = control::state_object(&state);
    Ok((StatusCode::ACCEPTED, head, object).into_response())
}

/// Reads the body, as JSON whatever its content type.
async fn read_request(app: &App, parts: &Parts, body: &mut Body) -> Result<String, Problem> {
    let charset = Content::of(&parts.headers)?.charset;
    read_text(app, charset, body, check_length).await
}

fn check_length(length: usize) -> Result<(), Problem> {
    if length <= REQUEST_BYTES {
        return Ok(());
    }
    Err(ProblemKind::ControlRequestTooLarge(REQUEST_BYTES).into())
}

pub(in crate::server) async fn listen(
    State(app): State<App>,
    _: Authorized,
    NamedClient(id): NamedClient,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // A prefetch that opens and drops a stream for an operation would look like a lost publisher.
    refuse_prefetch(&headers)?;
    let operation = optional(&parameters, "operation")?;
    let events = ControlEvents::new(app.channels.listen(id, operation).await?);
    tracing::debug!(client = id.short(), "control stream opened");
    let stream = Stream::of_control(events, id, &app);
    Ok(answer(common_head(id), stream))
}
