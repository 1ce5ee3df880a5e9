//! One request and its answer: what all routes have in common.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::Service;

use super::body_rest::WholeBody;
use super::problem::{Problem, ProblemKind};
use super::stream::takeover::Handoff;
use super::stream::{self, StreamBody};
use super::{App, transfer_encoding};
use crate::event::ClientId;
use crate::wire::{self, Route};

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct HttpService {
    pub(super) app: App,
    pub(super) router: Router,
    pub(super) peer: SocketAddr,
}

impl HttpService {
    /// Answers one request. `handoff` is given if the connection can be taken over.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        handoff: Option<&Handoff>,
    ) -> Response<Body> {
        let waits = request.headers().contains_key(header::EXPECT);
        let request = request.map(|body| WholeBody::new(body, waits, self.app.clone()));
        let seen = Seen::of(&request);
        let answer = async |request| self.answer_safely(request, handoff).await;
        let response = self.app.gate.around(request, answer).await;
        self.log(&seen, response.status());
        response
    }

    /// Limits a panic to its request: locked values stay consistent.
    async fn answer_safely(
        &self,
        request: Request<WholeBody>,
        handoff: Option<&Handoff>,
    ) -> Response<Body> {
        let routed = AssertUnwindSafe(self.route(request, handoff));
        routed.catch_unwind().await.unwrap_or_else(|panic| {
            tracing::error!(why = message_of(&*panic), "a request's handler panicked");
            Problem::from(ProblemKind::Panicked).into_response()
        })
    }

    /// Passes the request to its handler. If the answer is a stream, its body is added here, where it is known whether
    /// the connection can be taken over.
    async fn route(
        &self,
        request: Request<WholeBody>,
        handoff: Option<&Handoff>,
    ) -> Response<Body> {
        if let Err(refusal) = self.app.channels.hub().admit() {
            return Problem::from(refusal).into_response();
        }
        let is_chunked = match transfer_encoding::is_chunked(request.headers()) {
            Ok(is_chunked) => is_chunked,
            Err(problem) => return transfer_encoding::end(problem.into_response()),
        };
        let handoff = handoff.filter(|_| {
            request.version() == Version::HTTP_11
                && request.method() == Method::GET
                && !self.app.options.plain_streams
        });
        let Ok(mut response) = self.router.clone().call(request.map(Body::new)).await;
        stream::fill(&mut response, |stream, headers| {
            let Some(handoff) = handoff else {
                return Body::new(StreamBody::new(stream));
            };
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            Body::new(handoff.body(stream))
        });
        if is_chunked {
            transfer_encoding::end(response)
        } else {
            response
        }
    }

    /// Logs an answer; for a stream, when it begins.
    pub(super) fn log(&self, seen: &Seen, status: StatusCode) {
        let Seen {
            method,
            route,
            client,
            begun,
        } = seen;
        let (peer, client) = (self.peer, client.as_deref());
        // The answers of a shutdown are many, and expected.
        if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::info!(%method, route, status = status.as_u16(), took = ?begun.elapsed(), %peer, client, "answered");
        } else {
            tracing::debug!(%method, route, status = status.as_u16(), took = ?begun.elapsed(), %peer, client, "answered");
        }
    }
}

/// What the log shows of a request.
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) route: &'static str,
    /// The beginning of the client's ID, if the log shows it.
    pub(super) client: Option<String>,
    pub(super) begun: Instant,
}

impl Seen {
    fn of<B>(request: &Request<B>) -> Self {
        Self {
            method: shown(request.method()),
            route: Route::parse(request.uri().path()).map_or("none", |(route, _)| route.path()),
            client: tracing::enabled!(tracing::Level::DEBUG)
                .then(|| client_of(request))
                .flatten(),
            begun: Instant::now(),
        }
    }
}

/// Returns the method for the log. A client may invent methods, so unknown ones are not logged.
fn shown(method: &Method) -> Method {
    const OTHER: &[u8] = b"OTHER";
    match *method {
        Method::GET
        | Method::POST
        | Method::DELETE
        | Method::OPTIONS
        | Method::HEAD
        | Method::PUT => method.clone(),
        _ => Method::from_bytes(OTHER).unwrap_or_default(),
    }
}

fn client_of<B>(request: &Request<B>) -> Option<String> {
    let header = request.headers().get(wire::CLIENT_ID_HEADER);
    let path = request.uri().path().rsplit('/').next();
    let named = [header.and_then(|it| it.to_str().ok()), path];
    let id: ClientId = named
        .into_iter()
        .flatten()
        .find_map(|it| it.trim().parse().ok())?;
    Some(id.short())
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invented_method_is_not_logged() {
        let own = Method::from_bytes(b"SECRET").unwrap();
        assert_eq!(shown(&own).as_str(), "OTHER");
        assert_eq!(shown(&Method::GET), Method::GET);
    }
}
