//! A request that may have effects reaches its server at most once, whatever fails; a GET is repeated, and resumes.

use std::io::Write;
use std::net::TcpListener as Port;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    process::{Ended, Running},
    scripted::{Reply, Scripted},
    soon,
};

/// The header of a stream whose end is a chunk, so that a cut can be recognised.
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

/// Returns an event in a chunk of its own.
fn chunk(event: &str) -> String {
    format!("{:x}\r\n{event}\r\n", event.len())
}

/// Returns an event compressed with gzip, without the end of the data.
fn cut_gzip() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(b"data: a\n\n").unwrap();
    encoder.flush().unwrap();
    encoder.get_ref().clone()
}

async fn posted(server: &Scripted, flags: &[&str]) -> Ended {
    let url = format!("{}/run", server.url);
    let words = ["watch", "-d", "work", &url];
    Running::codechat([&words, flags].concat()).end().await
}

#[tokio::test]
async fn a_post_reaches_its_server_once_whatever_breaks() {
    const ADVICE: &str = "; a POST is not sent again, since it may do its work twice";
    let cut = chunk("data: a\n\n");
    let twice = [&*cut, &*cut].concat();
    let elsewhere = ["Location: /elsewhere"];
    for (reply, flags, expected) in [
        (
            Reply::raw("HTTP/1.1 20"),
            &[][..],
            format!("connection closed before message completed{ADVICE}"),
        ),
        (
            Reply::stream_with(CHUNKED, &cut),
            &[],
            format!("the stream was cut after 1 event (the connection was cut after 0 s){ADVICE}"),
        ),
        (
            Reply::stream_with(CHUNKED, &twice),
            &[],
            format!("the stream was cut after 2 events (the connection was cut after 0 s){ADVICE}"),
        ),
        (
            Reply::stream_with(CHUNKED, &cut).hold(),
            &["--heartbeat", "40ms"],
            format!("the stream was cut after 1 event (nothing came for 0.1 s){ADVICE}"),
        ),
        (
            Reply::stream_with("Content-Encoding: gzip\r\n", cut_gzip()),
            &[],
            format!("the stream was cut after 1 event (the connection was cut after 0 s){ADVICE}"),
        ),
        (
            Reply::raw(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{CHUNKED}\r\n"
            )),
            &[],
            ADVICE.into(),
        ),
        (
            Reply::answer("303 See Other", &elsewhere, ""),
            &[],
            "refused (303): it redirects to /elsewhere, where this request is not sent".into(),
        ),
        (
            Reply::answer("500 Internal Server Error", &[], "broken"),
            &[],
            "refused (500): broken".into(),
        ),
        (
            Reply::answer("503 Service Unavailable", &["Retry-After: 0"], "busy"),
            &[],
            "refused (503): busy".into(),
        ),
    ] {
        let mut server = Scripted::start([reply]).await;
        let ended = posted(&server, flags).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(&expected), "{expected}: {ended:?}");
        assert_eq!(server.asked().await.body, "work");
        assert_eq!(server.connections().await, 1, "{expected}");
    }
}

#[tokio::test]
async fn a_post_whose_answer_ends_properly_is_done() {
    let mut server = Scripted::start([Reply::pieces([&b"data: a\n\n"[..]])]).await;
    let ended = posted(&server, &[]).await;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "a\n"), "{ended:?}");
    assert!(!ended.stderr.contains("--once"), "{ended:?}");
    assert_eq!(server.connections().await, 1);
}

#[tokio::test]
async fn a_post_that_was_not_sent_is_an_error_or_waits_for_its_server() {
    let port = Port::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    let url = format!("http://{address}/run");
    drop(port);
    let ended = Running::codechat(["watch", "-d", "work", &url]).end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("nothing answers at"), "{ended:?}");
    let mut waits = Running::codechat(["watch", "-d", "work", "--wait", &url]);
    waits.says("reconnecting, try 1").await;
    let reply = Reply::stream("data: a\n\n");
    let mut server = Scripted::start_at(address, [reply]).await;
    let ended = waits.end().await;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "a\n"), "{ended:?}");
    assert_eq!(server.asked().await.body, "work");
    assert_eq!(server.connections().await, 1);
}

