//! The HTTP server: an axum router behind its own accept loop.
//!
//! `axum::serve` would set no `TCP_NODELAY`, have no header timeout and take twice the memory per idle stream; axum's
//! `Sse` cannot carry frames that are encoded already. So `connection` serves HTTP with hyper, `stream` writes frames,
//! and axum routes. Two shortcuts bypass hyper and axum: `fast_path` answers the most common requests, and
//! `stream::takeover` writes streams. These modules give the reasons.

mod access;
mod body_rest;
mod connection;
mod deadline;
mod fast_path;
mod h2_answer;
mod handlers;
mod metrics;
mod options;
mod problem;
mod reconnect_grace;
mod request;
mod router;
mod service;
mod stream;
mod tls;
mod transfer_encoding;
mod viewer;
mod write_timeout;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::{Method, Uri, header};
use axum::routing::{MethodRouter, get, post};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::access::gate::Gate;
pub use self::access::{Access, AllowedHost, AllowedOrigin, NotAHost, NotAnOrigin};
use self::handlers::{clients, connect, control, publish, stop, subscribe};
use self::metrics::Metrics;
pub use self::options::ServerOptions;
use self::problem::{Problem, ProblemKind};
pub use self::router::{RouterOptions, router};
pub use self::tls::{Tls, TlsError};
use self::viewer::Viewer;
use crate::channels::Channels;
use crate::hub::Hub;
use crate::wire::Route;

/// Upper bound of an unknown path that an error quotes, in characters.
const PATH_SHOWN: usize = 100;
/// Upper bound of what one connection buffers, in bytes, each way.
const BUFFER_BYTES: usize = 16 * 1024;

/// The state that handlers share.
#[derive(Clone)]
struct App {
    channels: Channels,
    options: Arc<ServerOptions>,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    viewer: Arc<Viewer>,
}

impl App {
    /// Creates the state of a server that listens on these addresses.
    fn new(channels: Channels, options: ServerOptions, listening: &[SocketAddr]) -> Self {
        Self {
            channels,
            gate: Arc::new(Gate::new(&options.access, listening)),
            viewer: Arc::new(Viewer::new(options.heartbeat)),
            options: Arc::new(options),
            metrics: Arc::default(),
        }
    }
}

impl FromRef<App> for Arc<Viewer> {
    fn from_ref(app: &App) -> Self {
        app.viewer.clone()
    }
}

/// Serves `channels`, such as those of a [`Hub`](crate::Hub), on `listeners` until `shutdown` is ready. Then it ends
/// every stream, answers new requests with 503, and returns when all clients are gone, at the latest after
/// [`ServerOptions::grace`].
pub async fn serve(
    listeners: Vec<TcpListener>,
    channels: impl Into<Channels>,
    options: ServerOptions,
    shutdown: impl Future<Output = ()>,
) {
    let channels = channels.into();
    let grace = options.grace;
    let listening: Vec<_> = listeners
        .iter()
        .filter_map(|it| it.local_addr().ok())
        .collect();
    let app = App::new(channels.clone(), options, &listening);
    let router = all_routes(app.clone());
    let closing = CancellationToken::new();
    let connections = TaskTracker::new();
    let mut background = JoinSet::new();
    for listener in listeners {
        let (app, router) = (app.clone(), router.clone());
        let (closing, connections) = (closing.clone(), connections.clone());
        background.spawn(connection::accept(
            listener,
            app,
            router,
            closing,
            connections,
        ));
    }
    if let Some(hub) = channels.own() {
        background.spawn(sweep(hub.clone()));
    }

    shutdown.await;
    // The hub is closed first, because an open stream would keep its connection open for ever.
    channels.hub().close();
    closing.cancel();
    connections.close();
    if time::timeout(grace, connections.wait()).await.is_err() {
        tracing::warn!(
            open = connections.len(),
            ?grace,
            "cutting connections that did not end in time"
        );
    }
    background.shutdown().await;
}

/// Ends idle channels, often enough that none exceeds the idle timeout by more than an eighth.
async fn sweep(hub: Hub) {
    const OFTEN: Duration = Duration::from_millis(10);
    const SELDOM: Duration = Duration::from_secs(30);
    let mut ticks = time::interval((hub.limits().idle_timeout / 8).clamp(OFTEN, SELDOM));
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let ended = hub.sweep();
        if ended > 0 {
            tracing::info!(ended, "idle clients ended");
        }
    }
}

/// Answers `GET /readyz`: whether a load balancer should send clients here.
async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    app.channels.ready()?;
    Ok("ready")
}

/// Returns every route with its handlers.
fn all_routes(app: App) -> Router {
    let all = Route::ALL.into_iter();
    all.fold(Router::new(), |router, route| {
        router.route(route.path(), handlers(route))
    })
    .fallback(path_unknown)
    .with_state(app)
}

async fn path_unknown(uri: Uri) -> Problem {
    let path = uri.path().chars().take(PATH_SHOWN).collect();
    ProblemKind::PathUnknown(path).into()
}

fn handlers(route: Route) -> MethodRouter<App> {
    let handlers = match route {
        Route::Connect => get(connect::connect),
        Route::Publish => post(publish::publish).put(publish::publish),
        Route::Client => get(subscribe::subscribe)
            .post(publish::publish)
            .put(publish::publish)
            .delete(stop::stop),
        Route::Control => get(control::listen).post(control::request),
        Route::Stop => get(stop::stop).post(stop::stop),
        Route::Broadcast => post(publish::broadcast).put(publish::broadcast),
        Route::Clients => get(clients::clients),
        Route::Metrics => get(metrics::metrics),
        Route::Health => get(|| async { "ok" }),
        Route::Ready => get(ready),
        Route::Viewer => get(viewer::page),
        Route::ViewerFile => get(viewer::file),
    };
    let refuse = move |method: Method| async move {
        let allow = [(header::ALLOW, route.methods().join(", "))];
        let refused = ProblemKind::MethodNotAllowed(method, route.methods().join(", "));
        (allow, Problem::from(refused))
    };
    // Without this, axum would answer HEAD with the handler for GET.
    let handlers = if route.methods().contains(&"GET") && !route.methods().contains(&"HEAD") {
        handlers.head(refuse)
    } else {
        handlers
    };
    handlers.fallback(refuse)
}
