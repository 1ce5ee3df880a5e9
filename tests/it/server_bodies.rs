//! A body is read as its head says: in its charset, and as the kind of lines that its type names; or it is refused with
//! a hint.

use crate::support::{
    http::{Answer, Connection, stream_of},
    server::Server,
};

pub(crate) async fn post(server: &Server, id: &str, kind: &str, body: impl AsRef<[u8]>) -> Answer {
    let header = format!("Content-Type: {kind}");
    server.post(&stream_of(id), &[&header], body).await
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[tokio::test]
async fn a_body_is_converted_from_the_charset_that_its_head_names() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let json = r#"{"message":"grün"}"#;
    for (kind, body) in [
        ("text/plain; charset=iso-8859-1", b"gr\xfcn".to_vec()),
        (
            "text/plain; charset=\"UTF-16LE\"",
            utf16("grün", u16::to_le_bytes),
        ),
        (
            "text/plain;charset=utf-16be",
            utf16("grün", u16::to_be_bytes),
        ),
        (
            "text/plain; charset=utf-16",
            utf16("\u{feff}grün", u16::to_be_bytes),
        ),
        ("text/plain", utf16("\u{feff}grün", u16::to_le_bytes)),
        ("text/plain; charset=ibm866", "\u{feff}grün".into()),
        (
            "application/json; charset=utf-16le",
            utf16(json, u16::to_le_bytes),
        ),
        (
            "application/json; charset=latin1",
            b"{\"message\":\"gr\xfcn\"}".to_vec(),
        ),
        ("application/json", format!("\u{feff}{json}").into()),
        (
            "application/x-ndjson; charset=utf-8",
            format!("\u{feff}{json}").into(),
        ),
        ("application/x-ndjson", format!("\u{feff}\n{json}").into()),
    ] {
        let answer = post(&server, &id, kind, body).await;
        assert_eq!(answer.status, 202, "{kind}: {}", answer.text());
        assert_eq!(stream.event().await.data, "grün", "{kind}");
    }
    let japanese = post(
        &server,
        &id,
        "text/plain; charset=shift_jis",
        b"\x93\xfa\x96\x7b",
    );
    assert_eq!(japanese.await.status, 202);
    assert_eq!(stream.event().await.data, "日本");
    let everyone = ["Content-Type: text/plain; charset=utf-16le"];
    let body = utf16("to all", u16::to_le_bytes);
    let answer = server.post("/api/v1/sse/broadcast", &everyone, body).await;
    assert_eq!(
        (answer.status, stream.event().await.data),
        (202, "to all".into())
    );
    let control = format!("/api/v1/sse/debug/control/{id}");
    let body = utf16(r#"{"level":"debug"}"#, u16::to_le_bytes);
    assert_eq!(server.post(&control, &everyone, body).await.status, 202);
}

#[tokio::test]
async fn bytes_that_are_invalid_in_the_charset_are_refused_with_their_offset() {
    let server = Server::start().await;
    let id = server.connect().await;
    for (kind, body, offset) in [
        ("text/plain", &b"ab\xff"[..], 2),
        ("text/plain", b"ab\xe2\x82", 2),
        ("text/plain", b"\xef\xbb\xbfab\xe2\x82x", 5),
        ("text/plain; charset=utf-16le", b"a\0\0\xd8b\0", 2),
        ("text/plain; charset=utf-16le", b"a\0b", 2),
        ("text/plain; charset=shift_jis", b"a\x93\xfa\xff", 3),
        ("application/json; charset=euc-jp", b"\"\xff\"", 1),
    ] {
        let answer = post(&server, &id, kind, body).await;
        answer.detail(400);
        assert_eq!(answer.json()["offset"], offset, "{kind}: {}", answer.text());
    }
    assert_eq!(server.hub.stats().published, 0);
}

#[tokio::test]
async fn limits_apply_to_the_converted_body() {
    let server = Server::with(|_, options| options.max_message = 100).await;
    let id = server.connect().await;
    let utf16_of = |count: usize| utf16(&"x".repeat(count), u16::to_le_bytes);
    let kind = "text/plain; charset=utf-16le";
    assert_eq!(post(&server, &id, kind, utf16_of(100)).await.status, 202);
    post(&server, &id, kind, utf16_of(101)).await.detail(413);
    let latin = "text/plain; charset=latin1";
    assert_eq!(post(&server, &id, latin, [0xfc; 50]).await.status, 202);
    post(&server, &id, latin, [0xfc; 51]).await.detail(413);
    let marked = format!("\u{feff}{}", "x".repeat(100));
    assert_eq!(post(&server, &id, "text/plain", marked).await.status, 202);
}

#[tokio::test]
async fn a_body_that_cannot_be_decoded_is_refused_with_a_hint() {
    let server = Server::start().await;
    let id = server.connect().await;
    for kind in [
        "text/plain; charset=utf-7",
        "application/json; charset=nonsense",
    ] {
        let detail = post(&server, &id, kind, "{}").await.detail(415);
        assert!(detail.contains("send UTF-8"), "{detail}");
    }
    let lines = "application/jsonl; charset=utf-16";
    let detail = post(&server, &id, lines, "\"a\"").await.detail(415);
    assert!(detail.contains("UTF-8"), "{detail}");
    let control = format!("/api/v1/sse/debug/control/{id}");
    for target in [&stream_of(&id), "/api/v1/sse/broadcast", &control] {
        for kind in ["text/plain", "application/json", "application/x-ndjson"] {
            for coding in ["gzip", "identity, br", "identity\r\nContent-Encoding: zstd"] {
                let headers = [
                    &format!("Content-Type: {kind}"),
                    &*format!("Content-Encoding: {coding}"),
                ];
                let answer = server.post(target, &headers, "\x1f\u{8b}").await;
                let detail = answer.detail(415);
                if target.ends_with("broadcast") && kind.ends_with("ndjson") {
                    continue;
                }
                assert!(detail.contains("Content-Encoding"), "{detail}");
                assert_eq!(answer.head.header("accept-encoding"), Some("identity"));
            }
        }
    }
    for coding in ["identity", "Identity", ""] {
        let header = format!("Content-Encoding: {coding}");
        let answer = server.post(&stream_of(&id), &[&header], "hi").await;
        assert_eq!(answer.status, 202);
    }
}

#[tokio::test]
async fn every_name_of_ndjson_makes_one_message_per_line() {
    let server = Server::start().await;
    for name in ["x-ndjson", "ndjson", "jsonl", "json-lines", "x-jsonlines"] {
        let id = server.connect().await;
        let kind = format!("application/{name}");
        let answer = post(&server, &id, &kind, "\"a\"\n{\"message\":\"b\"}\n").await;
        assert_eq!(answer.json()["accepted"], 2, "{name}");
    }
}

#[tokio::test]
async fn half_a_surrogate_pair_loses_neither_its_line_nor_another() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let body = b"\"a\"\n{\"message\":\"cut \\ud83d\"}\n\"\\udce9\"\n\"b\"\n";
    let answer = post(&server, &id, "application/x-ndjson", body).await;
    assert_eq!(answer.json()["accepted"], 4, "{}", answer.text());
    let json = r#"{"message":"\udfff","operation":"\ud800"}"#;
    assert_eq!(
        post(&server, &id, "application/json", json).await.status,
        202
    );
    let expected = ["a", "cut \u{fffd}", "\u{fffd}", "b", "\u{fffd}"];
    assert_eq!(stream.data(5).await, expected);
}

