//! The other fuzz targets, and what must hold for all inputs: run by the ordinary tests on the saved corpus, and by
//! cargo-fuzz (`tests/fuzz`) on its own inputs.

use std::sync::LazyLock;

use codechat::internal::{
    client::subscribe::{SubscribeOptions, Update},
    terminal::safe_text::{Colour, safe_line, safe_lines},
};
use futures_util::StreamExt;
use regex::Regex;

use super::{
    feed::feed,
    fuzz_bytes::shown,
    http::{Http, stream_of},
    scripted::{Reply, Scripted},
    soon,
};

/// Makes a client read these bytes as a stream, to their end or the end of the first connection.
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
    static SGR: LazyLock<Regex> = LazyLock::new(|| Regex::new("\x1b\\[[0-9;:]*m").unwrap());
    let moves = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    let text = String::from_utf8_lossy(input);
    let line = safe_line(&text, Colour::Keep);
    let seen = SGR.replace_all(&line, "");
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
            !SGR.replace_all(&line, "").contains(moves),
            "{text:?}: {line:?}"
        );
    }
    assert_eq!(count, text.split('\n').count(), "{text:?}");
}

/// Publishes these bytes as NDJSON lines; exactly the acknowledged ones are in the stream.
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
    let mut delivered = 0;
    while stream.event().await.data != "the end of it" {
        delivered += 1;
    }
    assert_eq!(delivered, accepted, "{}", shown(input));
    // Otherwise the server would have to hold all of them.
    http.stop(&id).await;
}
