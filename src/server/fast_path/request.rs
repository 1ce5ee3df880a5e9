//! The requests that the fast path answers: those that are fully understood from their head, and ask for nothing but
//! the ordinary answer.
//!
//! A request with a header that is not known here is left to hyper, because the header may matter to a handler, to the
//! gate or to hyper. Headers that the handlers read are parsed by the same functions.

use encoding_rs::UTF_8;

use crate::event::ClientId;
use crate::server::handlers::{connect, publish};
use crate::server::request::client_id::NamedClient;
use crate::server::request::content::{BodyKind, Content};
use crate::wire::{self, Route};

/// Upper bound of the headers of such a request.
const HEADERS: usize = 16;
/// Headers that have no effect. (Other `Sec-Fetch` headers are not in the list, because the gate reads some of them.)
const HARMLESS: [&str; 5] = [
    "user-agent",
    "accept-encoding",
    "accept-language",
    "sec-fetch-mode",
    "http2-settings",
];

/// A request whose head has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain<'a> {
    pub(super) route: Route,
    pub(super) action: Action<'a>,
    pub(super) host: &'a str,
    pub(super) authorization: Option<&'a [u8]>,
    /// Whether the connection is to end after the answer.
    pub(super) closes: bool,
    /// `None` if it has not arrived completely.
    pub(super) body: Option<&'a [u8]>,
    /// The length of the head and the body, in bytes.
    pub(super) length: usize,
}

/// What the request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action<'a> {
    /// Issue an ID; the answer is JSON.
    Connect,
    /// A stream from its beginning, as text.
    Subscribe(ClientId),
    /// Publish the body as one message, under its idempotency key if it has one.
    Publish(ClientId, BodyKind, Option<&'a str>),
    /// Publish each line of the body, under this idempotency key.
    PublishLines(ClientId, &'a str),
}

/// Parses the request at the start of these bytes; `None` if the fast path cannot answer it.
pub(super) fn parse(bytes: &[u8]) -> Option<Plain<'_>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(bytes).ok()? else {
        return None;
    };
    if request.version != Some(1) {
        return None;
    }
    let headers = Headers::of(request.headers)?;
    let closes = headers.closes()?;
    let (route, id) = Route::parse(request.path?)?;
    let client = || NamedClient::by(id, headers.client.into_iter()).ok();
    let (action, length) = match (request.method?, route, headers.length) {
        ("POST", Route::Client | Route::Publish, Some(length)) => {
            (headers.publication(client()?.0)?, length)
        }
        ("GET", Route::Client, None) if !closes => (Action::Subscribe(client()?.0), 0),
        ("GET", Route::Connect, None)
            if !closes && !connect::wants_text(headers.accept.into_iter()) =>
        {
            (Action::Connect, 0)
        }
        _ => return None,
    };
    let length = head.checked_add(length)?;
    Some(Plain {
        route,
        action,
        host: headers.host?,
        authorization: headers.authorization,
        closes,
        body: bytes.get(head..length),
        length,
    })
}

