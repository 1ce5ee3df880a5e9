//! The API as part of an application's own axum server. It does what `service` and `connection` do for every request,
//! as far as that is possible in another accept loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::problem::Problem;
use super::stream::{self, StreamBody};
use super::{Access, App, ServerOptions, handlers, path_unknown, sweep};
use crate::channels::Channels;
use crate::wire::{API, Route};

/// Options of [`router`]. Created from [`ServerOptions`] for other timeouts and limits than the default ones; `grace`,
/// `header_timeout` and `tls` have no effect here.
///
/// ```
/// use codechat::{Access, RouterOptions, ServerOptions};
///
/// let server = ServerOptions::new(Access::open()).max_message(16 * 1024);
/// let options = RouterOptions::from(server).page().metrics();
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct RouterOptions {
    server: ServerOptions,
    /// Further routes besides the API.
    others: Vec<Route>,
}

impl RouterOptions {
    /// Creates options with these access rules.
    #[must_use]
    pub fn new(access: Access) -> Self {
        ServerOptions::new(access).into()
    }

    /// Adds the web page at `/`, for a router that is not nested.
    #[must_use]
    pub fn page(mut self) -> Self {
        self.others.extend([Route::Viewer, Route::ViewerFile]);
        self
    }

    /// Adds `/healthz` and `/readyz`.
    #[must_use]
    pub fn health(mut self) -> Self {
        self.others.extend([Route::Health, Route::Ready]);
        self
    }

    /// Adds `/metrics`.
    #[must_use]
    pub fn metrics(mut self) -> Self {
        self.others.push(Route::Metrics);
        self
    }
}

impl From<ServerOptions> for RouterOptions {
    fn from(server: ServerOptions) -> Self {
        Self {
            server,
            others: Vec::new(),
        }
    }
}

/// Returns the API of a [`Hub`](crate::Hub), below `/api/v1/sse`, to be merged into an application's router, or nested
/// in it: watchers then use `--server http://host/prefix`. It adds nothing else, and no fallback.
///
/// An open stream keeps `axum::serve` from ending, so its shutdown must come from
/// [`Hub::close_on`](crate::Hub::close_on):
///
/// ```no_run
/// use axum::Router;
/// use codechat::{Access, Hub, Limits, Publisher, RouterOptions, ScopeLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let hub = Hub::new(Limits::default());
/// let app = Router::new()
///     // .route("/refresh", get(refresh))
///     .layer(ScopeLayer::new(Publisher::new(&hub)))
///     .merge(codechat::router(&hub, RouterOptions::new(Access::open())));
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
/// let stop = hub.close_on(async { /* a signal, say */ });
/// axum::serve(listener, app).with_graceful_shutdown(stop).await
/// # }
/// ```
///
/// What it lacks compared with [`serve`](crate::serve), which can run on a second listener for the same hub:
///
/// | lacking | instead |
/// | --- | --- |
/// | an idle stream takes 3 KB (here 12 to 25 KB); the fast path for publishing | |
/// | a reader that takes no bytes is closed at the socket | its stream ends after hyper has not asked for more for the stall timeout |
/// | `TCP_NODELAY` | `axum::serve::ListenerExt::tap_io` |
/// | the header timeout, detection of vanished peers, 503 during shutdown, 500 after a panic | layers of the application; one with a timeout or a body limit also cuts publishing by NDJSON |
pub fn router(channels: impl Into<Channels>, options: RouterOptions) -> Router {
    let RouterOptions { server, others } = options;
    let app = App::new(channels.into(), server, &[]);
    let api = Route::ALL
        .into_iter()
        .filter(|it| it.path().starts_with(API));
    let begun = Arc::new(AtomicBool::new(false));
    api.chain(others)
        .fold(Router::new(), |router, route| {
            router.route(route.path(), handlers(route))
        })
        .route(&format!("{API}/{{*path}}"), any(path_unknown))
        .layer(from_fn_with_state((app.clone(), begun), around))
        .with_state(app)
}

/// Wraps every request, like `service`.
async fn around(
    State((app, begun)): State<(App, Arc<AtomicBool>)>,
    request: Request,
    next: Next,
) -> Response {
    if !begun.swap(true, Ordering::Relaxed) {
        begin(&app);
    }
    let answer = async |request| {
        if let Err(refusal) = app.channels.hub().admit() {
            return Problem::from(refusal).into_response();
        }
        let mut response = next.run(request).await;
        stream::fill(&mut response, |stream, _| {
            Body::new(StreamBody::new(stream).cut_after(app.options.stall_timeout))
        });
        response
    };
    app.gate.around(request, answer).await
}

/// Starts the background tasks. Called at the first request, when the application's runtime is certain to exist.
fn begin(app: &App) {
    tracing::info!(
        "the API is served by the application; the documentation of `router` compares this with codechat's own server"
    );
    let Some(hub) = app.channels.own().cloned() else {
        return;
    };
    let closed = hub.closed();
    tokio::spawn(async move {
        tokio::select! {
            () = sweep(hub) => {}
            () = closed => {}
        }
    });
}
