//! A server that answers as a test tells it, byte for byte, and records its requests.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

use super::soon;

/// Answers each connection with the next of its replies; keeps further connections open without an answer.
pub(crate) struct Scripted {
    pub(crate) url: String,
    requests: mpsc::UnboundedReceiver<Request>,
    accepted: mpsc::UnboundedReceiver<SocketAddr>,
    _task: JoinSet<()>,
}

/// A received request.
#[derive(Debug)]
pub(crate) struct Request {
    /// Method and target.
    pub(crate) line: String,
    pub(crate) body: String,
    head: String,
}

/// The answer to the request of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
    hold: bool,
}

impl Scripted {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), replies).await
    }

    /// Starts one at this address.
    pub(crate) async fn start_at(
        address: SocketAddr,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let replies: Vec<_> = replies.into_iter().collect();
        let (asked, requests) = mpsc::unbounded_channel();
        let (came, accepted) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut held = JoinSet::new();
            let mut replies = replies.into_iter();
            while let Ok((socket, from)) = listener.accept().await {
                let _ = came.send(from);
                let silence = Reply::default().hold();
                let reply = replies.next().unwrap_or(silence);
                held.spawn(answer(socket, reply, asked.clone()));
            }
        });
        Self {
            url,
            requests,
            accepted,
            _task: task,
        }
    }

    /// Returns its URL in a form that is not recognised as this machine's, so that a client uses the HTTP library.
    /// (Connections to the unspecified address reach this machine.)
    pub(crate) fn roundabout_url(&self) -> String {
        self.url.replace("127.0.0.1", "0.0.0.0")
    }

    /// Returns the number of connections, once no more are made.
    pub(crate) async fn connections(&mut self) -> usize {
        // Connections are accepted in order, so that this one is the last.
        let address = self.url.trim_start_matches("http://");
        let last = soon(TcpStream::connect(address)).await.unwrap();
        let last = last.local_addr().unwrap();
        let mut count = 0;
        while soon(self.accepted.recv()).await != Some(last) {
            count += 1;
        }
        count
    }

    /// Returns the next request.
    pub(crate) async fn asked(&mut self) -> Request {
        soon(self.requests.recv()).await.unwrap()
    }
}

async fn answer(mut socket: TcpStream, reply: Reply, asked: mpsc::UnboundedSender<Request>) {
    let Some(request) = Request::read(&mut socket).await else {
        return;
    };
    let _ = asked.send(request);
    // A client that has read enough may disconnect.
    let _ = socket.write_all(&reply.bytes).await;
    if reply.hold {
        let _ = socket.read(&mut [0]).await;
    } else {
        // Not a reset, which could overtake the bytes before it.
        let _ = socket.shutdown().await;
        while matches!(socket.read(&mut [0; 1024]).await, Ok(1..)) {}
    }
}

impl Request {
    async fn read(socket: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        loop {
            if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
                let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").into();
                let mut request = Self {
                    line,
                    body: String::new(),
                    head,
                };
                let length = request.header("content-length").map(str::parse::<usize>);
                let end = at + 4 + length.map_or(0, Result::unwrap);
                while bytes.len() < end {
                    socket
                        .read_buf(&mut bytes)
                        .await
                        .ok()
                        .filter(|it| *it > 0)?;
                }
                request.body = String::from_utf8(bytes[at + 4..end].to_vec()).unwrap();
                return Some(request);
            }
            socket
                .read_buf(&mut bytes)
                .await
                .ok()
                .filter(|it| *it > 0)?;
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1);
        let mut values = fields.filter_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        values.next()
    }
}

impl Reply {
    /// Answers with any bytes.
    pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self {
            bytes: bytes.as_ref().into(),
            hold: false,
        }
    }

    /// Answers completely: status with its reason, header lines, body.
    pub(crate) fn answer(status: &str, headers: &[&str], body: &str) -> Self {
        let headers = [headers, &[""]].concat().join("\r\n");
        Self::raw(format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
            body.len()
        ))
    }

    /// Answers with a problem object.
    pub(crate) fn problem(status: &str, headers: &[&str], detail: &str) -> Self {
        let kind = ["Content-Type: application/problem+json"];
        let headers = [&kind, headers].concat();
        Self::answer(status, &headers, &format!(r#"{{"detail":"{detail}"}}"#))
    }

    /// Answers with a stream of any server, which ends with its connection.
    pub(crate) fn stream(body: impl AsRef<[u8]>) -> Self {
        Self::stream_with("", body)
    }

    /// Answers with a stream of a codechat server.
    pub(crate) fn codechat(format: &str, body: impl AsRef<[u8]>) -> Self {
        Self::stream_with(&format!("Sse-Format: {format}\r\n"), body)
    }

    /// Answers with a stream with more header lines.
    pub(crate) fn stream_with(headers: &str, body: impl AsRef<[u8]>) -> Self {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n{headers}\r\n"
        );
        Self::raw([head.as_bytes(), body.as_ref()].concat())
    }

    /// Answers with a stream in exactly these pieces.
    pub(crate) fn pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut reply = Self::stream_with("Transfer-Encoding: chunked\r\n", "");
        for piece in pieces.into_iter().filter(|it| !it.is_empty()) {
            let size = format!("{:x}\r\n", piece.len());
            reply
                .bytes
                .extend([size.as_bytes(), piece, b"\r\n"].concat());
        }
        reply.bytes.extend(b"0\r\n\r\n");
        reply
    }

    /// Leaves the connection open after the answer.
    pub(crate) fn hold(mut self) -> Self {
        self.hold = true;
        self
    }
}