/// The headers that matter; each at most once.
#[derive(Default)]
struct Headers<'a> {
    host: Option<&'a str>,
    kind: Option<&'a str>,
    length: Option<usize>,
    accept: Option<&'a str>,
    client: Option<&'a [u8]>,
    key: Option<&'a [u8]>,
    authorization: Option<&'a [u8]>,
    connection: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    fn of(headers: &[httparse::Header<'a>]) -> Option<Self> {
        let mut found = Self::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            let value = header.value;
            let again = if is("host") {
                found.host.replace(ascii(value)?).is_some()
            } else if is("content-length") {
                found.length.replace(number(value)?).is_some()
            } else if is("content-type") {
                found.kind.replace(ascii(value)?).is_some()
            } else if is("accept") {
                found.accept.replace(ascii(value)?).is_some()
            } else if is(wire::CLIENT_ID_HEADER) {
                found.client.replace(value).is_some()
            } else if is(wire::IDEMPOTENCY_KEY_HEADER) {
                found.key.replace(value).is_some()
            } else if is("authorization") {
                found.authorization.replace(value).is_some()
            } else if is("connection") {
                found.connection.replace(value).is_some()
            } else if is("upgrade") {
                // Java's client offers HTTP/2, which the server ignores.
                !value.eq_ignore_ascii_case(b"h2c")
            } else {
                !HARMLESS.into_iter().any(is)
            };
            if again {
                return None;
            }
        }
        Some(found)
    }

    /// Returns whether the connection is to end after the answer; `None` if its header says anything unusual.
    fn closes(&self) -> Option<bool> {
        let connection = self.connection.unwrap_or(b"keep-alive");
        let is = |value: &[u8]| connection.eq_ignore_ascii_case(value);
        if is(b"close") {
            Some(true)
        } else {
            (is(b"keep-alive") || is(b"Upgrade, HTTP2-Settings")).then_some(false)
        }
    }

    /// Returns how the body is to be published, if it is in UTF-8. Lines need a key, so that the ordinary handler can
    /// continue if some of them have to wait.
    fn publication(&self, id: ClientId) -> Option<Action<'a>> {
        let Content { kind, charset } = Content::of_type(self.kind).ok()?;
        let key = publish::key(self.key).ok()?;
        match kind {
            BodyKind::Ndjson => Some(Action::PublishLines(id, key?)),
            _ => (charset == UTF_8).then_some(Action::Publish(id, kind, key)),
        }
    }
}

fn ascii(value: &[u8]) -> Option<&str> {
    value
        .is_ascii()
        .then(|| std::str::from_utf8(value).ok())
        .flatten()
}

