//! What is done with an input, and what must hold whatever it is: by the ordinary tests with the saved
//! corpus, by cargo-fuzz (`tests/fuzz`) with whatever it finds.

use codechat::internal::{
    client::subscribe::{SubscribeOptions, Update},
    terminal::safe_text::{Colour, safe_line, safe_lines},
};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    feed,
    http::{Http, stream_of},
    scripted::{Reply, Scripted},
    soon,
};

/// Sends these bytes to a server, with an ID that it knows; no more of its answer is asked than that it
/// ends, and is no fault of its own.
pub(crate) async fn request(http: Http, id: &str, input: &[u8]) {
    let bytes = with_id(input, id);
    let mut socket = soon(TcpStream::connect(http.address)).await.unwrap();
    let mut answer = Vec::new();
    soon(async {
        // It may be closed, or reset, at any point.
        let _ = socket.write_all(&bytes).await;
        let _ = socket.shutdown().await;
        // A stream goes on for those who read it.
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

/// Has a client read these bytes as a stream, to their end or the end of the first connection.
pub(crate) async fn stream(input: &[u8]) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n";
    let format = ["text", "json"][input.len() % 2];
    let head = format!("{head}Sse-Format: {format}\r\n\r\n");
    let reply = Reply::raw([head.as_bytes(), input].concat());
    let server = Scripted::start([reply]).await;
    let mut feed = feed(&server.url, SubscribeOptions::default());
    loop {
        match soon(feed.next()).await {
            Some(Ok(Update::Retrying { .. } | Update::End(_) | Update::Gone) | Err(_)) => return,
            Some(Ok(_)) => {}
            None => panic!("the feed broke at {}", shown(input)),
        }
    }
}

/// Makes a text safe for a terminal.
pub(crate) fn text(input: &[u8]) {
    let sgr = regex::Regex::new("\x1b\\[[0-9;:]*m").unwrap();
    let moves = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    let text = String::from_utf8_lossy(input);
    let line = safe_line(&text, Colour::Keep);
    let seen = sgr.replace_all(&line, "");
    assert!(!seen.contains(moves), "{text:?} becomes {line:?}");
    assert!(
        line.len() <= text.len() * 8 + 4,
        "{text:?} becomes {line:?}"
    );
    let stripped = safe_line(&text, Colour::Strip);
    assert!(!stripped.contains(moves), "{text:?} becomes {stripped:?}");
    let mut count = 0;
    for line in safe_lines(&text, Colour::Keep) {
        count += 1;
        assert!(
            !sgr.replace_all(&line, "").contains(moves),
            "{text:?}: {line:?}"
        );
    }
    assert_eq!(count, text.split('\n').count(), "{text:?}");
}

/// Publishes these bytes as lines of ndjson; exactly what is acknowledged is in the stream.
pub(crate) async fn ndjson(http: Http, input: &[u8]) {
    const KIND: &[&str] = &["Content-Type: application/x-ndjson"];
    let id = http.connect().await;
    let answer = http.post(&stream_of(&id), KIND, input).await;
    let status = answer.status;
    assert!(
        matches!(status, 202 | 400 | 413),
        "{status} to {}",
        shown(input)
    );
    let accepted = answer.json()["accepted"].as_u64().unwrap();
    http.publish(&id, "the end of it").await;
    let mut stream = http.watch(&id).await;
    let mut told = 0;
    while stream.event().await.data != "the end of it" {
        told += 1;
    }
    assert_eq!(told, accepted, "{}", shown(input));
    // Else the server would have to hold every one of them.
    http.stop(&id).await;
}

pub(crate) fn shown(input: &[u8]) -> String {
    input.escape_ascii().to_string()
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|it| it == what)
}

/// The request with an ID that the server knows.
pub(crate) fn with_id(request: &[u8], id: &str) -> Vec<u8> {
    const PLACE: &[u8] = b"{id}";
    let mut rest = request;
    let mut whole = Vec::new();
    while let Some(at) = rest.windows(PLACE.len()).position(|it| it == PLACE) {
        whole.extend_from_slice(&rest[..at]);
        whole.extend_from_slice(id.as_bytes());
        rest = &rest[at + PLACE.len()..];
    }
    whole.extend_from_slice(rest);
    whole
}
