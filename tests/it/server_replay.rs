//! A stream resumes where its reader left it: nothing twice, nothing skipped, and losses are reported.

use crate::support::{
    http::{stream::Event, stream_of},
    server::Server,
};

async fn publish_all(server: &Server, id: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 1..=count {
        ids.push(server.publish(id, number.to_string()).await);
    }
    ids
}

fn gap(id: &str, data: &str) -> Event {
    Event {
        id: id.into(),
        name: "gap".into(),
        data: data.into(),
    }
}

#[tokio::test]
async fn messages_published_before_subscribing_reach_every_watcher() {
    let server = Server::start().await;
    let id = server.connect().await;
    let ids = publish_all(&server, &id, 3).await;
    let mut first = server.watch(&id).await;
    for expected in &ids {
        assert_eq!(first.event().await.id, *expected);
    }
    let mut second = server.watch(&id).await;
    assert_eq!(second.data(3).await, ["1", "2", "3"]);
    server.publish(&id, "4").await;
    assert_eq!(first.data(1).await, ["4"]);
    assert_eq!(
        second.data(1).await,
        ["4"],
        "a second watcher disconnects nobody"
    );
}

#[tokio::test]
async fn messages_dropped_from_the_log_are_a_gap_from_1() {
    let server = Server::with(|limits, _| limits.log.messages = 3).await;
    let id = server.connect().await;
    let ids = publish_all(&server, &id, 10).await;
    let mut stream = server.watch(&id).await;
    let expected = gap(&ids[6], r#"{"from":1,"to":7,"missed":7}"#);
    assert_eq!(stream.event().await, expected);
    assert_eq!(stream.data(3).await, ["8", "9", "10"]);

    let cursor = format!("Last-Event-ID: {}", ids[3]);
    let mut resumed = server.stream(&stream_of(&id), &[&cursor]).await;
    let expected = gap(&ids[6], r#"{"from":5,"to":7,"missed":3}"#);
    assert_eq!(resumed.event().await, expected);
    assert_eq!(resumed.data(3).await, ["8", "9", "10"]);

    let after_gap = format!("Last-Event-ID: {}", ids[6]);
    let mut resumed = server.stream(&stream_of(&id), &[&after_gap]).await;
    assert_eq!(
        resumed.data(3).await,
        ["8", "9", "10"],
        "the gap is reported once"
    );
}

#[tokio::test]
async fn a_log_is_bounded_by_bytes_too() {
    let server = Server::with(|limits, _| limits.log.bytes = 1000).await;
    let id = server.connect().await;
    for _ in 0..10 {
        server.publish(&id, "x".repeat(300)).await;
    }
    let mut stream = server.watch(&id).await;
    let first = stream.event().await;
    assert_eq!(
        (first.name.as_str(), first.json()["from"].as_u64()),
        ("gap", Some(1))
    );
    let missed = first.json()["missed"].as_u64().unwrap();
    assert!((7..=8).contains(&missed), "{missed}");
    assert_eq!(stream.event().await.seq(), missed + 1);
}

#[tokio::test]
async fn a_tail_has_the_newest_messages_without_a_gap() {
    let server = Server::with(|limits, _| limits.log.messages = 5).await;
    let id = server.connect().await;
    let ids = publish_all(&server, &id, 8).await;
    for (tail, before, expected) in [
        ("2", &ids[5], vec!["7", "8"]),
        ("0", &ids[7], vec![]),
        ("100", &ids[2], vec!["4", "5", "6", "7", "8"]),
    ] {
        let target = format!("{}?tail={tail}", stream_of(&id));
        let mut stream = server.stream(&target, &[]).await;
        let greeting = stream.event().await;
        assert_eq!(greeting.data, "Starting server communication...");
        assert_eq!(greeting.id, *before, "tail={tail}");
        assert_eq!(stream.data(expected.len()).await, expected);
    }
    let target = format!("{}?tail=0", stream_of(&id));
    let mut stream = server.stream(&target, &[]).await;
    stream.event().await;
    server.publish(&id, "new").await;
    assert_eq!(stream.data(1).await, ["new"]);
}

#[tokio::test]
async fn a_reader_resumes_right_after_its_cursor_in_any_of_three_ways() {
    let server = Server::start().await;
    let id = server.connect().await;
    let ids = publish_all(&server, &id, 5).await;
    let (second, third) = (&ids[1], &ids[2]);
    let path = stream_of(&id);
    for (target, headers) in [
        (path.clone(), vec![format!("Last-Event-ID: {third}")]),
        (format!("{path}?lastEventId={third}"), vec![]),
        (format!("{path}?last_event_id={third}"), vec![]),
        (
            format!("{path}?lastEventId={third}"),
            vec!["Last-Event-ID:".to_owned()],
        ),
        (format!("{path}?lastEventId=&last_event_id={third}"), vec![]),
        (
            format!("{path}?lastEventId={second}&tail=0"),
            vec![format!("Last-Event-ID: {third}")],
        ),
    ] {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let mut stream = server.stream(&target, &headers).await;
        assert_eq!(
            stream.block().await.as_deref(),
            Some(": resumed\n\n"),
            "{target}"
        );
        assert_eq!(stream.data(2).await, ["4", "5"], "{target}");
    }
}

#[tokio::test]
async fn resuming_at_the_end_waits_for_new_messages() {
    let server = Server::start().await;
    let id = server.connect().await;
    let ids = publish_all(&server, &id, 2).await;
    let cursor = format!("Last-Event-ID: {}", ids[1]);
    let mut stream = server.stream(&stream_of(&id), &[&cursor]).await;
    assert_eq!(stream.block().await.as_deref(), Some(": resumed\n\n"));
    server.publish(&id, "3").await;
    assert_eq!(stream.data(1).await, ["3"]);
}

#[tokio::test]
async fn every_event_carries_the_id_of_the_last_message_before_it() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.stream(&stream_of(&id), &[]).await;
    let greeting = stream.event().await;
    // A reader that lost its connection here resumes from the greeting's ID.
    let ids = publish_all(&server, &id, 2).await;
    let cursor = format!("Last-Event-ID: {}", greeting.id);
    let mut resumed = server.stream(&stream_of(&id), &[&cursor]).await;
    assert_eq!(resumed.data(2).await, ["1", "2"]);
    server.stop(&id).await;
    assert_eq!(resumed.event().await.id, ids[1]);
}

#[tokio::test]
async fn a_cursor_from_before_a_restart_gets_a_gap_of_unknown_size_and_then_all() {
    let server = Server::start().await;
    let id = server.connect().await;
    publish_all(&server, &id, 2).await;
    for cursor in [
        "120-1000000000000",
        "1-1000000000000",
        "2-99999999999999",
        "3-99999999999999",
    ] {
        let header = format!("Last-Event-ID: {cursor}");
        let mut stream = server.stream(&stream_of(&id), &[&header]).await;
        let event = stream.event().await;
        assert_eq!(
            (event.name.as_str(), event.data.as_str()),
            ("gap", r#"{"missed":null}"#)
        );
        assert_eq!(event.seq(), 0, "a resume after it gets everything");
        assert_eq!(stream.data(2).await, ["1", "2"], "{cursor}");
    }
    let unknown = "00000000-0000-4000-8000-000000000000";
    let header = "Last-Event-ID: 7-1000000000000";
    let mut stream = server.stream(&stream_of(unknown), &[header]).await;
    assert_eq!(stream.event().await.data, r#"{"missed":null}"#);
    server.publish(unknown, "new").await;
    assert_eq!(stream.data(1).await, ["new"]);
}

#[tokio::test]
async fn an_unknown_id_is_opened_by_its_watcher() {
    let server = Server::start().await;
    let id = "F47AC10B-58CC-4372-A567-0E02B2C3D479";
    let mut stream = server.watch(id).await;
    assert_eq!(
        stream.head.header("sse-client-id"),
        Some(id.to_lowercase().as_str())
    );
    server.publish(&id.to_lowercase(), "lower").await;
    server.publish(id, "upper").await;
    assert_eq!(stream.data(2).await, ["lower", "upper"]);
}

#[tokio::test]
async fn json_is_the_whole_message_on_one_line() {
    let server = Server::start().await;
    let id = server.connect().await;
    let target = format!("{}?format=json", stream_of(&id));
    let mut stream = server.stream(&target, &[]).await;
    assert_eq!(stream.head.header("sse-format"), Some("json"));
    let greeting = stream.event().await;
    let (id_of_none, time) = (greeting.id.clone(), greeting.json()["time"].clone());
    let expected = serde_json::json!({
        "id": id_of_none, "time": time, "system": true,
        "message": "Starting server communication...",
    });
    assert_eq!(greeting.json(), expected);
    let time = time.as_str().unwrap();
    let shape: String = time
        .chars()
        .map(|it| if it.is_ascii_digit() { '0' } else { it })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z");

    let mut message = serde_json::json!({
        "message": "two\nlines", "level": "info", "operation": "refresh-repo",
        "progress": {"current": 3, "total": 120, "unit": "files"},
        "outcome": "ok", "event": "build", "fields": {"repo": "demo", "n": [1, {}]},
    });
    let kind = ["Content-Type: application/json"];
    let answer = server
        .post(&stream_of(&id), &kind, message.to_string())
        .await;
    let block = stream.block().await.unwrap();
    let data: Vec<_> = block
        .lines()
        .filter_map(|it| it.strip_prefix("data: "))
        .collect();
    let [object] = data[..] else {
        panic!("{block}");
    };
    let object: serde_json::Value = serde_json::from_str(object).unwrap();
    message["id"] = answer.json()["id"].clone();
    message["time"] = object["time"].clone();
    assert_eq!(object, message);
    assert!(block.contains("\nevent: build\n"), "{block}");

    server.stop(&id).await;
    let end = stream.event().await;
    assert_eq!(
        (end.name.as_str(), end.data.as_str()),
        ("end", "stopped"),
        "text in both"
    );
}

#[tokio::test]
async fn an_invalid_request_for_a_stream_is_refused_with_the_reason() {
    let server = Server::start().await;
    let id = server.connect().await;
    let path = stream_of(&id);
    let cases = [
        (format!("{path}?tail=x"), "", "tail"),
        (format!("{path}?tail=-1"), "", "tail"),
        (format!("{path}?format=xml"), "", "format"),
        (path.clone(), "Last-Event-ID: seven", "Last-Event-ID"),
        (format!("{path}?lastEventId=1-"), "", "Last-Event-ID"),
        ("/api/v1/sse/debug/not-an-id".into(), "", "malformed"),
        (path.clone(), "Sse-Client-ID: nonsense", "malformed"),
        (
            path.clone(),
            "Sse-Client-ID: 00000000-0000-4000-8000-000000000000",
            "another client",
        ),
    ];
    for (target, header, expected) in cases {
        let headers: &[&str] = if header.is_empty() { &[] } else { &[header] };
        let detail = server
            .request("GET", &target, headers, "")
            .await
            .detail(400);
        assert!(detail.contains(expected), "{target} {header}: {detail}");
    }
    let same = format!("Sse-Client-ID: {}", id.to_uppercase());
    for header in [same.as_str(), "Sse-Client-ID:"] {
        server.stream(&path, &[header]).await;
    }
}