#[tokio::test]
async fn the_last_line_end_of_a_text_is_not_part_of_it() {
    let server = Server::with(|_, options| options.max_message = 10).await;
    let id = server.connect().await;
    let target = format!("{}?format=json", stream_of(&id));
    let mut stream = server.stream(&target, &[]).await;
    assert_eq!(stream.event().await.json()["system"], true);
    for (body, text) in [
        ("hello\n", "hello"),
        ("hello\r\n", "hello"),
        ("a\n\n", "a\n"),
        ("a\r\r\n", "a\r"),
        ("a\r", "a\r"),
        ("\r\n\r\n", "\r\n"),
        ("0123456789\r\n", "0123456789"),
    ] {
        let answer = post(&server, &id, "text/plain", body).await;
        assert_eq!(answer.status, 202, "{body:?}");
        assert_eq!(stream.event().await.json()["message"], text);
    }
    for body in ["01234567890", "01234567890\n", "0123456789ab"] {
        post(&server, &id, "text/plain", body).await.detail(413);
    }
    for body in ["", "\n", "\r\n"] {
        post(&server, &id, "text/plain", body).await.detail(400);
    }
    let progress = format!("{}?progress=0/0", stream_of(&id));
    assert_eq!(server.post(&progress, &[], "\n").await.status, 202);
    let json = r#"{"message":"a\n","progress":{"current":0,"total":0}}"#;
    assert_eq!(
        post(&server, &id, "application/json", json).await.status,
        202
    );
    for text in ["", "a\n"] {
        let object = stream.event().await.json();
        assert_eq!(
            (&object["message"], &object["progress"]["total"]),
            (&text.into(), &0.into())
        );
    }
}

