//! Which requests the fast path takes: those whose meaning is clear from the head alone, and which want nothing but the
//! ordinary answer.
//!
//! A header that is not known here may matter to a handler, to the gate or to hyper; such a request is left to hyper.

use encoding_rs::UTF_8;

use crate::event::ClientId;
use crate::server::handlers::connect;
use crate::server::request::content::{BodyKind, Content};
use crate::wire::Route;

/// Upper bound of the headers of such a request.
const HEADERS: usize = 16;

/// A complete request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain<'a> {
    pub(super) action: Action,
    pub(super) host: &'a str,
    pub(super) body: &'a [u8],
    /// Its length with its head, in bytes.
    pub(super) length: usize,
}

/// What it asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Issue an ID; the answer is JSON.
    Connect,
    /// A stream from its beginning, as text.
    Subscribe(ClientId),
    /// Publish the body as one message.
    Publish(ClientId, BodyKind),
}

/// Parses the request that these bytes begin with, if the fast path takes it.
pub(super) fn parse(bytes: &[u8]) -> Option<Plain<'_>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(bytes).ok()? else {
        return None;
    };
    if request.version != Some(1) {
        return None;
    }
    let Headers {
        host,
        kind,
        length,
        accept,
    } = Headers::of(request.headers)?;
    let (route, id) = Route::parse(request.path?)?;
    let (action, length) = match (request.method?, route, length) {
        ("POST", Route::Client, Some(length)) => {
            (Action::Publish(id.parse().ok()?, single(kind)?), length)
        }
        ("GET", Route::Client, None) => (Action::Subscribe(id.parse().ok()?), 0),
        ("GET", Route::Connect, None) if !connect::wants_text(accept.into_iter()) => {
            (Action::Connect, 0)
        }
        _ => return None,
    };
    let length = head.checked_add(length)?;
    Some(Plain {
        action,
        host: host?,
        body: bytes.get(head..length)?,
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
            } else if is("connection") {
                !value.eq_ignore_ascii_case(b"keep-alive")
            } else {
                !(is("user-agent") || is("accept-encoding") || is("accept-language"))
            };
            if again {
                return None;
            }
        }
        Some(found)
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

/// Returns the kind of a body that is one message in UTF-8.
fn single(content_type: Option<&str>) -> Option<BodyKind> {
    let Content { kind, charset } = Content::of_type(content_type).ok()?;
    (kind != BodyKind::Ndjson && charset == UTF_8).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";

    fn request(first: &str, headers: &[&str], body: &str) -> String {
        let headers = headers.join("\r\n");
        format!("{first} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}")
    }

    fn action(request: &str) -> Option<Action> {
        parse(request.as_bytes()).map(|it| it.action)
    }

    #[test]
    fn what_common_clients_send_is_plain() {
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
        let text = Action::Publish(id, BodyKind::Text);
        assert_eq!(action(&request(&publish, &curl, "hello")), Some(text));
        let json = Action::Publish(id, BodyKind::Json);
        assert_eq!(action(&request(&publish, &node, "hello")), Some(json));
        let connect = request("GET /api/v1/sse/connect", &curl[..2], "");
        assert_eq!(action(&connect), Some(Action::Connect));
        let stream = format!("GET /api/v1/sse/debug/{ID}");
        let stream = request(&stream, &["Accept: text/event-stream"], "");
        assert_eq!(action(&stream), Some(Action::Subscribe(id)));
    }

    #[test]
    fn a_request_ends_where_it_says() {
        let path = format!("POST /api/v1/sse/debug/{ID}");
        let two = request(&path, &["Content-Length: 5"], "helloPOST");
        let plain = parse(two.as_bytes()).unwrap();
        assert_eq!((plain.body, plain.length), (&b"hello"[..], two.len() - 4));
        for end in 0..two.len() - 4 {
            assert_eq!(parse(&two.as_bytes()[..end]), None, "{end}");
        }
    }

    #[test]
    fn whatever_else_is_in_a_request_makes_it_hypers() {
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
            &[length, "Connection: close"],
            &[length, "Connection: Upgrade"],
            &[length, "Host: localhost"],
            &[length, "Origin: http://localhost"],
            &[length, "Sec-Fetch-Site: same-site"],
            &[length, "Authorization: Bearer x"],
            &[length, "Idempotency-Key: x"],
            &[length, "Sse-Client-ID: x"],
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
        let get = |target: &str, headers: &[&str]| action(&request(target, headers, ""));
        assert_eq!(
            get(&format!("GET /api/v1/sse/debug/{ID}?tail=1"), &[]),
            None
        );
        assert_eq!(get(&format!("GET /api/v1/sse/debug/{ID}/"), &[]), None);
        assert_eq!(get(&format!("HEAD /api/v1/sse/debug/{ID}"), &[]), None);
        assert_eq!(get("GET http://localhost/api/v1/sse/connect", &[]), None);
        let connect = "GET /api/v1/sse/connect";
        assert_eq!(get(connect, &["Accept: text/plain"]), None);
        assert_eq!(get(connect, &["Content-Length: 0"]), None);
        assert_eq!(get(connect, &["Last-Event-ID: 1-1"]), None);
        let old = request(connect, &[], "").replace("1.1", "1.0");
        assert_eq!(action(&old), None);
    }
}
