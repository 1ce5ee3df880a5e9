//! Publishing: one message in a body of any kind, or many in NDJSON.

pub(in crate::server) mod ndjson;

use std::borrow::Cow;
use std::panic::resume_unwind;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::control::Requested;
use crate::event::ClientId;
use crate::hub::{Receipt, Refusal};
use crate::message::Message;
use crate::server::App;
use crate::server::problem::{Problem, ProblemKind};
use crate::server::request::body::{check_size, read_text};
use crate::server::request::client_id::NamedClient;
use crate::server::request::content::{BodyKind, Content};
use crate::server::request::query::{Parameters, optional, parameter};
use crate::server::request::token::Authorized;
use crate::wire::answer::{Broadcast, Published};
use crate::wire::{self, json};

pub(in crate::server) async fn publish(
    State(app): State<App>,
    NamedClient(id): NamedClient,
    _: Authorized,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, mut body) = request.into_parts();
    let receipt = try_publish(&app, id, &parts, &mut body).await?;
    let mut body = Vec::new();
    answer(receipt).write(&mut body);
    let kind = [(header::CONTENT_TYPE, wire::JSON)];
    Ok((StatusCode::ACCEPTED, kind, body).into_response())
}

pub(in crate::server) async fn broadcast(
    State(app): State<App>,
    _: Authorized,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, mut body) = request.into_parts();
    let message = read_broadcast(&app, &parts, &mut body).await?;
    let key = idempotency_key(&parts.headers)?;
    let (channels, key) = (app.channels, key.map(str::to_owned));
    // In a task of its own, so that it completes even if the publisher disconnects.
    let clients = tokio::spawn(async move { channels.broadcast(message, key.as_deref()).await });
    let clients = match clients.await {
        Ok(clients) => clients?,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => return Err(Refusal::Closing.into()),
        },
    };
    Ok((StatusCode::ACCEPTED, Json(Broadcast { clients })).into_response())
}

async fn read_broadcast(app: &App, parts: &Parts, body: &mut Body) -> Result<Message, Problem> {
    let content = Content::of(&parts.headers)?;
    match content.kind {
        BodyKind::Ndjson => Err(ProblemKind::BroadcastOfLines.into()),
        BodyKind::Text | BodyKind::Json => read_message(app, content, parts, body).await,
    }
}

/// Returns the answer to a publisher.
pub(in crate::server) fn answer(receipt: Receipt) -> Published {
    let Requested { level, cancel } = receipt.requested;
    Published {
        id: receipt.last,
        accepted: receipt.accepted,
        subscribers: receipt.subscribers,
        level: level.map(|it| it.to_string()),
        cancel: cancel.is_some(),
        operation: cancel.and_then(|it| it.operation.map(|it| it.as_str().into())),
    }
}

async fn try_publish(
    app: &App,
    id: ClientId,
    parts: &Parts,
    body: &mut Body,
) -> Result<Receipt, Problem> {
    let key = idempotency_key(&parts.headers)?;
    let content = Content::of(&parts.headers)?;
    match content.kind {
        BodyKind::Ndjson => {
            let publisher = app.channels.publish_stream(id, key).await?;
            ndjson::publish(app, publisher, body).await
        }
        BodyKind::Text | BodyKind::Json => {
            let begun = Instant::now();
            let message = read_message(app, content, parts, body).await?;
            let receipt = app.channels.publish(id, message, key).await?;
            app.metrics.publish.observe(begun.elapsed());
            Ok(receipt)
        }
    }
}

async fn read_message(
    app: &App,
    Content { kind, charset }: Content,
    parts: &Parts,
    body: &mut Body,
) -> Result<Message, Problem> {
    let max = app.options.max_message;
    let text = read_text(app, charset, body, |length| kind.check(length, max)).await?;
    let Query(parameters) = Parameters::try_from_uri(&parts.uri)
        .map_err(|error| ProblemKind::QueryMalformed(error.body_text()))?;
    message(kind, text.into(), &parameters, max)
}

/// Parses a body as a message. The other fields of a text come from the query `parameters`.
pub(in crate::server) fn message(
    kind: BodyKind,
    text: Cow<'_, str>,
    parameters: &[(String, String)],
    max: usize,
) -> Result<Message, Problem> {
    if kind == BodyKind::Json {
        let message = json::parse_message(&text)
            .map_err(|error| ProblemKind::NotAMessage(error.to_string()))?;
        return check_size(message, max);
    }
    let mut message = Message {
        text: without_line_end(text.into_owned()),
        operation: optional(parameters, "operation")?,
        progress: optional(parameters, "progress")?,
        outcome: optional(parameters, "outcome")?,
        event: optional(parameters, "event")?,
        ..Message::default()
    };
    if let Some(level) = parameter(parameters, "level") {
        json::set_level(&mut message, &serde_json::json!(level).to_string());
    }
    if message.text.is_empty() && message.progress.is_none() && message.outcome.is_none() {
        return Err(ProblemKind::MessageEmpty.into());
    }
    check_size(message, max)
}

/// Removes a text's last line end, which most programs write at the end of their output.
fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let value = headers.get(wire::IDEMPOTENCY_KEY_HEADER);
    key(value.map(HeaderValue::as_bytes))
}

/// Checks the value of the header `Idempotency-Key`; empty means absent.
pub(in crate::server) fn key(value: Option<&[u8]>) -> Result<Option<&str>, Problem> {
    match std::str::from_utf8(value.unwrap_or_default()) {
        Ok("") => Ok(None),
        Ok(key) if key.len() <= wire::IDEMPOTENCY_KEY_MAX => Ok(Some(key)),
        _ => Err(ProblemKind::IdempotencyKeyMalformed.into()),
    }
}
