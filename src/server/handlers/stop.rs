//! Stopping a client: its channel and every stream on it end.

use axum::extract::State;

use crate::server::App;
use crate::server::request::client_id::NamedClient;

/// The same answer when repeated and for an ID that is not known: either way it is stopped.
pub(in crate::server) async fn stop(
    State(app): State<App>,
    NamedClient(id): NamedClient,
) -> &'static str {
    if app.hub.stop(id) {
        tracing::debug!(client = id.short(), "client stopped");
    }
    "Debug message stream stopped."
}
