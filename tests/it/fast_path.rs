//! The fast path is only a shortcut: whatever is sent on a connection, the answers are the same bytes as hyper's.

mod requests;

use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use codechat::internal::{
    client::Token,
    event::Format,
    hub::{Hub, Limits, Position},
    server::{Access, ServerOptions},
};
use proptest::{prelude::*, test_runner::TestRunner};
use regex::bytes::{Captures, Regex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tracing::{
    Metadata,
    span::{Attributes, Id, Record},
    subscriber::NoSubscriber,
};

use requests::request;

use crate::support::{
    fuzz_bytes::{shown, with_id},
    fuzz_inputs::inputs,
    http::{Connection, stream_of},
    server::Server,
    soon,
};

/// A client ID that both servers know.
const KNOWN: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
/// Ends a connection. (If a client closes its half, hyper may drop an unanswered request.)
const LAST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// Time limit for incomplete requests.
const PATIENCE: Duration = Duration::from_secs(1);
/// Heartbeat: hyper notices a closed connection only by writing.
const QUICK: Duration = Duration::from_millis(50);
/// Length of the compared beginning of a stream, after its head, in bytes.
const BEGINNING: usize = 16;

/// Token of the servers that have one.
const TOKEN: &str = "secret";

/// Starts a server with each path.
async fn pair(heartbeat: Duration, access: Access) -> [Server; 2] {
    let mut pair = Vec::new();
    for plain_requests in [false, true] {
        let mut options = ServerOptions::new(access.clone())
            .heartbeat(heartbeat)
            .header_timeout(PATIENCE)
            .body_timeout(PATIENCE)
            .max_message(100);
        options.plain_requests = plain_requests;
        let server = Server::of(Hub::new(Limits::default()), options).await;
        let token = format!("Authorization: Bearer {TOKEN}");
        server.stream(&stream_of(KNOWN), &[&token]).await;
        server.stats(|it| it.subscribers == 0).await;
        pair.push(server);
    }
    pair.try_into().unwrap_or_else(|_| unreachable!("two ways"))
}

/// Returns everything that a server answers to these pieces, without what differs by nature.
async fn answers(server: &Server, pieces: &[Vec<u8>]) -> String {
    let mut socket = soon(TcpStream::connect(server.address)).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let mut answers = Vec::new();
    soon(async {
        for (at, piece) in pieces.iter().enumerate() {
            let is_last = at + 1 == pieces.len();
            let end = if is_last { LAST } else { b"" };
            // It may be closed at any point.
            let _ = socket.write_all(&[piece, end].concat()).await;
            tokio::task::yield_now().await;
        }
        while stream_begun(&answers).is_none() {
            if !matches!(socket.read_buf(&mut answers).await, Ok(1..)) {
                break;
            }
        }
        if let Some(end) = stream_begun(&answers) {
            answers.truncate(end);
        }
    })
    .await;
    drop(socket);
    server.stats(|it| it.subscribers == 0).await;
    without_what_varies(&answers)
}

/// Returns where the comparison of a stream in these answers ends; `None` if there is none, or less of it.
fn stream_begun(answers: &[u8]) -> Option<usize> {
    let find = |from: usize, what: &[u8]| {
        let at = answers[from..]
            .windows(what.len())
            .position(|it| it == what);
        at.map(|it| from + it + what.len())
    };
    let end = find(find(0, b"text/event-stream\r\n")?, b"\r\n\r\n")? + BEGINNING;
    (end <= answers.len()).then_some(end)
}

/// Replaces times and server-generated IDs by their lengths.
fn without_what_varies(answers: &[u8]) -> String {
    const ID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}";
    let varying = Regex::new(&format!(r"(?i:date): [^\r]*|-\d{{13}}\b|{ID}")).unwrap();
    let length = |found: &Captures| match &found[0] {
        known if known == KNOWN.as_bytes() => known.to_vec(),
        other => format!("({})", other.len()).into_bytes(),
    };
    shown(&varying.replace_all(answers, length))
}

async fn same_answers(servers: &[Server; 2], pieces: &[Vec<u8>]) -> String {
    let [fast, hyper] = servers;
    let (fast, hyper) = tokio::join!(answers(fast, pieces), answers(hyper, pieces));
    assert_eq!(fast, hyper, "to {}", shown(&pieces.concat()));
    fast
}

#[tokio::test]
async fn fuzzed_requests_are_answered_in_the_same_way() {
    let servers = pair(QUICK, Access::open()).await;
    for input in inputs("requests", 400) {
        let input = with_id(&input, KNOWN);
        // How much of a stream hyper still writes in HTTP/1.0, after it knows that the client sends no more, is
        // random.
        if !input.windows(8).any(|it| it == b"HTTP/1.0") {
            same_answers(&servers, &[input]).await;
        }
    }
}

#[test]
fn requests_of_many_kinds_are_answered_in_the_same_way() {
    compare_many(Access::open());
}

#[test]
fn requests_to_a_server_with_a_token_are_answered_in_the_same_way() {
    compare_many(Access::token(Token::new(TOKEN)));
}

fn compare_many(access: Access) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let servers = runtime.block_on(pair(QUICK, access));
    let several = prop::collection::vec(request(), 1..5);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let accepted = Cell::new(0);
    let tested = runner.run(&several, |requests| {
        // In one piece: if a body comes after its request was refused, hyper may end the connection.
        let answers = runtime.block_on(same_answers(&servers, &[requests.concat()]));
        accepted.set(accepted.get() + answers.matches("202 Accepted").count());
        Ok(())
    });
    tested.unwrap();
    assert!(accepted.get() > 100, "{accepted:?} messages were accepted");
}

