//! What codechat promises, one file a promise, over real sockets.

mod client_parsing;
mod client_publish;
mod client_repeats;
mod client_stream;
mod server_flow;
mod server_life;
mod server_replay;
mod support;
