//! Answers of a server that a publisher has to handle: refusals, delays, and impossible counts.

use std::collections::HashSet;

use codechat::{ClientId, Level, Outcome};

use super::{flush, publisher};
use crate::support::{
    becomes,
    port::Port,
    scripted::{Reply, Scripted},
    soon,
};

#[tokio::test]
async fn a_server_that_refuses_temporarily_counts_as_away() {
    let busy = Reply::problem(
        "503 Service Unavailable",
        &["Retry-After: 1"],
        "shutting down",
    );
    let body = r#"{"id":"2-9","accepted":1,"subscribers":1,"level":"debug","cancel":false,"operation":null}"#;
    let json = &["Content-Type: application/json"];
    let accepted = Reply::answer("202 Accepted", json, body);
    // One of the answers is for the control stream, although it is not one.
    let mut server = Scripted::start([busy, accepted.clone(), accepted]).await;
    let publisher = publisher(&server.url);
    let scope = publisher.scope(ClientId::random());
    scope.info("kept");
    let mut requests = Vec::new();
    while requests.len() < 2 {
        let request = server.asked().await;
        if request.line.starts_with("POST") {
            requests.push(request);
        }
    }
    let [first, again] = &requests[..] else {
        unreachable!()
    };
    let key = first.header("idempotency-key");
    assert_eq!(
        (key, &first.body),
        (again.header("idempotency-key"), &again.body)
    );
    flush(&publisher).await;
    assert!(
        scope.wants(Level::Debug),
        "the answer says what is asked for"
    );
    assert_eq!(publisher.stats().accepted, 1);
}

#[tokio::test]
async fn a_control_stream_accompanies_the_running_operation() {
    let body =
        r#"{"id":"2-9","accepted":1,"subscribers":1,"level":null,"cancel":false,"operation":null}"#;
    let accepted = || Reply::answer("202 Accepted", &["Content-Type: application/json"], body);
    let silence = || Reply::default().hold();
    let replies = [accepted(), silence(), accepted(), accepted(), silence()];
    let mut server = Scripted::start(replies).await;
    let publisher = publisher(&server.url);
    let scope = publisher.scope(ClientId::random());
    let first = scope.operation("first");
    assert!(server.asked().await.body.contains("Started first"));
    assert!(server.asked().await.line.ends_with("?operation=first"));
    first.finish(Outcome::Ok);
    assert!(server.asked().await.body.contains(r#""outcome":"ok""#));
    flush(&publisher).await;
    let _second = scope.operation("second");
    assert!(server.asked().await.body.contains("Started second"));
    assert!(server.asked().await.line.ends_with("?operation=second"));
}

#[tokio::test]
async fn a_request_that_is_refused_as_a_whole_is_not_tried_line_by_line() {
    let port = Port::keep();
    let publisher = publisher(&port.url());
    let scope = publisher.scope(ClientId::random());
    scope.info("alone");
    assert!(becomes(|| publisher.stats().away.is_some()).await);
    for number in 0..10 {
        scope.info(number);
    }
    let refusal = Reply::answer("413 Payload Too Large", &[], "as a proxy says it");
    let mut server = Scripted::start_at(port.address, vec![refusal; 20]).await;
    flush(&publisher).await;
    assert_eq!(publisher.stats().dropped, 11);
    scope.info("last");
    let mut requests = 0;
    loop {
        let request = server.asked().await;
        requests += usize::from(request.line.starts_with("POST"));
        if request.body.contains("last") {
            break;
        }
    }
    assert_eq!(requests, 3);
}

/// Waits until `count` clients have been published to.
async fn published(server: &mut Scripted, count: usize) {
    let mut clients = HashSet::new();
    while clients.len() < count {
        let request = server.asked().await;
        if request.line.starts_with("POST") {
            clients.insert(request.line);
        }
    }
}

#[tokio::test]
async fn a_request_that_the_server_holds_back_delays_no_other_client() {
    // It never answers.
    let mut server = Scripted::start([]).await;
    let publisher = publisher(&server.url);
    for _ in 0..20 {
        publisher.scope(ClientId::random()).info("x");
    }
    soon(published(&mut server, 20)).await;
}

#[tokio::test]
async fn a_client_that_has_to_wait_delays_no_other() {
    let busy = Reply::problem("429 Too Many Requests", &["Retry-After: 60"], "too many");
    let mut server = Scripted::start(vec![busy; 200]).await;
    let publisher = publisher(&server.url);
    for _ in 0..100 {
        publisher.scope(ClientId::random()).info("x");
    }
    soon(published(&mut server, 100)).await;
    assert_eq!(publisher.stats().pending, 100, "they are kept");
}

#[tokio::test]
async fn messages_accepted_before_a_server_failed_are_not_counted_as_dropped() {
    let problem = |status, accepted| {
        let body = format!(r#"{{"detail":"x","accepted":{accepted}}}"#);
        let headers = &["Content-Type: application/problem+json"];
        Reply::answer(&format!("{status} X"), headers, &body)
    };
    // More than one, since the control stream gets an answer too.
    let replies = [vec![problem(503, 1); 2], vec![problem(403, 0); 20]].concat();
    let server = Scripted::start(replies).await;
    let publisher = publisher(&server.url);
    publisher.scope(ClientId::random()).info("x");
    flush(&publisher).await;
    let stats = publisher.stats();
    assert_eq!((stats.accepted, stats.dropped), (1, 0));
}

#[tokio::test]
async fn a_server_that_accepts_more_than_was_sent_is_not_believed() {
    let json = &["Content-Type: application/json"];
    let boast = format!(
        r#"{{"id":null,"accepted":{},"subscribers":0,"level":null,"cancel":false,"operation":null}}"#,
        u64::MAX
    );
    let accepted = Reply::answer("202 Accepted", json, &boast);
    let server = Scripted::start([accepted]).await;
    let publisher = publisher(&server.url);
    publisher.scope(ClientId::random()).info("x");
    flush(&publisher).await;
    let stats = publisher.stats();
    assert_eq!((stats.accepted, stats.dropped), (1, 0));
}
