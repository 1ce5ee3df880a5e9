//! The exact bytes of the protocol, from connecting to a stopped stream.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{http::stream_of, server::Server};

const CANONICAL: &str = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";

/// Returns whether it is a version 4 UUID in canonical lower case.
fn is_canonical(id: &str) -> bool {
    let fits = |(is, should)| match should {
        'x' => matches!(is, '0'..='9' | 'a'..='f'),
        'y' => matches!(is, '8' | '9' | 'a' | 'b'),
        other => is == other,
    };
    id.len() == CANONICAL.len() && id.chars().zip(CANONICAL.chars()).all(fits)
}

fn unix_millis() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis()
}

/// Asserts that a block equals `expected`, in which NOW stands for the current time in milliseconds.
fn assert_block(block: Option<&str>, expected: &str) {
    let block = block.expect("the stream ended");
    let (before, after) = expected.split_once("NOW").unwrap();
    let time = block
        .strip_prefix(before)
        .and_then(|it| it.strip_suffix(after));
    let time: u128 = time
        .and_then(|it| it.parse().ok())
        .unwrap_or_else(|| panic!("{block:?}"));
    let now = unix_millis();
    assert!((now - 60_000..=now).contains(&time), "{time}");
}

#[tokio::test]
async fn the_six_steps_have_exactly_the_protocols_bytes() {
    let server = Server::start().await;

    let connected = server.get("/api/v1/sse/connect").await;
    let json = connected.json();
    let id = json["clientId"].as_str().unwrap();
    assert!(is_canonical(id), "{id}");
    let path = stream_of(id);
    let expected = serde_json::json!({
        "clientId": id,
        "streamUrl": path,
        "publishUrl": path,
        "stopUrl": format!("/api/v1/sse/debug/stop/{id}"),
        "idleTimeoutSeconds": 900,
    });
    assert_eq!((connected.status, &json), (200, &expected));
    assert_eq!(connected.head.header("sse-client-id"), Some(id));
    assert_eq!(connected.head.header("cache-control"), Some("no-store"));
    assert_eq!(
        connected.head.header("content-type"),
        Some("application/json")
    );

    let mut stream = server.stream(&path, &[]).await;
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
        ("x-content-type-options", "nosniff"),
        ("sse-client-id", id),
        ("sse-format", "text"),
        ("transfer-encoding", "chunked"),
    ] {
        assert_eq!(stream.head.header(name), Some(value), "{name}");
    }

    let greeting =
        "retry: 1000\nid: 0-NOW\nevent: debug\ndata: Starting server communication...\n\n";
    assert_block(stream.block().await.as_deref(), greeting);

    let answer = server.post(&path, &[], "Processed file 3 of 120").await;
    let expected = serde_json::json!({
        "id": answer.json()["id"], "accepted": 1, "subscribers": 1,
        "level": null, "cancel": false, "operation": null,
    });
    assert_eq!((answer.status, answer.json()), (202, expected));
    let block = stream.block().await;
    let message = "id: 1-NOW\nevent: debug\ndata: Processed file 3 of 120\n\n";
    assert_block(block.as_deref(), message);
    let event_id = answer.json()["id"].as_str().unwrap().to_owned();
    assert!(block.unwrap().starts_with(&format!("id: {event_id}\n")));

    let stop = format!("/api/v1/sse/debug/stop/{id}");
    let stopped = server.post(&stop, &[], "").await;
    assert_eq!(
        (stopped.status, stopped.text()),
        (200, "Debug message stream stopped.")
    );
    let kind = stopped.head.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain"), "{kind}");

    let end = format!("id: {event_id}\nevent: end\ndata: stopped\n\n");
    assert_eq!(stream.block().await, Some(end));
    stream.ended().await;

    let cursor = format!("Last-Event-ID: {event_id}");
    let gone = server.request("GET", &path, &[&cursor], "").await;
    assert_eq!((gone.status, gone.text()), (204, ""));
    let mut fresh = server.stream(&path, &[]).await;
    assert_block(fresh.block().await.as_deref(), greeting);
    assert_eq!(
        server.publish(id, "again").await.split('-').next(),
        Some("1")
    );
}

#[tokio::test]
async fn stopping_answers_the_same_for_every_method_when_repeated_and_for_unknown_ids() {
    let server = Server::start().await;
    for method in ["GET", "POST", "DELETE"] {
        let id = server.connect().await;
        let mut stream = server.watch(&id).await;
        let path = match method {
            "DELETE" => stream_of(&id),
            _ => format!("/api/v1/sse/debug/stop/{id}"),
        };
        for _ in ["stopped", "repeated"] {
            let answer = server.request(method, &path, &[], "").await;
            assert_eq!(
                (answer.status, answer.text()),
                (200, "Debug message stream stopped.")
            );
        }
        assert_eq!(stream.event().await.name, "end");
    }
    server.stop("00000000-0000-4000-8000-000000000000").await;
}

