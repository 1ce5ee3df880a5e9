//! One request and its answer: what holds for every door, whatever is behind it.

use std::{any::Any, net::SocketAddr, panic::AssertUnwindSafe};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Method, Request, Response, StatusCode, Version, header},
    response::IntoResponse,
};
use futures_util::FutureExt;
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::Service;

use super::{
    App,
    access::preflight,
    problem::Problem,
    stream::{OpenStream, StreamBody, h2_body::H2Body, takeover::Handoff},
    transfer_encoding,
};
use crate::{event::ClientId, wire};

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct HttpService {
    pub(super) app: App,
    pub(super) router: Router,
    pub(super) peer: SocketAddr,
}

impl HttpService {
    /// Answers one request. `handoff` is there where the connection can become a stream.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        handoff: Option<&Handoff>,
    ) -> Response<Body> {
        let seen = Seen::of(&request);
        let origin = match self.app.gate.admit(&request) {
            Ok(origin) => origin,
            Err(problem) => {
                let response = problem.into_response();
                self.log(&seen, response.status());
                return response;
            }
        };
        let preflight = origin.as_ref().and_then(|_| preflight(&request));
        let mut response = match preflight {
            Some(response) => response,
            None => self.answer_safely(request, handoff).await,
        };
        self.app.gate.release(origin, response.headers_mut());
        self.log(&seen, response.status());
        response
    }

    /// A panic is the end of this request and of nothing else: whatever was locked is whole.
    async fn answer_safely(
        &self,
        request: Request<Incoming>,
        handoff: Option<&Handoff>,
    ) -> Response<Body> {
        let routed = AssertUnwindSafe(self.route(request, handoff));
        routed.catch_unwind().await.unwrap_or_else(|panic| {
            tracing::error!(why = message_of(&*panic), "a request's handler panicked");
            let detail =
                "the server failed at this request, which is a bug in it; its log says more";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
        })
    }

    /// Has the request answered by what is behind its door. An answer that is a stream gets its body
    /// here, where it is known whether the connection can be taken over.
    async fn route(&self, request: Request<Incoming>, handoff: Option<&Handoff>) -> Response<Body> {
        if let Err(refusal) = self.app.hub.admit() {
            return Problem::from(refusal).into_response();
        }
        let is_chunked = match transfer_encoding::is_chunked(request.headers()) {
            Ok(is_chunked) => is_chunked,
            Err(problem) => return transfer_encoding::end(problem.into_response()),
        };
        let version = request.version();
        let handoff = handoff.filter(|_| {
            version == Version::HTTP_11
                && request.method() == Method::GET
                && !self.app.options.plain_streams
        });
        let Ok(mut response) = self.router.clone().call(request.map(Body::new)).await;
        if let Some(stream) = response
            .extensions_mut()
            .remove::<OpenStream>()
            .and_then(|it| it.take())
        {
            // The router has counted the empty body that stood in for it.
            response.headers_mut().remove(header::CONTENT_LENGTH);
            if let Some(handoff) = handoff {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
                *response.body_mut() = Body::new(handoff.body(stream));
            } else if version == Version::HTTP_2 {
                let patience = self.app.options.stall_timeout;
                *response.body_mut() = Body::new(H2Body::new(stream, patience));
            } else {
                *response.body_mut() = Body::new(StreamBody::new(stream));
            }
        }
        if is_chunked {
            transfer_encoding::end(response)
        } else {
            response
        }
    }

    /// Tells of an answer; for a stream, once it begins.
    pub(super) fn log(&self, seen: &Seen, status: StatusCode) {
        let Seen {
            method,
            route,
            client,
            begun,
        } = seen;
        let (peer, client) = (self.peer, client.as_deref());
        // Those of a shutdown are many, and expected.
        if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::info!(%method, route, status = status.as_u16(), took = ?begun.elapsed(), %peer, client, "answered");
        } else {
            tracing::debug!(%method, route, status = status.as_u16(), took = ?begun.elapsed(), %peer, client, "answered");
        }
    }
}

/// What the log tells of a request.
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) route: &'static str,
    /// The beginning of the client's ID; only where the log tells of it.
    pub(super) client: Option<String>,
    pub(super) begun: Instant,
}

impl Seen {
    fn of<B>(request: &Request<B>) -> Self {
        Self {
            method: shown(request.method()),
            route: route_of(request.uri().path()),
            client: tracing::enabled!(tracing::Level::DEBUG)
                .then(|| client_of(request))
                .flatten(),
            begun: Instant::now(),
        }
    }
}

/// A method of the client's own making is no text for a log.
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

/// The door of one client's stream.
pub(super) const BY_ID: &str = "/api/v1/sse/debug/{id}";

/// The name of a path's door: a path holds a client's ID, or whatever a client likes.
fn route_of(path: &str) -> &'static str {
    match path {
        wire::CONNECT_PATH => wire::CONNECT_PATH,
        wire::DEBUG_PATH => wire::DEBUG_PATH,
        wire::BROADCAST_PATH => wire::BROADCAST_PATH,
        wire::CLIENTS_PATH => wire::CLIENTS_PATH,
        wire::METRICS_PATH => wire::METRICS_PATH,
        wire::HEALTH_PATH => wire::HEALTH_PATH,
        _ => match path
            .strip_prefix(wire::DEBUG_PATH)
            .and_then(|it| it.strip_prefix('/'))
        {
            Some(rest) if !rest.contains('/') => BY_ID,
            Some(rest) if rest.starts_with("control/") => "/api/v1/sse/debug/control/{id}",
            Some(rest) if rest.starts_with("stop/") => "/api/v1/sse/debug/stop/{id}",
            _ => "none",
        },
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
    fn a_route_is_named_without_what_the_client_wrote() {
        let id = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
        for (path, route) in [
            ("/api/v1/sse/connect".to_owned(), "/api/v1/sse/connect"),
            (format!("/api/v1/sse/debug/{id}"), "/api/v1/sse/debug/{id}"),
            (
                format!("/api/v1/sse/debug/control/{id}"),
                "/api/v1/sse/debug/control/{id}",
            ),
            (
                format!("/api/v1/sse/debug/stop/{id}"),
                "/api/v1/sse/debug/stop/{id}",
            ),
            (format!("/api/v1/sse/debug/{id}/x"), "none"),
            ("/api/v1/sse/debugger".into(), "none"),
            ("/\u{1b}[31m".into(), "none"),
        ] {
            assert_eq!(route_of(&path), route, "{path}");
        }
        let own = Method::from_bytes(b"SECRET").unwrap();
        assert_eq!(shown(&own).as_str(), "OTHER");
        assert_eq!(shown(&Method::GET), Method::GET);
    }
}
