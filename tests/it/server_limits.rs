//! The limits of size, clients, subscribers and memory: each is reported when it is reached, and affects nobody else.
//! That of control streams is in `control.rs`.

use std::time::Duration;

use serde_json::json;
use tokio::time;

use crate::support::{http::stream_of, server::Server};

const JSON: &str = "Content-Type: application/json";
const NDJSON: &str = "Content-Type: application/x-ndjson";

#[tokio::test]
async fn a_body_over_its_limit_is_413() {
    let server = Server::with(|_, options| options.max_message = 100).await;
    let id = server.connect().await;
    let target = stream_of(&id);
    let (fits, large) = ("é".repeat(50), format!("{}x", "é".repeat(50)));
    let object = |text: &str| json!({ "message": text }).to_string();
    let escaped = format!("{{\"message\":\"{}\"}}", "\\u0001".repeat(100));
    let fields = json!({"message": fits, "fields": {"x": "y".repeat(4000)}}).to_string();
    for (kind, body) in [
        ("Content-Type: text/plain", fits.as_str()),
        (JSON, &object(&fits)),
        (JSON, &escaped),
        (JSON, &fields),
        (NDJSON, &object(&fits)),
    ] {
        assert_eq!(
            server.post(&target, &[kind], body).await.status,
            202,
            "{kind} {body}"
        );
    }
    let fields = json!({"message": fits, "fields": {"x": "y".repeat(5000)}}).to_string();
    let endless = "\"".to_owned() + &"x".repeat(1 << 20);
    let of_text = "the message's text is over the limit of 100 bytes";
    let of_fields = "the message with its fields is over the limit of 4196 bytes";
    let of_json = "the message's JSON is over the limit of 25176 bytes";
    for (kind, body, says) in [
        ("Content-Type: text/plain", large.as_str(), of_text),
        ("Content-Type: text/plain", &"x".repeat(1 << 20), of_text),
        (JSON, &object(&large), of_text),
        (JSON, &fields, of_fields),
        (JSON, &endless, of_json),
    ] {
        let detail = server.post(&target, &[kind], body).await.detail(413);
        assert!(detail.starts_with(says), "{detail}");
    }
    for (bad, says) in [
        (object(&large), of_text),
        (fields, of_fields),
        (endless.clone(), of_json),
        (endless + "\n", of_json),
    ] {
        let answer = server
            .post(&target, &[NDJSON], format!("\"one\"\n{bad}"))
            .await;
        let detail = answer.detail(413);
        assert!(detail.starts_with(&format!("line 2: {says}")), "{detail}");
        assert_eq!(answer.json()["accepted"], 1);
    }
}

#[tokio::test]
async fn a_refusal_at_a_limit_is_429_with_a_retry_time() {
    let server = Server::with(|limits, _| {
        limits.clients = 1;
        limits.subscribers = 1;
        limits.memory = 10_000;
    })
    .await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let unknown = stream_of("00000000-0000-4000-8000-000000000000");
    let subscribed = server.get(&stream_of(&id)).await;
    let opened = [
        server.get("/api/v1/sse/connect").await,
        server.get(&unknown).await,
    ];
    let mut refused = vec![(subscribed, "--max-subscribers")];
    refused.extend(opened.map(|it| (it, "--max-clients")));
    for _ in 0..2 {
        server.publish(&id, "x".repeat(5000)).await;
    }
    refused.push((
        server.post(&stream_of(&id), &[], "more").await,
        "--max-memory",
    ));
    for (answer, expected) in &refused {
        let detail = answer.detail(429);
        assert!(detail.contains(expected), "{detail}");
        let retry = answer.head.header("retry-after").unwrap();
        assert!(retry.parse::<u32>().unwrap() > 0, "{retry}");
    }
    assert_eq!(
        stream.data(2).await.concat().len(),
        10_000,
        "an open stream continues"
    );
    drop(stream);
    server.stats(|it| it.subscribers == 0).await;
    server.watch(&id).await;
    server.stop(&id).await;
    server.connect().await;
}

#[tokio::test]
async fn if_memory_is_used_up_the_longest_idle_unwatched_channel_ends_first() {
    let server = Server::with(|limits, _| limits.memory = 30_000).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = server.connect().await;
        server.publish(&id, "x".repeat(8000)).await;
        ids.push(id);
        // The next one is younger by the clock, which counts milliseconds.
        time::pause();
        time::advance(Duration::from_millis(1)).await;
        time::resume();
    }
    let mut watched = server.watch(&ids[0]).await;
    assert_eq!(watched.event().await.data.len(), 8000);
    let busy = server.connect().await;
    for _ in 0..2 {
        server.publish(&busy, "x".repeat(8000)).await;
    }
    server
        .post(&stream_of(&ids[1]), &[], "late")
        .await
        .detail(404);
    assert_eq!(server.hub.stats().channels, 3, "one was enough");
    server.publish(&ids[0], "watched").await;
    assert_eq!(watched.data(1).await, ["watched"]);
}
