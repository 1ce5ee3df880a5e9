//! What codechat promises, one file a promise, over real sockets.

mod client_parsing;
mod client_publish;
mod client_repeats;
mod client_stream;
mod generated;
mod hub_history;
mod hub_life;
mod readme;
mod support;
mod wire_text;