#[tokio::test]
async fn a_message_in_two_pieces_is_answered_in_the_same_way() {
    let servers = pair(QUICK, Access::open()).await;
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
        stream_of(KNOWN)
    );
    for cut in 1..request.len() {
        let (first, second) = request.as_bytes().split_at(cut);
        let answers = same_answers(&servers, &[first.into(), second.into()]).await;
        assert!(answers.starts_with("HTTP/1.1 202"), "{answers}");
    }
}

#[tokio::test]
async fn a_stream_is_the_same_to_its_last_byte() {
    let servers = pair(Duration::from_mins(1), Access::open()).await;
    let mut streams = Vec::new();
    for server in &servers {
        for text in ["one", "two"] {
            server.publish(KNOWN, text).await;
        }
        let mut connection = Connection::open(server.address).await;
        connection.ask("GET", &stream_of(KNOWN), &[]).await;
        server
            .stats(|it| it.subscribers == 1 && it.delivered == 2)
            .await;
        server.stop(KNOWN).await;
        let mut stream = Vec::new();
        soon(connection.socket.read_to_end(&mut stream))
            .await
            .unwrap();
        streams.push(without_what_varies(&stream));
    }
    assert!(streams[0].contains("data: two") && streams[0].contains("event: end"));
    assert_eq!(streams[0], streams[1]);
}

#[tokio::test]
async fn a_used_connection_that_is_idle_is_closed_in_time() {
    for plain_requests in [false, true] {
        let server = Server::with(|_, options| {
            options.plain_requests = plain_requests;
            options.header_timeout = Duration::from_millis(500);
        });
        let server = server.await;
        let id = server.connect().await;
        let mut connection = Connection::open(server.address).await;
        for _ in 0..2 {
            connection
                .say(format!(
                    "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi",
                    stream_of(&id)
                ))
                .await;
            assert_eq!(connection.answer().await.status, 202);
        }
        connection.closed().await;
    }
}

#[tokio::test]
async fn a_client_that_reads_no_answers_is_closed() {
    for plain_requests in [false, true] {
        let server = Server::with(|_, options| {
            options.plain_requests = plain_requests;
            options.stall_timeout = Duration::from_millis(200);
        });
        let server = server.await;
        let id = server.connect().await;
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi",
            stream_of(&id)
        );
        let requests = request.repeat(1000);
        let mut connection = Connection::open(server.address).await;
        // It stops reading at some point, and then disconnects.
        soon(async {
            while connection
                .socket
                .write_all(requests.as_bytes())
                .await
                .is_ok()
            {}
        })
        .await;
        server.publish(&id, "others are not held up").await;
    }
}

/// A log that panics at the first answer.
#[derive(Default)]
struct BrokenLog(AtomicBool);

impl tracing::Subscriber for BrokenLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let is_answer = event.metadata().target() == "codechat::server::service";
        assert!(
            !is_answer || self.0.swap(true, Ordering::Relaxed),
            "the log is broken"
        );
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_failure_after_publishing_does_not_publish_again() {
    for plain_requests in [false, true] {
        let server = Server::with(|_, options| options.plain_requests = plain_requests).await;
        let id = server.connect().await;
        let mut connection = Connection::open(server.address).await;
        // With a single subscriber, tracing would cache whether the first thread wants an event; the threads of
        // other tests have no subscriber.
        let _another = tracing::Dispatch::new(NoSubscriber::default());
        let _log = tracing::subscriber::set_default(BrokenLog::default());
        connection
            .say(format!(
                "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi",
                stream_of(&id)
            ))
            .await;
        connection.closed().await;
        assert_eq!(server.hub.stats().published, 1);
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_delay_a_shutdown() {
    let mut server = Server::with(|_, options| options.grace = Duration::from_mins(1)).await;
    let id = server.connect().await;
    let mut connection = Connection::open(server.address).await;
    connection
        .say("GET /api/v1/sse/connect HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(connection.answer().await.status, 200);
    server.publish(&id, "not read").await;
    server.shut_down();
    connection.closed().await;
    server.down().await;
}

#[tokio::test]
async fn lines_that_have_to_wait_are_published_once_and_in_order() {
    for plain_requests in [false, true] {
        let server = Server::with(|limits, options| {
            limits.log.messages = 5;
            options.plain_requests = plain_requests;
        });
        let server = server.await;
        let id = server.connect().await;
        let (format, start) = (Format::Text, Position::Start);
        let mut reader = server
            .hub
            .subscribe(id.parse().unwrap(), format, start)
            .unwrap();
        let lines: Vec<_> = (0..30).map(|it| format!("\"line {it};\"\n")).collect();
        let lines = lines.concat();
        let mut connection = Connection::open(server.address).await;
        connection
            .say(format!(
                "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n\
                 Idempotency-Key: k\r\nContent-Length: {}\r\n\r\n{lines}",
                stream_of(&id),
                lines.len()
            ))
            .await;
        let mut read = Vec::new();
        let reading = async {
            while !String::from_utf8_lossy(&read).contains("line 29;") {
                reader.read(&mut read, 100).await;
            }
        };
        let (answer, ()) = tokio::join!(connection.answer(), soon(reading));
        assert_eq!(answer.status, 202);
        assert_eq!(answer.json()["accepted"], 30);
        let read = String::from_utf8(read).unwrap();
        let seen: Vec<_> = read
            .lines()
            .filter_map(|it| it.strip_prefix("data: line "))
            .collect();
        let expected: Vec<_> = (0..30).map(|it| format!("{it};")).collect();
        assert_eq!(seen, expected);
        assert_eq!(server.hub.stats().published, 30);
    }
}
