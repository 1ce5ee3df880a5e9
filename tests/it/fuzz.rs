//! Unusual bytes, from a saved corpus and randomly changed, break neither the client nor the terminal, and what is
//! acknowledged of them is in the stream. `tests/fuzz` has the same targets for cargo-fuzz, `tests/e2e/fuzz.rs` the one
//! of a whole server.

use crate::support::{
    fuzz_inputs::{inputs, with_each},
    fuzz_targets,
    server::Server,
};

#[tokio::test]
async fn no_stream_breaks_the_client() {
    let target = |input: Vec<u8>| async move { fuzz_targets::stream(&input).await };
    with_each(inputs("streams", 400), target).await;
}

#[test]
fn no_text_reaches_the_terminal_as_anything_but_text_and_colour() {
    for input in inputs("texts", 20_000) {
        fuzz_targets::text(&input);
    }
}

#[tokio::test]
async fn exactly_the_acknowledged_lines_of_any_body_are_in_the_stream() {
    let server = Server::start().await;
    let http = *server;
    let target = |input: Vec<u8>| async move { fuzz_targets::ndjson(http, &input).await };
    with_each(inputs("ndjson", 400), target).await;
}
