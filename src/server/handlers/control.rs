//! Control: `POST /sse/debug/control/{clientId}` takes a watcher's request, `GET` streams the requests to
//! a publisher.

use std::task::{Context, Poll, ready};

use axum::{
    extract::{Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::publish::{drained, optional, read_text};
use crate::{
    hub::{ControlEvent, ControlStream},
    server::{
        App,
        problem::Problem,
        reconnect_grace::drop_later,
        request::{client_id::PathClient, token::Authorized},
        stream::{Parameters, Stream, answer, common_head, spread_retry},
    },
    wire::{self, control, sse},
};

/// The longest control request, in bytes: it has a level and an operation's name at the most.
const REQUEST_BYTES: usize = 4 * 1024;

pub(in crate::server) async fn ask(
    State(app): State<App>,
    access: Result<Authorized, Problem>,
    PathClient(id): PathClient,
    request: Request,
) -> Result<Response, Problem> {
    let mut body = request.into_body();
    let read = match access {
        Ok(Authorized) => read_text(&app, &mut body, check_length).await,
        Err(refused) => Err(refused),
    };
    let text = drained(read, &mut body).await?;
    let asked = control::parse_request(&text).map_err(|error| {
        Problem::bad_request(format!("the body is no control request: {error}"))
    })?;
    let state = app.hub.request_control(id, asked)?;
    tracing::debug!(client = id.short(), requested = ?state.requested, "control request");
    let head = [(header::CONTENT_TYPE, wire::JSON)];
    let object = control::state_object(&state);
    Ok((StatusCode::ACCEPTED, head, object).into_response())
}

fn check_length(length: usize) -> Result<(), Problem> {
    if length <= REQUEST_BYTES {
        return Ok(());
    }
    let detail = format!("the control request is over the limit of {REQUEST_BYTES} bytes");
    Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail))
}

pub(in crate::server) async fn listen(
    State(app): State<App>,
    _: Authorized,
    PathClient(id): PathClient,
    Query(parameters): Parameters,
) -> Result<Response, Problem> {
    let operation = optional(&parameters, "operation")?;
    let events = ControlEvents(Some(app.hub.listen(id, operation)?));
    tracing::debug!(client = id.short(), "a publisher listens");
    let stream = Stream::of_control(events, app.options.heartbeat, app.metrics);
    Ok(answer(common_head(id), stream))
}

/// What a control stream says.
pub(in crate::server) struct ControlEvents(Option<ControlStream>);

impl ControlEvents {
    /// Appends what is news; ready with true once all has been said.
    pub(in crate::server) fn poll_append(
        &mut self,
        out: &mut Vec<u8>,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        let Some(stream) = &mut self.0 else {
            return Poll::Ready(true);
        };
        let event = ready!(stream.poll_event(cx));
        match &event {
            ControlEvent::State(state) => out.extend(sse::control(state)),
            ControlEvent::End(end) => out.extend(sse::end(None, *end)),
            ControlEvent::Closing => {
                let retry = spread_retry(stream.client_id());
                out.extend(sse::control_farewell(retry));
            }
        }
        Poll::Ready(!matches!(event, ControlEvent::State(_)))
    }
}

impl Drop for ControlEvents {
    fn drop(&mut self) {
        if let Some(stream) = self.0.take()
            && stream.stands_for_an_operation()
        {
            stream.gone();
            drop_later(stream);
        }
    }
}
