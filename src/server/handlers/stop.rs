//! Stopping a client: ends its channel and all streams on it.

use axum::extract::State;
use axum::http::HeaderMap;

use crate::server::App;
use crate::server::access::gate::refuse_prefetch;
use crate::server::problem::Problem;
use crate::server::request::client_id::NamedClient;

/// Gives the same answer to a repeated request and to one for an unknown ID: in either case, the client is stopped.
pub(in crate::server) async fn stop(
    State(app): State<App>,
    NamedClient(id): NamedClient,
    headers: HeaderMap,
) -> Result<&'static str, Problem> {
    refuse_prefetch(&headers)?;
    if app.channels.stop(id).await? {
        tracing::debug!(client = id.short(), "client stopped");
    }
    Ok("Debug message stream stopped.")
}