#[tokio::test]
async fn a_simple_client_sees_every_message() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.stream(&stream_of(&id), &[]).await;
    server.publish(&id, "one line").await;
    let json = r#"{"message":"with everything","level":"warn","event":"build","fields":{"a":1}}"#;
    let kind = ["Content-Type: application/json"];
    assert_eq!(server.post(&stream_of(&id), &kind, json).await.status, 202);
    server.publish(&id, "two\r\nlines").await;
    server.stop(&id).await;
    let mut text = String::new();
    while let Some(block) = stream.block().await {
        text += &block;
    }
    // It splits at blank lines, takes event: and data: lines, and ignores the rest.
    let mut seen = Vec::new();
    for block in text.split("\n\n") {
        let (mut event, mut data) = ("message", Vec::new());
        for line in block.lines() {
            if let Some(value) = line.strip_prefix("event:") {
                event = value.trim();
            } else if let Some(value) = line.strip_prefix("data:") {
                data.push(value.trim_start());
            }
        }
        if !data.is_empty() {
            seen.push(format!("{event}: {}", data.join("|")));
        }
    }
    let expected = [
        "debug: Starting server communication...",
        "debug: one line",
        "build: with everything",
        "debug: two|lines",
        "end: stopped",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn no_text_forges_a_field_or_an_event_and_none_is_lost() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let kind = ["Content-Type: application/json"];
    for (message, data) in [
        (
            "a\n\nid: 9-9\nevent: end\ndata: stopped\n\n",
            "data: a\ndata: \ndata: id: 9-9\ndata: event: end\ndata: data: stopped\ndata: \ndata: \n",
        ),
        (
            "cr\rcrlf\r\nlf\n",
            "data: cr\ndata: crlf\ndata: lf\ndata: \n",
        ),
        ("", "data: \n"),
        (" spaces \t", "data:  spaces \t\n"),
        (
            ":comment\u{0}\u{2028}é🦀",
            "data: :comment\u{0}\u{2028}é🦀\n",
        ),
    ] {
        let json = serde_json::json!({ "message": message }).to_string();
        let answer = server.post(&stream_of(&id), &kind, json).await;
        let event_id = answer.json()["id"].as_str().unwrap().to_owned();
        let expected = format!("id: {event_id}\nevent: debug\n{data}\n");
        assert_eq!(stream.block().await, Some(expected));
    }
}

#[tokio::test]
async fn connect_returns_the_bare_id_if_text_is_requested() {
    let server = Server::start().await;
    for (accept, is_text) in [
        ("text/plain", true),
        ("TEXT/PLAIN;q=0.9, application/json", true),
        ("application/json, text/plain", false),
        ("*/*", false),
        ("text/html", false),
    ] {
        let accept = format!("Accept: {accept}");
        let answer = server
            .request("GET", "/api/v1/sse/connect", &[&accept], "")
            .await;
        let id = answer.head.header("sse-client-id").unwrap();
        if is_text {
            assert_eq!(answer.text(), format!("{id}\n"), "{accept}");
            let kind = answer.head.header("content-type").unwrap();
            assert!(kind.starts_with("text/plain"), "{kind}");
        } else {
            assert_eq!(answer.json()["clientId"], id, "{accept}");
        }
        assert_eq!(answer.head.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn many_requests_go_over_one_connection() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut connection = crate::support::http::Connection::open(server.address).await;
    for count in 1..=3 {
        connection
            .ask("POST", &stream_of(&id), &["Content-Length: 2"])
            .await;
        connection.say("hi").await;
        let answer = connection.answer().await;
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        assert!(id.starts_with(&format!("{count}-")), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_of_concurrent_publishers_arrive_once_and_in_order() {
    const PUBLISHERS: usize = 4;
    const MESSAGES: usize = 400;
    let server = Server::start().await;
    let mut ids = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..10 {
        let id = server.connect().await;
        streams.push((server.watch(&id).await, server.watch(&id).await));
        ids.push(id);
    }
    let publish = async |publisher: usize| {
        for message in 0..MESSAGES {
            // Every other message is for the first client.
            let id = &ids[(message % 2) * (message / 2) % ids.len()];
            server.publish(id, format!("{publisher} {message}")).await;
        }
    };
    futures_util::future::join_all((0..PUBLISHERS).map(publish)).await;

    let mut came = 0;
    for (id, (first, second)) in ids.iter().zip(&mut streams) {
        server.stop(id).await;
        let mut last = [None; PUBLISHERS];
        let mut seq = 0;
        loop {
            let event = first.event().await;
            assert_eq!(event, second.event().await);
            if event.name == "end" {
                break;
            }
            seq += 1;
            assert_eq!(event.seq(), seq);
            let (publisher, message) = event.data.split_once(' ').unwrap();
            let message = Some(message.parse::<usize>().unwrap());
            let before = &mut last[publisher.parse::<usize>().unwrap()];
            assert!(*before < message, "{before:?} before {message:?}");
            *before = message;
            came += 1;
        }
    }
    assert_eq!(came, PUBLISHERS * MESSAGES);
}
