//! Bodies that are refused, or never end, are read no longer than they should be, and their memory is freed.

use std::time::Duration;

use crate::server_bodies::post;
use crate::support::{
    http::{Connection, stream_of},
    server::Server,
    soon,
};

#[tokio::test]
async fn a_refused_body_is_read_to_its_end_so_that_its_client_gets_the_answer() {
    const LARGE: usize = 20 << 20;
    let server = Server::start().await;
    let id = server.connect().await;
    for (method, target, status) in [
        ("POST", &*stream_of(&id), 413),
        ("POST", "/api/v1/sse/debug/nobody", 400),
        ("POST", "/nowhere", 404),
        ("PATCH", &stream_of(&id), 405),
        ("POST", &format!("/api/v1/sse/debug/control/{id}"), 413),
    ] {
        let mut connection = Connection::open(server.address).await;
        let length = format!("Content-Length: {LARGE}");
        connection.ask(method, target, &[&length]).await;
        connection.say(vec![b'x'; LARGE]).await;
        assert_eq!(
            connection.answer().await.status,
            status,
            "{method} {target}"
        );
        // The connection is still usable.
        connection.ask("GET", "/healthz", &[]).await;
        assert_eq!(connection.answer().await.status, 200, "{method} {target}");
    }
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_a_body_that_is_slow_to_come() {
    let mut server = Server::with(|_, options| {
        options.body_timeout = Duration::from_mins(10);
        options.grace = Duration::from_mins(10);
    })
    .await;
    let id = server.connect().await;
    let mut publisher = server.publisher(&id, &[]).await;
    publisher.say_chunk("no message\n").await;
    publisher.answer().await.detail(400);
    // A client that waits for 100 Continue in vain does not make the server wait either.
    let mut cautious = Connection::open(server.address).await;
    let headers = ["Content-Length: 5", "Expect: 100-continue"];
    cautious.ask("POST", "/nowhere", &headers).await;
    cautious.answer().await.detail(404);
    cautious.closed().await;
    server.shut_down();
    server.down().await;
}

#[tokio::test]
async fn unfinished_requests_count_towards_the_memory_budget() {
    const HALF_A_LINE: usize = 300_000;
    let server = Server::with(|limits, _| limits.memory = 2 << 20).await;
    let id = server.connect().await;
    for kind in ["application/x-ndjson", "application/json"] {
        let kind = format!("Content-Type: {kind}");
        let headers = [&*kind, "Content-Length: 999999"];
        let mut open = Vec::new();
        let refused = loop {
            let mut connection = Connection::open(server.address).await;
            connection.ask("POST", &stream_of(&id), &headers).await;
            connection
                .say([b"\"".as_slice(), &vec![b'x'; HALF_A_LINE]].concat())
                .await;
            let answer = tokio::time::timeout(Duration::from_millis(300), connection.head()).await;
            if let Ok(head) = answer {
                break head;
            }
            open.push(connection);
            assert!(open.len() < 20, "none is refused");
        };
        assert_eq!(refused.status, 429, "after {}", open.len());
        assert!(open.len() >= 2, "too few fit in: {}", open.len());
        drop(open);
        // Their memory is freed.
        soon(async {
            let line = format!("\"{}\"", "x".repeat(60_000));
            while post(&server, &id, &kind[14..], &line).await.status == 429 {}
        })
        .await;
    }
}

#[tokio::test]
async fn a_line_that_has_begun_must_end_within_the_body_timeout() {
    let server = Server::with(|_, options| options.body_timeout = Duration::from_millis(300));
    let server = server.await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let mut publisher = server.publisher(&id, &[]).await;
    publisher.say_chunk("\"one\"\n").await;
    assert_eq!(stream.event().await.data, "one");
    // Between lines there is no time limit.
    tokio::time::sleep(Duration::from_millis(600)).await;
    publisher.say_chunk("\"two\"\n\"thr").await;
    let answer = publisher.answer().await;
    let detail = answer.detail(408);
    assert!(detail.starts_with("line 3: "), "{detail}");
    assert_eq!(answer.json()["accepted"], 2);
    assert_eq!(stream.event().await.data, "two");
}
