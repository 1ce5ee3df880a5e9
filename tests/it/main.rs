//! What codechat promises, one file per promise: the tests that run in their own process, less than a minute in all.
//! What starts programs, or takes long, is in `tests/e2e`.

mod access;
mod architecture;
mod client_bounds;
mod client_errors;
mod client_local;
mod client_parsing;
mod client_publish;
mod client_repeats;
mod client_stream;
mod control;
mod fast_path;
mod fuzz;
mod generated;
mod hostile_connections;
mod hub_history;
mod hub_life;
mod hub_memory;
mod hub_mirror;
mod metrics;
mod pane_keys;
mod pane_moving;
mod pane_picture;
mod pane_screens;
mod pane_streams;
mod publisher_http;
mod router;
mod scope;
mod scope_layer;
mod server_bodies;
mod server_faults;
mod server_flow;
mod server_life;
mod server_limits;
mod server_panics;
mod server_prefetch;
mod server_publish;
mod server_replay;
mod server_streaming_publish;
mod server_unread_bodies;
mod tls;
mod token;
mod tracing_layer;
mod viewer;
mod viewer_keys;
mod viewer_stream;
mod viewer_vectors;
mod wire_text;

#[path = "../support"]
mod support {
    pub(crate) mod chance;
    #[expect(dead_code, reason = "the rest is for tests/e2e")]
    pub(crate) mod cutter;
    pub(crate) mod drawn;
    pub(crate) mod feed;
    pub(crate) mod fuzz_bytes;
    pub(crate) mod fuzz_inputs;
    pub(crate) mod fuzz_targets;
    pub(crate) mod http;
    pub(crate) mod port;
    #[expect(dead_code, reason = "the rest is for tests/e2e")]
    pub(crate) mod program;
    #[expect(dead_code, reason = "the rest is for tests/e2e")]
    pub(crate) mod redis;
    pub(crate) mod retry_hint;
    pub(crate) mod scope;
    #[expect(dead_code, reason = "the rest is for tests/e2e")]
    pub(crate) mod scripted;
    pub(crate) mod server;
    pub(crate) mod sources;
    pub(crate) mod tls;
    pub(crate) mod waiting;

    pub(crate) use waiting::{PATIENCE, becomes, soon};
}