#[tokio::test]
async fn a_level_is_read_in_any_spelling_and_an_unknown_one_is_kept() {
    let server = Server::start().await;
    let id = server.connect().await;
    let target = format!("{}?format=json", stream_of(&id));
    let mut stream = server.stream(&target, &[]).await;
    assert_eq!(stream.event().await.json()["system"], true);
    for (said, level) in [
        ("WARNING", "warn"),
        ("Fatal", "error"),
        ("verbose", "trace"),
        ("6", "info"),
        ("20", "debug"),
        ("", ""),
        ("loud", ""),
        ("\"", ""),
    ] {
        let kept = if level.is_empty() { said } else { "" };
        let target = format!("{}?level={}", stream_of(&id), said.replace('"', "%22"));
        assert_eq!(
            server.post(&target, &[], "text").await.status,
            202,
            "{said}"
        );
        let json = serde_json::json!({"message": "json", "level": said}).to_string();
        let answer = post(&server, &id, "application/json", &json).await;
        assert_eq!(answer.status, 202, "{said}");
        for _ in 0..2 {
            let object = stream.event().await.json();
            assert_eq!(object["level"].as_str().unwrap_or(""), level, "{object}");
            let fields = &object["fields"]["level"];
            assert_eq!(fields.as_str().unwrap_or(""), kept, "{object}");
        }
    }
    let line = "{\"message\":\"a\",\"level\":50}\n{\"message\":\"b\",\"level\":99}\n";
    assert_eq!(
        post(&server, &id, "application/jsonl", line).await.json()["accepted"],
        2
    );
    assert_eq!(stream.event().await.json()["level"], "error");
    assert_eq!(stream.event().await.json()["fields"]["level"], 99);
    let long = format!("{}?level={}", stream_of(&id), "x".repeat(8000));
    assert_eq!(server.post(&long, &[], "text").await.status, 202);
    let control = format!("/api/v1/sse/debug/control/{id}");
    let answer = server.post(&control, &[], r#"{"level":"Warning"}"#).await;
    assert_eq!(answer.json()["level"], "warn");
}

#[tokio::test]
async fn an_unknown_member_is_named_with_the_known_ones() {
    let server = Server::start().await;
    let id = server.connect().await;
    for (json, named) in [
        (
            r#"{"message":"a","msg":"b"}"#,
            &["`msg`", "`message`", "`level`", "`fields`"][..],
        ),
        (
            r#"{"message":"a","progress":{"current":1,"of":2}}"#,
            &["`of`", "`current`", "`total`", "`unit`"],
        ),
    ] {
        for kind in ["application/json", "application/x-ndjson"] {
            let detail = post(&server, &id, kind, json).await.detail(400);
            for name in named {
                assert!(detail.contains(name), "{detail}");
            }
        }
    }
}

#[tokio::test]
async fn put_publishes_as_post_does() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let by_header = format!("Sse-Client-ID: {id}");
    for (target, headers) in [
        (&*stream_of(&id), &[][..]),
        ("/api/v1/sse/debug", &[&*by_header]),
        ("/api/v1/sse/broadcast", &[]),
    ] {
        let answer = server.request("PUT", target, headers, "whole\n").await;
        assert_eq!(answer.status, 202, "{target}");
        assert_eq!(stream.event().await.data, "whole");
        // The request of `curl -T -`.
        let mut connection = Connection::open(server.address).await;
        let chunked = ["Transfer-Encoding: chunked", "Expect: 100-continue"];
        connection
            .ask("PUT", target, &[headers, &chunked].concat())
            .await;
        assert_eq!(connection.head().await.status, 100, "{target}");
        for chunk in ["in ", "chunks\n", ""] {
            connection.say_chunk(chunk).await;
        }
        assert_eq!(connection.answer().await.status, 202, "{target}");
        assert_eq!(stream.event().await.data, "in chunks");
    }
    let lines = ["Content-Type: application/jsonl"];
    let answer = server
        .request("PUT", &stream_of(&id), &lines, "\"a\"\n\"b\"\n")
        .await;
    assert_eq!(answer.json()["accepted"], 2);
    let answer = server.request("PATCH", &stream_of(&id), &[], "a").await;
    let allow = answer.head.header("allow").unwrap().to_owned();
    let detail = answer.detail(405);
    assert!(allow.contains("PUT") && detail.contains(&allow), "{detail}");
}
