//! The fuzz target of requests, and what must hold for all of them: run by the ordinary tests on the saved corpus, and
//! by cargo-fuzz (`tests/fuzz`) on its own inputs.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    fuzz_bytes::{shown, with_id},
    http::Http,
    soon,
};

/// Sends these bytes to a server, with an ID that it knows. The answer must end, and must not be a failure of the
/// server.
pub(crate) async fn request(http: Http, id: &str, input: &[u8]) {
    let bytes = with_id(input, id);
    let mut socket = soon(TcpStream::connect(http.address)).await.unwrap();
    let mut answer = Vec::new();
    soon(async {
        // It may be closed, or reset, at any point.
        let _ = socket.write_all(&bytes).await;
        let _ = socket.shutdown().await;
        // A stream continues while it is read.
        while !contains(&answer, b"text/event-stream") {
            if !matches!(socket.read_buf(&mut answer).await, Ok(1..)) {
                break;
            }
        }
    })
    .await;
    let answer = String::from_utf8_lossy(&answer);
    let fault = answer.starts_with("HTTP/1.1 500") || answer.starts_with("HTTP/1.0 500");
    assert!(!fault, "{} was answered with {answer}", shown(&bytes));
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|it| it == what)
}
