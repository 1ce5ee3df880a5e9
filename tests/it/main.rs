//! What codechat promises, one file a promise, over real sockets.

mod access;
mod architecture;
mod browser;
mod client_parsing;
mod client_publish;
mod client_repeats;
mod client_stream;
mod generated;
mod hub_history;
mod hub_life;
mod lossless;
mod metrics;
mod readme;
mod send;
mod server_faults;
mod server_flow;
mod server_life;
mod server_limits;
mod server_panics;
mod server_publish;
mod server_replay;
mod server_streaming_publish;
mod support;
mod token;
mod watch_pipe;
mod wire_text;
