//! What a publisher sends is accepted as the protocol says, or refused with its reason.

use codechat::internal::hub::FINISHED_KEYS;
use serde_json::{Value, json};

use crate::support::{
    http::{Connection, Stream, stream_of},
    server::Server,
};

const JSON: &str = "Content-Type: application/json";
const NDJSON: &str = "Content-Type: application/x-ndjson";

async fn json_stream(server: &Server, id: &str) -> Stream {
    let target = format!("{}?format=json", stream_of(id));
    let mut stream = server.stream(&target, &[]).await;
    assert_eq!(stream.event().await.json()["system"], true);
    stream
}

/// Returns a message without the members that the server adds.
fn unstamped(event: &crate::support::http::stream::Event) -> Value {
    let mut object = event.json();
    let members = object.as_object_mut().unwrap();
    members.remove("id").unwrap();
    members.remove("time").unwrap();
    object
}

#[tokio::test]
async fn every_content_type_makes_a_message() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = json_stream(&server, &id).await;
    let object = r#" {"message":"from json","level":"error"} "#;
    let from_json = json!({"message": "from json", "level": "error"});
    for (kind, body, expected) in [
        ("", "a=1&b", json!({"message": "a=1&b"})),
        ("text/plain", "{}", json!({"message": "{}"})),
        (
            "application/x-www-form-urlencoded",
            "hello",
            json!({"message": "hello"}),
        ),
        (
            "application/octet-stream",
            "é\n\n",
            json!({"message": "é\n"}),
        ),
        ("application/json", object, from_json.clone()),
        ("Application/JSON; charset=utf-8", object, from_json),
        (
            "application/x-ndjson",
            "\"bare\"\r\n",
            json!({"message": "bare"}),
        ),
        (
            "application/x-ndjson",
            r#"{"message":"last line"}"#,
            json!({"message": "last line"}),
        ),
    ] {
        let header = format!("Content-Type: {kind}");
        let headers: &[&str] = if kind.is_empty() { &[] } else { &[&header] };
        let answer = server.post(&stream_of(&id), headers, body).await;
        assert_eq!(
            (answer.status, &answer.json()["accepted"]),
            (202, &json!(1)),
            "{kind}"
        );
        let event = stream.event().await;
        assert_eq!(answer.json()["id"], event.id, "{kind}");
        assert_eq!(unstamped(&event), expected, "{kind}");
    }
}

#[tokio::test]
async fn the_header_names_the_client_if_the_path_does_not() {
    let server = Server::start().await;
    let id = server.connect().await;
    let header = format!("Sse-Client-ID: {id}");
    assert_eq!(
        server
            .post("/api/v1/sse/debug", &[&header], "hi")
            .await
            .status,
        202
    );
    assert_eq!(server.watch(&id).await.data(1).await, ["hi"]);
    for headers in [&[][..], &["Sse-Client-ID:"]] {
        let detail = server
            .post("/api/v1/sse/debug", headers, "hi")
            .await
            .detail(400);
        assert!(detail.contains("Sse-Client-ID"), "{detail}");
    }
    let other = ["Sse-Client-ID: 00000000-0000-4000-8000-000000000000"];
    server.post(&stream_of(&id), &other, "hi").await.detail(400);
}

#[tokio::test]
async fn query_parameters_set_the_other_fields_of_a_text() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = json_stream(&server, &id).await;
    let query = "level=warn&operation=refresh%20repo&progress=3/120&outcome=failed&event=build.x";
    let target = format!("{}?{query}", stream_of(&id));
    assert_eq!(server.post(&target, &[], "text").await.status, 202);
    let event = stream.event().await;
    assert_eq!(event.name, "build.x");
    let expected = json!({
        "message": "text", "level": "warn", "operation": "refresh repo",
        "progress": {"current": 3, "total": 120}, "outcome": "failed", "event": "build.x",
    });
    assert_eq!(unstamped(&event), expected);
    for (query, expected) in [
        ("operation=", "operation"),
        ("progress=x", "progress"),
        ("progress=-1/2", "progress"),
        ("outcome=maybe", "outcome"),
        ("event=a%20b", "event"),
        ("event=end", "event"),
    ] {
        let target = format!("{}?{query}", stream_of(&id));
        let detail = server.post(&target, &[], "text").await.detail(400);
        assert!(detail.contains(expected), "{query}: {detail}");
    }
}

