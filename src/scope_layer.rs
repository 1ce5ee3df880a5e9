//! The tower layer that lets a request be watched: it reads the client ID, and makes its scope the current one.

mod answer;
mod watched;

use std::task::{Context, Poll};

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

pub use self::answer::{ScopeBody, ScopeFuture};
use self::watched::Watched;
use crate::event::ClientId;
use crate::message::Level;
use crate::publisher::Publisher;
use crate::scope::current;
use crate::wire;

/// Makes the scope of each request that names a client in `Sse-Client-ID` the current one, while its handler runs and while its
/// answer's body is read. Other requests pass untouched, as do those to codechat's own API.
///
/// Each watched request is an operation, named by its method and route, or its path without the feature `server`. It ends with the body: `ok` if the status is below 400,
/// else `failed`; `cancelled` if a watcher asked for that, or the answer is dropped before its end.
///
/// **Security.** A client that sends the header receives the request's log lines. With `Access::token`, only clients that know the token
/// get an ID, and an ID that the server did not issue gets nothing. With `Access::open`, everybody who reaches the server can subscribe
/// to an ID of their own: check in [`ScopeLayer::allow`] whether the user may read the lines.
///
/// ```
/// use codechat::{Hub, Limits, Publisher, ScopeLayer};
/// use http::{Request, Response};
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// #[derive(Clone)]
/// struct Refresh;
///
/// impl Service<Request<String>> for Refresh {
///     # type Response = Response<String>;
///     # type Error = std::convert::Infallible;
///     # type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
///     # fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
///     #     std::task::Poll::Ready(Ok(()))
///     # }
///     fn call(&mut self, _: Request<String>) -> Self::Future {
///         codechat::current().info("Refreshing");
///         std::future::ready(Ok(Response::new("done".into())))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::new(Limits::default());
/// let mut service = ScopeLayer::new(Publisher::new(&hub)).layer(Refresh);
/// let request = Request::get("/refresh").header("Sse-Client-ID", hub.connect()?.to_string());
/// service.call(request.body(String::new())?).await?;
/// assert_eq!(hub.stats().published, 3); // the start of `GET /refresh`, the text, and the outcome
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ScopeLayer {
    publisher: Publisher,
    operations: bool,
    level: Level,
    allow: fn(&Parts) -> bool,
}

impl ScopeLayer {
    /// Returns a layer whose requests publish to this publisher.
    #[must_use]
    pub fn new(publisher: Publisher) -> Self {
        Self {
            publisher,
            operations: true,
            level: Level::Info,
            allow: |_| true,
        }
    }

    /// Sets whether a request is an operation. Default true.
    #[must_use]
    pub fn operations(self, operations: bool) -> Self {
        Self { operations, ..self }
    }

    /// Sets the finest level that is sent while no watcher asks for another. Default [`Level::Info`].
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Sets which requests may be watched, by their head. Default all.
    #[must_use]
    pub fn allow(self, allow: fn(&Parts) -> bool) -> Self {
        Self { allow, ..self }
    }

    /// Returns the watched request; `None` if the request is not watched.
    fn watch<B>(&self, request: Request<B>) -> (Option<Box<Watched>>, Request<B>) {
        let Some(id) = client_of(request.headers()) else {
            return (None, request);
        };
        let (mut parts, body) = request.into_parts();
        if is_own(parts.uri.path()) || !(self.allow)(&parts) {
            return (None, Request::from_parts(parts, body));
        }
        let scope = self.publisher.scope(id).default_level(self.level);
        let operation = self.operations.then(|| {
            let name = format!("{} {}", parts.method, route(&parts));
            scope.operation(&name)
        });
        let watched = Watched::new(scope, operation, &parts.method);
        parts.extensions.insert(watched.scope().clone());
        (Some(Box::new(watched)), Request::from_parts(parts, body))
    }
}

/// Returns the header with the current scope's client ID, for a request to another service that publishes to the same client. Empty
/// outside of a watched request.
///
/// The ID lets its holder read and write the client's stream, so send it only to hosts that you trust.
#[must_use]
pub fn headers() -> HeaderMap {
    let id = current().client_id();
    let value = id.and_then(|it| HeaderValue::try_from(it.to_string()).ok());
    let name = HeaderName::from_static(wire::CLIENT_ID_HEADER);
    value
        .into_iter()
        .map(|value| (name.clone(), value))
        .collect()
}

/// Returns whether a path belongs to codechat's API, which may be nested below another path.
fn is_own(path: &str) -> bool {
    path.match_indices(wire::API).any(|(at, api)| {
        let rest = &path[at + api.len()..];
        rest.is_empty() || rest.starts_with('/')
    })
}

/// Returns the client that a request names. A malformed header must not break the request.
fn client_of(headers: &HeaderMap) -> Option<ClientId> {
    let mut values = headers.get_all(wire::CLIENT_ID_HEADER).iter();
    let (value, other) = (values.next()?, values.next());
    if other.is_some() {
        return None;
    }
    value.to_str().ok()?.trim().parse().ok()
}

/// Returns the route that matched a request, or else its path.
fn route(parts: &Parts) -> &str {
    #[cfg(feature = "server")]
    if let Some(route) = parts.extensions.get::<axum::extract::MatchedPath>() {
        return route.as_str();
    }
    parts.uri.path()
}

impl<S> Layer<S> for ScopeLayer {
    type Service = ScopeService<S>;

    fn layer(&self, inner: S) -> ScopeService<S> {
        let layer = self.clone();
        ScopeService { inner, layer }
    }
}

/// A service whose requests are watched; see [`ScopeLayer`].
#[derive(Clone, Debug)]
pub struct ScopeService<S> {
    inner: S,
    layer: ScopeLayer,
}

impl<S, B, R> Service<Request<B>> for ScopeService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: http_body::Body,
{
    type Response = Response<ScopeBody<R>>;
    type Error = S::Error;
    type Future = ScopeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut watched, request) = self.layer.watch(request);
        let inner = &mut self.inner;
        let future = match &mut watched {
            Some(watched) => watched.run(|| inner.call(request)),
            None => inner.call(request),
        };
        ScopeFuture::new(future, watched)
    }
}
