//! Shows what a request is doing to whoever watches it. The application publishes what it logs anyway.
//!
//! ```sh
//! cargo run --example axum
//! codechat watch --server 8000 -- curl -s -H 'Sse-Client-ID: {id}' http://127.0.0.1:8000/refresh/demo/120
//! ```

use std::{io, time::Duration};

use axum::{Router, extract::Path, http::StatusCode, routing::get};
use codechat::{Access, Hub, Limits, Publisher, RouterOptions, ScopeLayer};
use tokio::{net::TcpListener, signal, time::sleep};
use tracing::{Instrument, debug, info};
use tracing_subscriber::{filter::LevelFilter, fmt, prelude::*, registry};

#[tokio::main]
async fn main() -> io::Result<()> {
    log();
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    let signal = async { signal::ctrl_c().await.unwrap_or_default() };
    run(listener, signal).await
}

/// The log stays at info; a watcher gets more of its own request if it asks for it.
pub(crate) fn log() {
    let log = fmt::layer().with_filter(LevelFilter::INFO);
    registry().with(codechat::tracing_layer()).with(log).init();
}

/// Serves the application, and codechat's API beside it, until the signal.
pub(crate) async fn run(
    listener: TcpListener,
    signal: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let hub = Hub::new(Limits::default());
    let app = Router::new()
        .route("/refresh/{name}/{files}", get(refresh))
        .layer(ScopeLayer::new(Publisher::new(&hub)))
        .merge(codechat::router(&hub, RouterOptions::new(Access::open())));
    let server = axum::serve(listener, app);
    server.with_graceful_shutdown(hub.close_on(signal)).await
}

async fn refresh(Path((name, files)): Path<(String, u64)>) -> Result<&'static str, StatusCode> {
    for file in 1..=files {
        if codechat::current().cancelled().is_cancelled() {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        debug!(file, "Reading");
        sleep(Duration::from_millis(20)).await;
        info!(
            progress.current = file,
            progress.total = files,
            "Processed file {file} of {name}"
        );
    }
    // Without `in_current_span`, its messages would not reach the watcher.
    tokio::spawn(async { info!("Checking links") }.in_current_span());
    Ok("done\n")
}
