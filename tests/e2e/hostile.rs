//! Requests that are wrong on purpose get a 4xx or a closed connection. The server does not panic, continues to serve
//! others, and leaks nothing of one client to another.

use std::fmt::Write;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    http::{Stream, stream_of},
    process::Serve,
    soon,
};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A server, and a client of it that must not notice the attacks.
struct Besieged {
    server: Serve,
    bystander: String,
    stream: Stream,
    /// A client that may be attacked.
    own: String,
}

impl Besieged {
    /// Starts one for each way of writing streams.
    async fn each() -> [Self; 2] {
        [
            Self::start(&[]).await,
            Self::start(&["--plain-streams"]).await,
        ]
    }

    /// Starts a server with short timeouts, so that a connection left open ends soon.
    async fn start(more: &[&str]) -> Self {
        let impatient = ["--header-timeout", "500ms", "--body-timeout", "500ms"];
        let server = Serve::start(&[&impatient, more].concat()).await;
        let bystander = server.http.connect().await;
        Self {
            stream: server.http.watch(&bystander).await,
            own: server.http.connect().await,
            bystander,
            server,
        }
    }

    async fn open(&self) -> TcpStream {
        soon(TcpStream::connect(self.server.http.address))
            .await
            .unwrap()
    }

    /// Returns everything up to the server's close. It may close or reset before it has read everything.
    async fn answer(&self, request: impl AsRef<[u8]>) -> String {
        let mut socket = self.open().await;
        let _ = soon(socket.write_all(request.as_ref())).await;
        rest(&mut socket).await
    }

    /// Asserts that the answer, if any, is 4xx only.
    async fn refuses(&self, request: impl AsRef<[u8]>) {
        let answer = self.answer(&request).await;
        let all_refused = statuses(&answer).iter().all(|it| (400..500).contains(it));
        let asked = String::from_utf8_lossy(request.as_ref());
        let asked: String = asked.chars().take(300).collect();
        assert!(all_refused, "{asked:?} was answered with {answer:?}");
    }

    /// Returns a request to publish with these headers. If its body were taken for the next request, that would publish
    /// to the bystander.
    fn smuggling(&self, headers: &str, before: &str) -> String {
        let (own, other) = (stream_of(&self.own), stream_of(&self.bystander));
        format!(
            "POST {own} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{before}\
             POST {other} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nsmuggled"
        )
    }

