//! What a server reports about itself, and to whom.

use codechat::internal::{client::Token, server::Access};

use crate::support::{
    http::{Http, stream_of},
    server::Server,
};

const RIGHT: [&str; 1] = ["Authorization: Bearer secret"];
const CLIENTS: &str = "/api/v1/sse/clients";

async fn guarded() -> Server {
    Server::with(|_, options| {
        options.access = Access::token(Token::new("secret"));
    })
    .await
}

/// Returns one of the metrics, as it is written.
async fn number(http: &Http, name: &str) -> String {
    let text = http.get("/metrics").await.text().to_owned();
    let line = text
        .lines()
        .find_map(|it| it.strip_prefix(&format!("codechat_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .to_owned()
}

#[tokio::test]
async fn messages_streams_and_gaps_are_counted() {
    let server = Server::with(|limits, _| limits.log.messages = 4).await;
    assert_eq!(number(&server, "streams").await, "0");
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    for text in ["a", "b", "c"] {
        server.publish(&id, text).await;
    }
    let lines = ["Content-Type: application/x-ndjson"];
    server.post(&stream_of(&id), &lines, "\"d\"\n\"e\"\n").await;
    stream.data(5).await;
    let mut late = server.watch(&id).await;
    assert_eq!(late.event().await.name, "gap");
    late.data(4).await;
    for (name, value) in [
        ("streams", "2"),
        ("clients", "1"),
        ("messages_received_total", "5"),
        ("messages_sent_total", "9"),
        ("gaps_total", "1"),
        ("stalled_connections_closed_total", "0"),
        ("publish_duration_seconds_count", "3"),
        ("publish_duration_seconds_bucket{le=\"+Inf\"}", "3"),
    ] {
        assert_eq!(number(&server, name).await, value, "{name}");
    }
    for name in [
        "log_memory_bytes",
        "stream_bytes_total",
        "publish_duration_seconds_sum",
    ] {
        let value: f64 = number(&server, name).await.parse().unwrap();
        assert!(value > 0.0, "{name}");
    }
    let answer = server.get("/metrics").await;
    let kind = answer.head.header("content-type");
    assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(!answer.text().contains(&id[..8]), "no client is named");
    assert!(!answer.text().contains("store"), "there is no store");
    drop(stream);
    server.stats(|it| it.subscribers == 1).await;
    assert_eq!(number(&server, "streams").await, "1");
}

#[tokio::test]
async fn a_subscriber_that_reads_nothing_is_closed_and_counted() {
    let stall = std::time::Duration::from_millis(50);
    let server = Server::with(|_, options| options.stall_timeout = stall).await;
    let id = server.connect().await;
    let stream = server.watch(&id).await;
    let mut sent = 0;
    while server.hub.stats().subscribers > 0 && sent < 2_000 {
        server.publish(&id, "x".repeat(60_000)).await;
        sent += 1;
    }
    server.stats(|it| it.subscribers == 0).await;
    assert_eq!(
        number(&server, "stalled_connections_closed_total").await,
        "1"
    );
    drop(stream);
}

#[tokio::test]
async fn metrics_and_the_list_of_clients_require_the_token() {
    let server = guarded().await;
    for target in ["/metrics", CLIENTS] {
        server.get(target).await.detail(401);
        let wrong = ["Authorization: Bearer wrong"];
        server.request("GET", target, &wrong, "").await.detail(401);
        let answer = server.request("GET", target, &RIGHT, "").await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn clients_are_listed_if_there_is_a_token() {
    let open = Server::start().await;
    assert!(open.get(CLIENTS).await.detail(404).contains("--token-file"));
    assert_eq!(open.get("/metrics").await.status, 200);

    let server = guarded().await;
    let list = async || server.request("GET", CLIENTS, &RIGHT, "").await.json()["clients"].clone();
    assert_eq!(list().await.as_array().unwrap().len(), 0);
    let connected = server
        .request("GET", "/api/v1/sse/connect", &RIGHT, "")
        .await;
    let id = connected.json()["clientId"].as_str().unwrap().to_owned();
    let _stream = server.watch(&id).await;
    server.post(&stream_of(&id), &RIGHT, "hello").await;
    let clients = list().await;
    assert_eq!(clients[0]["clientId"], id);
    assert_eq!(clients[0]["subscribers"], 1);
    assert_eq!(clients[0]["messages"], 1);
    for time in ["created", "lastActivity"] {
        assert!(
            clients[0][time].as_str().unwrap().ends_with('Z'),
            "{clients}"
        );
    }
    server.stop(&id).await;
    assert_eq!(list().await.as_array().unwrap().len(), 0);
}