/// Parses digits alone, unlike `str::parse`.
fn number(value: &[u8]) -> Option<usize> {
    let is_number = value.iter().all(u8::is_ascii_digit);
    ascii(value).filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";

    fn request(first: &str, headers: &[&str], body: &str) -> String {
        let headers = headers.join("\r\n");
        format!("{first} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}")
    }

    fn action(request: &str) -> Option<Action<'_>> {
        parse(request.as_bytes()).map(|it| it.action)
    }

    #[test]
    fn requests_of_common_clients_are_plain() {
        let id: ClientId = ID.parse().unwrap();
        let publish = format!("POST /api/v1/sse/debug/{ID}");
        let curl = [
            "User-Agent: curl/8.14.1",
            "Accept: */*",
            "Content-Length: 5",
            "Content-Type: application/x-www-form-urlencoded",
        ];
        let node = [
            "connection: keep-alive",
            "content-type: application/json",
            "accept: */*",
            "accept-language: *",
            "user-agent: node",
            "accept-encoding: gzip, deflate",
            "content-length: 5",
        ];
        let text = || Some(Action::Publish(id, BodyKind::Text, None));
        assert_eq!(action(&request(&publish, &curl, "hello")), text());
        let json = Action::Publish(id, BodyKind::Json, None);
        assert_eq!(action(&request(&publish, &node, "hello")), Some(json));
        let named = format!("Sse-Client-ID: {ID}");
        let publish = "POST /api/v1/sse/debug";
        let named_curl = [&curl[..], &[&named]].concat();
        assert_eq!(action(&request(publish, &named_curl, "hello")), text());
        let python = [
            "Accept-Encoding: identity",
            "Content-Length: 5",
            &named,
            "Content-Type: application/x-ndjson",
            "Idempotency-Key: k",
            "Authorization: Bearer secret",
        ];
        let lines = || Some(Action::PublishLines(id, "k"));
        assert_eq!(action(&request(publish, &python, "\"one\"")), lines());
        let fetch = [&node[..4], &["sec-fetch-mode: cors"], &python[1..]].concat();
        let fetch: Vec<_> = fetch
            .into_iter()
            .filter(|it| !it.ends_with("/json"))
            .collect();
        assert_eq!(action(&request(publish, &fetch, "\"one\"")), lines());
        let java = [
            "Connection: Upgrade, HTTP2-Settings",
            "Content-Length: 5",
            "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
            "Upgrade: h2c",
            "User-Agent: Java-http-client/17.0.15",
            &named,
        ];
        assert_eq!(action(&request(publish, &java, "hello")), text());
        let urllib = request(publish, &[&named, "Connection: close", curl[2]], "hello");
        assert!(parse(urllib.as_bytes()).unwrap().closes);
        let connect = request("GET /api/v1/sse/connect", &curl[..2], "");
        assert_eq!(action(&connect), Some(Action::Connect));
        let stream = format!("GET /api/v1/sse/debug/{ID}");
        let stream = request(&stream, &["Accept: text/event-stream"], "");
        assert_eq!(action(&stream), Some(Action::Subscribe(id)));
    }

    #[test]
    fn a_request_ends_after_its_stated_length() {
        let path = format!("POST /api/v1/sse/debug/{ID}");
        let two = request(&path, &["Content-Length: 5"], "helloPOST");
        let plain = parse(two.as_bytes()).unwrap();
        let length = two.len() - 4;
        assert_eq!((plain.body, plain.length), (Some(&b"hello"[..]), length));
        for end in 0..length {
            let cut = parse(&two.as_bytes()[..end]);
            let expected = (end >= length - 5).then_some((None, length));
            assert_eq!(cut.map(|it| (it.body, it.length)), expected, "{end}");
        }
    }

    #[test]
    fn a_request_with_anything_else_is_left_to_hyper() {
        let path = format!("POST /api/v1/sse/debug/{ID}");
        let length = "Content-Length: 5";
        for headers in [
            &[][..],
            &["Content-Length: +5"],
            &["Content-Length: "],
            &["Content-Length: 5, 5"],
            &["Content-Length: 99999999999999999999"],
            &["Content-Length: 18446744073709551615"],
            &[length, length],
            &[length, "Transfer-Encoding: chunked"],
            &[length, "Expect: 100-continue"],
            &[length, "Connection: Upgrade"],
            &[length, "Connection: close, x"],
            &[length, "Connection: close", "Connection: close"],
            &[length, "Upgrade: websocket"],
            &[length, "Host: localhost"],
            &[length, "Origin: http://localhost"],
            &[length, "Sec-Fetch-Site: same-site"],
            &[length, "Authorization: x", "Authorization: x"],
            &[length, "Idempotency-Key: x", "Idempotency-Key: x"],
            &[
                length,
                "Idempotency-Key: \u{e9}\u{e9}",
                "Sec-Purpose: prefetch",
            ],
            &[length, "Sse-Client-ID: x"],
            &[
                length,
                "Sse-Client-ID: 00000000-0000-4000-8000-000000000000",
            ],
            &[length, "Content-Type: application/x-ndjson"],
            &[length, "Content-Type: multipart/form-data"],
            &[length, "Content-Type: text/plain; charset=utf-16"],
            &[length, "Content-Encoding: gzip"],
            &[
                length,
                "Content-Type: text/plain",
                "Content-Type: text/plain",
            ],
            &[length, "Content-Type: b\u{e9}"],
        ] {
            assert_eq!(
                action(&request(&path, headers, "hello")),
                None,
                "{headers:?}"
            );
        }
        let is_plain = |target: &str, headers: &[&str]| {
            parse(request(target, headers, "").as_bytes()).is_some()
        };
        let stream = format!("/api/v1/sse/debug/{ID}");
        assert!(!is_plain(&format!("GET {stream}?tail=1"), &[]));
        assert!(!is_plain(&format!("GET {stream}/"), &[]));
        assert!(!is_plain(&format!("HEAD {stream}"), &[]));
        assert!(!is_plain("GET http://localhost/api/v1/sse/connect", &[]));
        let connect = "GET /api/v1/sse/connect";
        assert!(!is_plain(connect, &["Accept: text/plain"]));
        assert!(!is_plain(connect, &["Connection: close"]));
        assert!(!is_plain("POST /api/v1/sse/debug", &[length]));
        assert!(!is_plain(connect, &["Content-Length: 0"]));
        assert!(!is_plain(connect, &["Last-Event-ID: 1-1"]));
        let old = request(connect, &[], "").replace("1.1", "1.0");
        assert_eq!(action(&old), None);
    }
}