    /// Asserts that the bystander gets its own message next, and that the server has not panicked.
    async fn stays_unharmed(mut self) {
        self.server.http.publish(&self.bystander, "its own").await;
        assert_eq!(self.stream.event().await.data, "its own");
        drop(self.stream);
        self.server.process.signal("TERM").await;
        let ended = self.server.process.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}

/// Reads until the other side closes or resets.
async fn rest(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = soon(socket.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

/// Returns the statuses of consecutive answers.
fn statuses(mut answers: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    while let Some((head, after)) = answers.split_once("\r\n\r\n") {
        statuses.push(head.get(9..12).unwrap().parse().unwrap());
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then_some(value)
        });
        let length: usize = length.map_or(0, |it| it.parse().unwrap());
        // An answer to HEAD has a length and no body.
        let has_body = !after.is_empty() && !after.starts_with("HTTP/1.");
        answers = if has_body { &after[length..] } else { after };
    }
    assert_eq!(answers, "", "after {statuses:?}");
    statuses
}

#[tokio::test]
async fn a_body_of_ambiguous_length_is_refused_and_its_connection_closed() {
    for besieged in Besieged::each().await {
        for headers in [
            "Content-Length: 0\r\nContent-Length: 80",
            "Content-Length: 0, 80",
            "Content-Length: 0\r\nTransfer-Encoding: chunked",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked;q=1",
            "Transfer-Encoding: \u{b}chunked",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding:\r\n chunked",
            "Content-Length: -1",
            "Content-Length: +8",
            "Content-Length: 0x8",
            "Content-Length: 8 8",
            "Content-Length: ",
            "Content-Length : 8",
            "Content-Length: 18446744073709551615",
            "Content-Length: 99999999999999999999",
            "X: a\rTransfer-Encoding: chunked",
            "X: a\0b\r\nContent-Length: 0",
        ] {
            besieged
                .refuses(besieged.smuggling(headers, "0\r\n\r\n"))
                .await;
        }
        besieged.stays_unharmed().await;
    }
}

#[tokio::test]
async fn a_chunked_request_is_the_last_one_on_its_connection() {
    // A later Content-Length is ignored, as the standard allows, and so is what it meant
    // (RFC 9112, 6.1).
    for besieged in Besieged::each().await {
        for more in ["", "\r\nContent-Length: 3", "\r\nContent-Length: 5000"] {
            let headers = format!("Transfer-Encoding: chunked{more}");
            let request = besieged.smuggling(&headers, "2\r\nhi\r\n0\r\n\r\n");
            let answer = besieged.answer(request).await;
            assert_eq!(statuses(&answer), [202], "{answer}");
        }
        besieged.stays_unharmed().await;
    }
}

#[tokio::test]
async fn a_malformed_chunked_body_is_refused() {
    for besieged in Besieged::each().await {
        let extension = format!("2;{}\r\nhi\r\n0\r\n\r\n", "x".repeat(100_000));
        let trailers = format!("2\r\nhi\r\n0\r\n{}\r\n", "X: y\r\n".repeat(10_000));
        for body in [
            "FFFFFFFFFFFFFFFFF\r\nhi\r\n0\r\n\r\n",
            "-2\r\nhi\r\n0\r\n\r\n",
            "+2\r\nhi\r\n0\r\n\r\n",
            "0x2\r\nhi\r\n0\r\n\r\n",
            "2\r\nhiho0\r\n\r\n",
            "\r\n\r\n\r\n",
            "zz\r\n",
            "2\r\nh",
            &extension,
            &trailers,
        ] {
            let request = besieged.smuggling("Transfer-Encoding: chunked", body);
            besieged.refuses(request).await;
        }
        besieged.stays_unharmed().await;
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_or_malformed_is_refused() {
    for besieged in Besieged::each().await {
        let (own, many) = (stream_of(&besieged.own), "X: y\r\n".repeat(5000));
        for line in [
            format!("GET {own} HTTP/1.1\r\nX: {}", "y".repeat(1 << 20)),
            format!("GET {own} HTTP/1.1\r\n{}: y", "X".repeat(1 << 17)),
            format!("GET {own}?{} HTTP/1.1", "x".repeat(1 << 20)),
            format!("{} {own} HTTP/1.1", "X".repeat(1 << 17)),
            format!("GET {own} HTTP/1.1\r\n{many}X: y"),
            format!("GET {own} HTTP/1.1\r\nHost: localhost"),
            format!("GET {own} HTTP/1.1\r\nHost: elsewhere.example"),
            format!("GET {own} HTTP/1.2"),
            format!("GET {own} HTTP/2.0"),
            format!("GET {own} HTTP/11"),
            format!("GET {own} SHTTP/1.1"),
            format!("GET {own}"),
            format!("GET  {own} HTTP/1.1"),
            format!("GET\t{own} HTTP/1.1"),
            format!(" GET {own} HTTP/1.1"),
            format!("G\0ET {own} HTTP/1.1"),
            "PRI * HTTP/2.0".into(),
            "GET HTTP/1.1".into(),
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".into(),
        ] {
            besieged
                .refuses(format!("{line}\r\nHost: localhost\r\n\r\n"))
                .await;
        }
        besieged.stays_unharmed().await;
    }
}

#[tokio::test]
async fn a_target_that_names_nothing_is_refused() {
    for besieged in Besieged::each().await {
        let own = &besieged.own;
        for target in [
            "*",
            "//",
            "/api/v1/sse/debug/",
            "/api/v1/sse/debug/\0",
            "/api/v1/sse/debug/%00",
            "/api/v1/sse/debug/%",
            "/api/v1/sse/debug/%zz",
            "/api/v1/sse/debug/%ff%fe",
            "/api/v1/sse/debug/é",
            "/api/v1/sse/debug/..%2fconnect",
            "/api/v1/sse/debug/../connect",
            "/healthz%00",
            "/healthz/.",
            "http://",
            "http:///healthz",
            "localhost:80",
            "?",
            "#",
            "\\healthz",
            &format!("/api/v1/sse/debug/{own}%00"),
            &format!("/api/v1/sse/debug/{own}\0"),
            &format!("/api/v1/sse/debug/%20{own}"),
            &format!("/api/v1/sse/debug/{own}/"),
            &format!("/api/v1/sse/debug/{own}?tail=%ff&format=%00"),
            &format!("/api/v1/sse/debug/{own}?tail=-1"),
            &format!("/api/v1/sse/debug/{own}?lastEventId=%0d%0aX:%20y"),
        ] {
            for method in ["GET", "OPTIONS", "POST", "HEAD", "CONNECT"] {
                let head = "Host: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                besieged
                    .refuses(format!("{method} {target} HTTP/1.1\r\n{head}"))
                    .await;
            }
        }
        besieged.stays_unharmed().await;
    }
}

#[tokio::test]
async fn an_absolute_target_is_served_by_its_path_or_refused() {
    for besieged in Besieged::each().await {
        let address = besieged.server.http.address;
        let target = format!("http://{address}/healthz");
        let head = format!("HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let answer = besieged.answer(format!("GET {target} {head}")).await;
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
        let foreign = besieged
            .answer(format!("GET http://elsewhere.example/healthz {head}"))
            .await;
        assert!(matches!(statuses(&foreign)[..], [403]), "{foreign}");
        besieged.stays_unharmed().await;
    }
}

#[tokio::test]
async fn an_unknown_method_is_refused_at_every_route() {
    for besieged in Besieged::each().await {
        for method in [
            "BREW", "get", "TRACE", "PATCH", "PUT", "CONNECT", "M-SEARCH",
        ] {
            for route in [
                "/api/v1/sse/connect",
                "/api/v1/sse/debug",
                "/api/v1/sse/broadcast",
                "/healthz",
                &stream_of(&besieged.own),
                &format!("/api/v1/sse/debug/stop/{}", besieged.own),
            ] {
                let head = "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
                besieged.refuses(format!("{method} {route} {head}")).await;
            }
        }
        besieged.stays_unharmed().await;
    }
}

#[tokio::test]
async fn http_1_0_can_connect_publish_and_read_a_stream() {
    for besieged in Besieged::each().await {
        let issued = besieged
            .answer("GET /api/v1/sse/connect HTTP/1.0\r\nAccept: text/plain\r\n\r\n")
            .await;
        assert!(issued.starts_with("HTTP/1.0 200 "), "{issued}");
        let id = issued.split("\r\n\r\n").nth(1).unwrap().trim();
        let path = stream_of(id);
        let published = besieged
            .answer(format!(
                "POST {path} HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi"
            ))
            .await;
        assert_eq!(statuses(&published), [202], "{published}");
        let mut stream = besieged.open().await;
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        soon(stream.write_all(request.as_bytes())).await.unwrap();
        let mut begin = vec![0; 1];
        soon(stream.read_exact(&mut begin)).await.unwrap();
        besieged.server.http.stop(id).await;
        let answer = rest(&mut stream).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(!head.to_ascii_lowercase().contains("chunked"), "{head}");
        assert!(body.starts_with("retry: 1000\n"), "{body}");
        assert!(body.contains("\ndata: hi\n\n"), "{body}");
        assert!(body.ends_with("event: end\ndata: stopped\n\n"), "{body}");
        besieged.stays_unharmed().await;
    }
}

#[tokio::test]
async fn head_is_answered_at_each_route_without_a_body() {
    for besieged in Besieged::each().await {
        for (route, status) in [
            ("/healthz", 200),
            ("/api/v1/sse/connect", 405),
            (&stream_of(&besieged.own), 405),
            ("/api/v1/sse/debug", 405),
            ("/api/v1/sse/broadcast", 405),
            ("/nowhere", 404),
        ] {
            let request = format!("HEAD {route} HTTP/1.1\r\nHost: localhost\r\n\r\n{HEALTH}");
            let answer = besieged.answer(request).await;
            assert_eq!(statuses(&answer), [status, 200], "{route}: {answer}");
            assert!(answer.ends_with("\r\n\r\nok"), "{route}: {answer}");
        }
        besieged.stays_unharmed().await;
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    for besieged in Besieged::each().await {
        let path = stream_of(&besieged.own);
        let mut requests = String::new();
        for number in 10..60 {
            let head = "HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2";
            write!(requests, "POST {path} {head}\r\n\r\n{number}").unwrap();
        }
        let answer = besieged.answer(requests + HEALTH).await;
        assert_eq!(statuses(&answer), [vec![202; 50], vec![200]].concat());
        let mut stream = besieged.server.http.watch(&besieged.own).await;
        let expected: Vec<_> = (10..60).map(|it| it.to_string()).collect();
        assert_eq!(stream.data(50).await, expected);
        besieged.stays_unharmed().await;
    }
}
