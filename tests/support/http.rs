//! HTTP/1.1 and event streams parsed by hand, without any code of codechat.

pub(crate) mod stream;

use std::{net::SocketAddr, pin::pin, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

use super::soon;

pub(crate) use stream::Stream;

/// A server's address, and the requests to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Http {
    pub(crate) address: SocketAddr,
}

impl Http {
    /// Sends one request on a connection of its own.
    pub(crate) async fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[&str],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let mut connection = Connection::open(self.address).await;
        let body = body.as_ref();
        let length = format!("Content-Length: {}", body.len());
        let mut headers = headers.to_vec();
        if method == "POST" || !body.is_empty() {
            headers.push(&length);
        }
        // In one piece, like clients that know all of it.
        let head = connection.head_of(method, target, &headers);
        connection.say([head.as_bytes(), body].concat()).await;
        connection.answer().await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.request("GET", target, &[], "").await
    }

    pub(crate) async fn post(
        &self,
        target: &str,
        headers: &[&str],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        self.request("POST", target, headers, body).await
    }

    /// Gets a new client ID.
    pub(crate) async fn connect(&self) -> String {
        let answer = self.get("/api/v1/sse/connect").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["clientId"].as_str().unwrap().to_owned()
    }

    /// Publishes a text; returns its event ID.
    pub(crate) async fn publish(&self, id: &str, text: impl AsRef<[u8]>) -> String {
        let answer = self.post(&stream_of(id), &[], text).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn stop(&self, id: &str) {
        let answer = self
            .post(&format!("/api/v1/sse/debug/stop/{id}"), &[], "")
            .await;
        assert_eq!(answer.text(), "Debug message stream stopped.");
    }

    /// Opens a stream; returns it from its first byte.
    pub(crate) async fn stream(&self, target: &str, headers: &[&str]) -> Stream {
        let mut connection = Connection::open(self.address).await;
        connection.ask("GET", target, headers).await;
        connection.into_stream().await
    }

    /// Opens a new stream; returns it after its greeting.
    pub(crate) async fn watch(&self, id: &str) -> Stream {
        let mut stream = self.stream(&stream_of(id), &[]).await;
        assert_eq!(
            stream.event().await.data,
            "Starting server communication..."
        );
        stream
    }

    /// Starts a streaming publisher: an NDJSON request whose body follows.
    pub(crate) async fn publisher(&self, id: &str, headers: &[&str]) -> Connection {
        let mut connection = Connection::open(self.address).await;
        let kind = [
            "Content-Type: application/x-ndjson",
            "Transfer-Encoding: chunked",
        ];
        let headers = [headers, &kind].concat();
        connection.ask("POST", &stream_of(id), &headers).await;
        connection
    }
}

pub(crate) fn stream_of(id: &str) -> String {
    format!("/api/v1/sse/debug/{id}")
}

/// A connection, and the bytes that were read beyond the last answer.
pub(crate) struct Connection {
    pub(crate) socket: TcpStream,
    ahead: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::of(soon(TcpStream::connect(address)).await.unwrap())
    }

    pub(crate) fn of(socket: TcpStream) -> Self {
        Self {
            socket,
            ahead: Vec::new(),
        }
    }

    /// Returns the requested stream, from its first byte.
    pub(crate) async fn into_stream(mut self) -> Stream {
        let head = self.head().await;
        assert_eq!(head.status, 200, "{head:?}");
        Stream::new(self, head)
    }

    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.socket.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends a request's head.
    pub(crate) async fn ask(&mut self, method: &str, target: &str, headers: &[&str]) {
        let head = self.head_of(method, target, headers);
        self.say(head).await;
    }

    fn head_of(&self, method: &str, target: &str, headers: &[&str]) -> String {
        let address = self.socket.peer_addr().unwrap();
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n");
        for header in headers {
            head += header;
            head += "\r\n";
        }
        head + "\r\n"
    }

    /// Sends a piece of a chunked body; an empty one ends it.
    pub(crate) async fn say_chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let size = format!("{:x}\r\n", bytes.len());
        self.say([size.as_bytes(), bytes, b"\r\n"].concat()).await;
    }

    /// Sends lines, each in a chunk of its own, and the body's end; returns the answer. Notifies `held_back` if a line
    /// is not accepted at once.
    pub(crate) async fn say_lines(
        mut self,
        lines: impl IntoIterator<Item = String>,
        held_back: mpsc::Sender<()>,
    ) -> Answer {
        for line in lines {
            let mut saying = pin!(self.say_chunk(line));
            if timeout(Duration::from_millis(300), saying.as_mut())
                .await
                .is_err()
            {
                let _ = held_back.try_send(());
                saying.await;
            }
        }
        self.say_chunk("").await;
        self.answer().await
    }

    pub(crate) async fn head(&mut self) -> Head {
        let bytes = self.until(b"\r\n\r\n").await;
        let text = String::from_utf8(bytes).unwrap();
        let status = text.get(9..12).and_then(|it| it.parse().ok());
        Head {
            status: status.unwrap_or_else(|| panic!("not an answer: {text:?}")),
            text,
        }
    }

    /// Reads a whole answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let mut body = Vec::new();
        if let Some(length) = head.header("content-length") {
            body = self.exactly(length.parse().unwrap()).await;
        } else if head.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                body.extend(chunk);
            }
        }
        Answer {
            status: head.status,
            head,
            body,
        }
    }

    /// Asserts that the peer closes without another byte.
    pub(crate) async fn closed(&mut self) {
        assert_eq!(String::from_utf8_lossy(&self.ahead), "");
        let mut rest = Vec::new();
        // A reset counts as closed too.
        let _ = soon(self.socket.read_to_end(&mut rest)).await;
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// Returns the next chunk; `None` for the last one.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = String::from_utf8(self.until(b"\r\n").await).unwrap();
        let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
        let mut chunk = self.exactly(size + 2).await;
        assert!(chunk.ends_with(b"\r\n"));
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            let at = self.ahead.windows(end.len()).position(|it| it == end);
            if let Some(at) = at {
                return self.ahead.drain(..at + end.len()).collect();
            }
            self.more().await;
        }
    }

    async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.ahead.len() < count {
            self.more().await;
        }
        self.ahead.drain(..count).collect()
    }

    async fn more(&mut self) {
        let read = soon(self.socket.read_buf(&mut self.ahead)).await.unwrap();
        let ahead = String::from_utf8_lossy(&self.ahead);
        assert!(
            read > 0,
            "the connection ended in the middle, after {ahead:?}"
        );
    }
}

/// A status line and the header fields.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().skip(1).find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the detail of a problem object, and checks its other members.
    pub(crate) fn detail(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        let kind = self.head.header("content-type");
        assert_eq!(kind, Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["status"], status);
        for member in ["type", "title"] {
            assert!(!problem[member].as_str().unwrap().is_empty(), "{problem}");
        }
        problem["detail"].as_str().unwrap().to_owned()
    }
}