#[tokio::test]
async fn a_malformed_message_is_refused_with_its_place() {
    let server = Server::start().await;
    let id = server.connect().await;
    let long = "x".repeat(129);
    for (body, expected) in [
        (r#"{"message":"a","colour":"red"}"#, "colour"),
        (r#"{"message":"a","system":true}"#, "system"),
        (r#"{"level":"info"}"#, "message"),
        (r#"{"message":7}"#, "string"),
        (
            &format!(r#"{{"message":"a","operation":"{long}"}}"#),
            "operation",
        ),
        (r#"{"message":"a","progress":{"current":-1}}"#, "progress"),
        (
            r#"{"message":"a","progress":{"current":1,"total":-1}}"#,
            "progress",
        ),
        (
            r#"{"message":"a","progress":{"current":1,"speed":2}}"#,
            "speed",
        ),
        (r#"{"message":"a","outcome":"fine"}"#, "outcome"),
        (r#"{"message":"a","event":"control"}"#, "event"),
        (r#"{"message":"a","fields":[1]}"#, "fields"),
        (r#"{"message":"a"} x"#, "trailing"),
        (r#"{"message":"a""#, "EOF"),
        ("", "EOF"),
    ] {
        let detail = server
            .post(&stream_of(&id), &[JSON], body)
            .await
            .detail(400);
        assert!(detail.contains(expected), "{body}: {detail}");
    }
    let empty = server.post(&stream_of(&id), &[], "").await.detail(400);
    assert!(empty.contains("empty"), "{empty}");
    server.publish(&id, "good").await;
    assert_eq!(
        server.watch(&id).await.event().await.seq(),
        1,
        "none of it was accepted"
    );
}

#[tokio::test]
async fn text_that_is_not_utf8_is_refused_with_its_offset() {
    let server = Server::start().await;
    let id = server.connect().await;
    let text = server.post(&stream_of(&id), &[], b"abc\xff").await;
    assert_eq!(text.json()["offset"], 3);
    let detail = text.detail(400);
    assert!(detail.contains("byte offset 3"), "{detail}");
    let json = server
        .post(&stream_of(&id), &[JSON], b"{\"message\":\"\xc3(\"}")
        .await;
    assert!(
        json.detail(400).contains("byte offset 12"),
        "{}",
        json.text()
    );
    let lines = server
        .post(&stream_of(&id), &[NDJSON], b"\"a\"\n\"\x80\"\n")
        .await;
    let detail = lines.detail(400);
    assert!(
        detail.contains("line 2") && detail.contains("byte offset 1"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_bad_line_ends_its_request_and_the_lines_before_it_are_accepted() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    for (bad, expected) in [
        ("{\"message\":1}", "string"),
        ("{\"message\":\"a\",\"typo\":1}", "typo"),
        ("17", "JSON"),
        ("{\"message\":\"unfinished", "EOF"),
    ] {
        let body = format!("\"one\"\n\n{{\"message\":\"two\"}}\n{bad}\n\"never\"\n");
        let answer = server.post(&stream_of(&id), &[NDJSON], body).await;
        let detail = answer.detail(400);
        assert!(
            detail.contains("line 4") && detail.contains(expected),
            "{detail}"
        );
        assert_eq!(answer.json()["line"], 4);
        assert_eq!(answer.json()["accepted"], 2);
        assert_eq!(stream.data(2).await, ["one", "two"]);
    }
    server.publish(&id, "then").await;
    assert_eq!(
        stream.data(1).await,
        ["then"],
        "a refused request did not break off"
    );
}

#[tokio::test]
async fn an_unknown_channel_is_404() {
    let server = Server::start().await;
    let ended = server.connect().await;
    server.stop(&ended).await;
    for id in ["00000000-0000-4000-8000-000000000000", &ended] {
        for kind in ["Content-Type: text/plain", JSON, NDJSON] {
            let body = r#"{"message":"a"}"#;
            let detail = server.post(&stream_of(id), &[kind], body).await.detail(404);
            assert!(detail.contains("/api/v1/sse/connect"), "{detail}");
        }
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_a_message_is_415() {
    let server = Server::start().await;
    let id = server.connect().await;
    let multipart = ["Content-Type: multipart/form-data; boundary=x"];
    server
        .post(&stream_of(&id), &multipart, "--x--")
        .await
        .detail(415);
    for kind in [multipart[0], NDJSON] {
        server
            .post("/api/v1/sse/broadcast", &[kind], "\"a\"\n")
            .await
            .detail(415);
    }
}

#[tokio::test]
async fn an_unsupported_method_is_405_with_the_supported_ones() {
    let server = Server::start().await;
    let id = server.connect().await;
    for (method, target, allowed) in [
        ("POST", "/api/v1/sse/connect".to_owned(), &["GET"][..]),
        // It would have to do what GET does, which HEAD must not (RFC 9110, 9.3.2).
        ("HEAD", "/api/v1/sse/connect".to_owned(), &["GET"]),
        ("HEAD", stream_of(&id), &["GET", "POST", "PUT", "DELETE"]),
        (
            "HEAD",
            format!("/api/v1/sse/debug/stop/{id}"),
            &["GET", "POST"],
        ),
        ("GET", "/api/v1/sse/debug".to_owned(), &["POST", "PUT"]),
        ("PATCH", stream_of(&id), &["GET", "POST", "PUT", "DELETE"]),
        ("PUT", "/api/v1/sse/connect".to_owned(), &["GET"]),
        ("GET", "/api/v1/sse/broadcast".to_owned(), &["POST", "PUT"]),
        (
            "DELETE",
            format!("/api/v1/sse/debug/stop/{id}"),
            &["GET", "POST"],
        ),
    ] {
        let mut connection = Connection::open(server.address).await;
        connection.ask(method, &target, &[]).await;
        let head = connection.head().await;
        assert_eq!(head.status, 405, "{method} {target}");
        let allow = head.header("allow").unwrap();
        let mut named: Vec<_> = allow.split(',').map(str::trim).collect();
        named.sort_unstable();
        let mut allowed = allowed.to_vec();
        allowed.sort_unstable();
        assert_eq!(named, allowed, "{method} {target}");
    }
}

#[tokio::test]
async fn a_repeated_key_adds_nothing_and_gets_the_first_answer() {
    let server = Server::start().await;
    let id = server.connect().await;
    let other = server.connect().await;
    let key = "Idempotency-Key: the key ü";
    let first = server.post(&stream_of(&id), &[key], "first").await;
    server.publish(&id, "between").await;
    let again = server.post(&stream_of(&id), &[key], "something else").await;
    assert_eq!((again.status, again.json()), (202, first.json()));
    assert_eq!(
        server
            .post(&stream_of(&other), &[key], "other")
            .await
            .status,
        202
    );
    let lines = "\"x\"\n\"y\"\n";
    let keyed = [NDJSON, "Idempotency-Key: lines"];
    let first = server.post(&stream_of(&id), &keyed, lines).await;
    let again = server.post(&stream_of(&id), &keyed, lines).await;
    assert_eq!(again.json()["accepted"], 2);
    assert_eq!(again.json()["id"], first.json()["id"]);
    server.publish(&id, "after").await;
    let mut stream = server.watch(&id).await;
    assert_eq!(
        stream.data(5).await,
        ["first", "between", "x", "y", "after"]
    );
    assert_eq!(
        server.watch(&other).await.data(1).await,
        ["other"],
        "keys are a channel's own"
    );
    let long = format!("Idempotency-Key: {}", "k".repeat(129));
    server
        .post(&stream_of(&id), &[&long], "x")
        .await
        .detail(400);
}

#[tokio::test]
async fn a_repeated_request_is_recognised_after_a_thousand_others() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let lines = [NDJSON, "Idempotency-Key: lines"];
    let first = server.post(&stream_of(&id), &lines, "\"x\"\n\"y\"\n").await;
    for number in 1..FINISHED_KEYS {
        let key = format!("Idempotency-Key: {number}");
        let answer = server.post(&stream_of(&id), &[&key], "other").await;
        assert_eq!(answer.status, 202);
    }
    let again = server.post(&stream_of(&id), &lines, "\"x\"\n\"y\"\n").await;
    assert_eq!(again.json()["id"], first.json()["id"]);
    server.publish(&id, "last").await;
    let texts = stream.data(FINISHED_KEYS + 2).await;
    assert_eq!(texts[..2], ["x", "y"]);
    assert!(texts[2..=FINISHED_KEYS].iter().all(|it| it == "other"));
    assert_eq!(texts[FINISHED_KEYS + 1], "last");
}