#[tokio::test]
async fn a_post_whose_server_disappears_during_a_redirect_is_not_sent_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/run", listener.local_addr().unwrap());
    let watcher = Running::codechat(["watch", "-d", "work", "--wait", &url]);
    let (mut socket, _) = soon(listener.accept()).await.unwrap();
    soon(socket.read(&mut [0; 1024])).await.unwrap();
    drop(listener);
    let moved =
        "HTTP/1.1 307 Moved\r\nLocation: /there\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    socket.write_all(moved.as_bytes()).await.unwrap();
    drop(socket);
    let ended = watcher.end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("a POST is not sent again"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn an_event_id_that_cannot_be_a_header_is_reported_as_a_gap() {
    let first = Reply::stream("retry: 0\nid: a\u{1}b\ndata: a\n\n");
    let replies = [first, Reply::stream("data: b\n\n").hold()];
    let mut server = Scripted::start(replies).await;
    let ended = Running::codechat(["watch", "-n", "2", &server.url])
        .end()
        .await;
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(0), "a\nb\n"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("some may be missing"), "{ended:?}");
    server.asked().await;
    assert_eq!(server.asked().await.header("last-event-id"), None);
}

#[tokio::test]
async fn a_redirect_within_the_origin_keeps_a_post() {
    let moved = ["Location: /there"];
    let replies = [
        Reply::answer("307 Temporary Redirect", &moved, ""),
        Reply::stream("data: a\n\n"),
    ];
    let mut server = Scripted::start(replies).await;
    let ended = posted(&server, &[]).await;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "a\n"), "{ended:?}");
    for line in ["POST /run", "POST /there"] {
        let request = server.asked().await;
        assert_eq!((&*request.line, &*request.body), (line, "work"));
    }
}

#[tokio::test]
async fn a_get_resumes_after_each_cut_without_repeats() {
    // IDs may be anything; this server sends the last event again when resuming.
    let id = |number: usize| format!("[{{\"offset\":{number}}}, \"ü\"]");
    let event = |number: usize| format!("id: {}\ndata: {number}\n\n", id(number));
    let cut = |number: usize| {
        let body = match number {
            0 => format!("retry: 0\n{}", event(0)),
            _ => event(number - 1) + &event(number),
        };
        Reply::stream_with(CHUNKED, chunk(&body))
    };
    let mut server = Scripted::start((0..=10).map(cut)).await;
    let url = format!("{}/a", server.url);
    let flags = ["watch", "-n", "11", "-H", "Last-Event-ID: first", &url];
    let ended = Running::codechat(flags).end().await;
    let lines: Vec<_> = (0..=10).map(|it| it.to_string()).collect();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), lines);
    let cuts = ended.stderr.matches("the connection was cut after 0 s");
    assert_eq!(cuts.count(), 10, "{}", ended.stderr);
    for number in 0..=10_usize {
        let asked = server.asked().await;
        let last = match number.checked_sub(1) {
            Some(before) => id(before),
            None => "first".into(),
        };
        assert_eq!(asked.header("last-event-id"), Some(&*last), "{number}");
    }
}

#[tokio::test]
async fn a_stream_that_is_read_once_ends_with_its_response() {
    let event = chunk("data: a\n\n");
    let whole = event.clone() + "0\r\n\r\n";
    for (body, code) in [(&whole, 0), (&event, 1)] {
        let mut server = Scripted::start([Reply::stream_with(CHUNKED, body)]).await;
        let ended = Running::codechat(["watch", "--once", &server.url])
            .end()
            .await;
        assert_eq!(
            (ended.code, &*ended.stdout),
            (Some(code), "a\n"),
            "{ended:?}"
        );
        assert_eq!(server.connections().await, 1);
    }
    let busy = Reply::answer("503 Service Unavailable", &[], "busy");
    let server = Scripted::start([busy]).await;
    let ended = Running::codechat(["watch", "--once", &server.url])
        .end()
        .await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("refused (503): busy"), "{ended:?}");
}

#[tokio::test]
async fn a_request_that_a_server_cannot_answer_now_is_repeated() {
    let busy = Reply::answer("503 Service Unavailable", &["Retry-After: 0"], "busy");
    let stream = Reply::stream("data: a\n\n").hold();
    let server = Scripted::start([busy, stream]).await;
    let ended = Running::codechat(["watch", "-n", "1", &server.url])
        .end()
        .await;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "a\n"), "{ended:?}");
    assert!(ended.stderr.contains("(503 busy)"), "{ended:?}");
}

#[tokio::test]
async fn an_event_id_that_is_too_long_for_the_server_is_reported() {
    let long = format!("id: {}\ndata: a\n\n", "x".repeat(9000));
    let too_large = Reply::answer("431 Request Header Fields Too Large", &[], "");
    let server = Scripted::start([Reply::stream(format!("retry: 0\n{long}")), too_large]).await;
    let ended = Running::codechat(["watch", &server.url]).end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expected = "the event ID has 9000 bytes, more than this server takes";
    assert!(ended.stderr.contains(expected), "{ended:?}");
}
