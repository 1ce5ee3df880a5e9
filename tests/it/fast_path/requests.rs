//! Random requests.

use std::fmt::Write;

use proptest::prelude::*;

use super::KNOWN;
use crate::support::fuzz_bytes::with_id;

/// Generates requests as clients write them, within and just beyond what the fast path accepts.
pub(super) fn request() -> impl Strategy<Value = Vec<u8>> {
    let target = prop_oneof![
        6 => Just("/api/v1/sse/debug/{id}"),
        2 => Just("/api/v1/sse/connect"),
        4 => Just("/api/v1/sse/debug"),
        1 => Just("/api/v1/sse/debug/{id}?level=warn"),
        1 => Just("/api/v1/sse/debug/3F2B8C1E-5D47-4A9B-8E60-1C2D3E4F5A6B"),
        1 => Just("/api/v1/sse/debug/00000000-0000-4000-8000-000000000000"),
        1 => Just("/api/v1/sse/debug/control/{id}"),
        1 => Just("/healthz"),
    ];
    let method = prop_oneof![6 => Just("POST"), 2 => Just("GET"), 1 => Just("HEAD")];
    let header = prop::sample::select(vec![
        "Accept: */*",
        "accept: text/plain",
        "Accept: application/json",
        "Accept-Encoding: gzip, br",
        "User-Agent: someone/1.0",
        "user-agent: caf\u{e9}",
        "Connection: keep-alive",
        "Connection: close",
        "Content-Type: text/plain",
        "content-type:application/json; charset=utf-8  ",
        "Content-Type: application/x-ndjson",
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Length: 3",
        "Idempotency-Key: k",
        "Origin: http://localhost",
        "Origin: http://evil.example",
        "Sec-Fetch-Site: cross-site",
        "Sse-Client-ID: {id}",
        "Sse-Client-ID: {id}",
        "Sse-Client-ID: {id}",
        "sse-client-id:  {id} ",
        "Sse-Client-ID:",
        "Sse-Client-ID: 00000000-0000-4000-8000-000000000000",
        "Idempotency-Key:",
        "Idempotency-Key: another",
        "Sec-Fetch-Mode: cors",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA",
        "Upgrade: websocket",
        "Authorization: Bearer secret",
        "authorization: bearer  secret ",
        "Last-Event-ID: 1-1",
        "Authorization: Bearer x",
        "Expect: 100-continue",
        "Transfer-Encoding: chunked",
        "X-Request-ID: 7",
    ]);
    let host = prop_oneof![
        8 => Just("Host: localhost\r\n"),
        4 => Just("HOST:127.0.0.1:80\r\n"),
        1 => Just("Host: evil.example\r\n"),
        1 => Just("Host:\r\n"),
        1 => Just("Host: localhost\r\nHost: localhost\r\n"),
        1 => Just(""),
    ];
    let body = prop_oneof![
        4 => "[a-z ~]{0,60}".prop_map(String::into_bytes),
        2 => Just(br#"{"message":"a\nb","level":"warn"}"#.to_vec()),
        1 => Just(br#"{"message":1}"#.to_vec()),
        1 => Just(br#"{"level":"debug","cancel":true,"operation":"a\"b"}"#.to_vec()),
        2 => Just(b"\"one\"\n\n{\"message\":\"two\"}".to_vec()),
        1 => Just(b"\xef\xbb\xbf\"one\"\r\n".to_vec()),
        1 => Just(b"\"one\"\nnot JSON\n".to_vec()),
        1 => Just(b"a\xff".to_vec()),
        1 => Just(vec![b'x'; 200]),
    ];
    let headers = prop::collection::vec(header, 0..4);
    // The headers of the documented publishers, and others.
    let publisher = prop_oneof![
        3 => Just(""),
        1 => Just(
            "Sse-Client-ID: {id}\r\nContent-Type: application/x-ndjson\r\nIdempotency-Key: k7\r\nAuthorization: Bearer secret\r\n"
        ),
        1 => Just("Sse-Client-ID: {id}\r\nAuthorization: Bearer secret\r\n"),
    ];
    let parts = (method, target, host, publisher, headers, body);
    parts.prop_map(|(method, target, host, publisher, headers, body)| {
        let mut head = format!("{method} {target} HTTP/1.1\r\n{host}{publisher}");
        for header in headers {
            let _ = write!(head, "{header}\r\n");
        }
        let body = if method == "POST" { body } else { Vec::new() };
        if method == "POST" {
            let _ = write!(head, "Content-Length: {}\r\n", body.len());
        }
        with_id(&[head.as_bytes(), b"\r\n", &body].concat(), KNOWN)
    })
}
