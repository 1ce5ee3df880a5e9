//! The targets of the ordinary tests, each to be called with one input.

#[path = "../support"]
#[expect(dead_code, reason = "the targets need but a part of it")]
mod support {
    pub(crate) mod feed;
    pub(crate) mod fuzz_bytes;
    pub(crate) mod fuzz_request;
    pub(crate) mod fuzz_targets;
    pub(crate) mod http;
    pub(crate) mod program;
    pub(crate) mod redis;
    pub(crate) mod scripted;
    pub(crate) mod server;
    pub(crate) mod waiting;

    pub(crate) use waiting::{becomes, soon};
}

use std::sync::LazyLock;

use tokio::runtime::Runtime;

use support::{fuzz_request, fuzz_targets, http::Http, server::Server};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
/// One server for all inputs, as in production.
static SERVER: LazyLock<Server> = LazyLock::new(|| RUNTIME.block_on(Server::start()));
static ID: LazyLock<String> = LazyLock::new(|| RUNTIME.block_on(http().connect()));

fn http() -> Http {
    **SERVER
}

/// Sends bytes of a request to the server.
pub fn request(input: &[u8]) {
    let (http, id) = (http(), ID.as_str());
    RUNTIME.block_on(fuzz_request::request(http, id, input));
}

/// Gives bytes of a stream to the client.
pub fn stream(input: &[u8]) {
    RUNTIME.block_on(fuzz_targets::stream(input));
}

/// Makes a message's text safe for a terminal.
pub fn text(input: &[u8]) {
    fuzz_targets::text(input);
}

/// Sends a body of lines to the server.
pub fn ndjson(input: &[u8]) {
    let http = http();
    RUNTIME.block_on(fuzz_targets::ndjson(http, input));
}
