//! Bytes that nobody would send on purpose, from a saved corpus and changed by chance, break nothing.
//!
//! Each target reads `tests/fuzz/corpus/TARGET/`, first as it is, then so many times changed. The
//! changes are the same in each run; `CODECHAT_TEST_SEED` begins elsewhere. What once broke something
//! goes into the corpus.

use std::{fs, path::Path};

use codechat::{
    client::feed::{Options, Update},
    text::{Colour, safe_line, safe_lines},
};
use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    chance::Chance,
    feed,
    http::{Http, stream_of},
    process::Serve,
    scripted::{Reply, Scripted},
    server::Server,
    soon,
};

const AT_ONCE: usize = 16;

/// What means something somewhere.
const WORDS: [&[u8]; 24] = [
    b"\r\n",
    b"\n\n",
    b"\r",
    b"\0",
    b":",
    b" ",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b",",
    b"-1",
    b"0",
    b"18446744073709551616",
    b"%00",
    b"\xff",
    b"\xf0\x9f\x98\x80",
    "\u{202e}".as_bytes(),
    "\u{9b}".as_bytes(),
    b"\x1b[",
    b"\x1b]",
    b"m",
    b"data:",
    b"Transfer-Encoding: chunked\r\n",
];

/// Inputs of one target: the corpus, and so many more that are made from it.
pub(crate) fn inputs(target: &str, more: usize) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut paths: Vec<_> = fs::read_dir(folder.join(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let corpus: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!corpus.is_empty());
    let seed = std::env::var("CODECHAT_TEST_SEED").map_or(0, |it| it.parse().unwrap());
    let mut chance = Chance::new(seed);
    let made = (0..more).map(|_| {
        let mut input = pick(&mut chance, &corpus).clone();
        for _ in 0..=chance.below(4) {
            change(&mut input, &mut chance, &corpus);
        }
        input
    });
    let made: Vec<_> = made.collect();
    corpus.into_iter().chain(made).collect()
}

fn pick<'a, T>(chance: &mut Chance, from: &'a [T]) -> &'a T {
    &from[place(chance, from.len() - 1)]
}

/// From 0 to the end, both included.
fn place(chance: &mut Chance, end: usize) -> usize {
    usize::try_from(chance.below(end as u64 + 1)).unwrap()
}

fn change(input: &mut Vec<u8>, chance: &mut Chance, corpus: &[Vec<u8>]) {
    let at = place(chance, input.len());
    let end = (at + usize::try_from(chance.size(6)).unwrap()).min(input.len());
    match chance.below(6) {
        0 if at < input.len() => input[at] ^= 1 << chance.below(8),
        1 => drop(input.drain(at..end)),
        2 => {
            let again = input[at..end].repeat(1 + place(chance, 40));
            input.splice(at..at, again);
        }
        3 => {
            let other = pick(chance, corpus);
            let rest = place(chance, other.len());
            input.truncate(at);
            input.extend_from_slice(&other[rest..]);
        }
        _ => {
            let word = *pick(chance, &WORDS);
            input.splice(at..at, word.iter().copied());
        }
    }
}

pub(crate) fn shown(input: &[u8]) -> String {
    input.escape_ascii().to_string()
}

/// Sends these bytes, ends the sending, and waits for the server's end of it.
async fn say(http: Http, bytes: Vec<u8>) {
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

#[tokio::test]
async fn no_request_breaks_the_server() {
    for more in [&[][..], &["--plain-streams"]] {
        let patience = ["--header-timeout", "1s", "--body-timeout", "1s"];
        let server = Serve::start(&[&patience, more].concat()).await;
        let http = server.http;
        let bystander = http.connect().await;
        let mut stream = http.watch(&bystander).await;
        let id = http.connect().await;
        stream::iter(inputs("requests", 600))
            .map(|input| say(http, with_id(&input, &id)))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<()>>()
            .await;
        http.publish(&bystander, "its own").await;
        let mut next = stream.event().await;
        while next.data != "its own" {
            // Whoever asks for a broadcast gets one.
            assert_eq!(next.name, "debug");
            next = stream.event().await;
        }
        drop(stream);
        server.process.signal("TERM").await;
        let ended = server.process.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
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

#[tokio::test]
async fn no_stream_breaks_the_client() {
    let read = async |input: Vec<u8>| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n";
        let format = ["text", "json"][input.len() % 2];
        let head = format!("{head}Sse-Format: {format}\r\n\r\n");
        let reply = Reply::raw([head.as_bytes(), &input].concat());
        let server = Scripted::start([reply]).await;
        let mut feed = feed(&server.url, Options::default());
        loop {
            // To its end, or to the end of the first connection.
            match soon(feed.next()).await {
                Some(Ok(Update::Retrying { .. } | Update::End(_) | Update::Gone) | Err(_)) => {
                    return;
                }
                Some(Ok(_)) => {}
                None => panic!("the feed broke at {}", shown(&input)),
            }
        }
    };
    stream::iter(inputs("streams", 400))
        .map(read)
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<()>>()
        .await;
}

#[test]
fn no_text_reaches_the_terminal_as_anything_but_text_and_colour() {
    let sgr = regex::Regex::new("\x1b\\[[0-9;:]*m").unwrap();
    let moves = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    for input in inputs("texts", 20_000) {
        let text = String::from_utf8_lossy(&input);
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
}

#[tokio::test]
async fn of_any_body_of_lines_exactly_what_is_acknowledged_is_in_the_stream() {
    const KIND: &[&str] = &["Content-Type: application/x-ndjson"];
    let server = Server::start().await;
    let publish = async |input: Vec<u8>| {
        let id = server.connect().await;
        let answer = server.post(&stream_of(&id), KIND, &input).await;
        let status = answer.status;
        assert!(
            matches!(status, 202 | 400 | 413),
            "{status} to {}",
            shown(&input)
        );
        let accepted = answer.json()["accepted"].as_u64().unwrap();
        server.publish(&id, "the end of it").await;
        let mut stream = server.watch(&id).await;
        let mut told = 0;
        while stream.event().await.data != "the end of it" {
            told += 1;
        }
        assert_eq!(told, accepted, "{}", shown(&input));
    };
    stream::iter(inputs("ndjson", 400))
        .map(publish)
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<()>>()
        .await;
}
