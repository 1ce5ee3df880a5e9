//! The minimum of HTTP that the load needs: prepared requests, and answers that are read no further than necessary.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Context, bail, ensure};
use memchr::memmem;
use tokio::{
    io::AsyncReadExt,
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};

/// The beginning of each stream.
pub(crate) const GREETING: &[u8] = b"Starting server communication...\n\n";
/// The length of a client ID as text.
const ID_BYTES: usize = 36;

/// The head without the empty line at its end.
const CONNECT: &[u8] = b"GET /api/v1/sse/connect HTTP/1.1\r\nhost: 127.0.0.1\r\n";

/// Returns a request for one client's stream.
pub(crate) fn subscription(id: &str) -> Vec<u8> {
    format!("GET /api/v1/sse/debug/{id} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into()
}

/// Returns a request that publishes `body` to one client.
pub(crate) fn publication(id: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /api/v1/sse/debug/{id} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into()
}

/// A keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What was read after the last answer.
    rest: Vec<u8>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        Self::of(TcpStream::connect(address).await?)
    }

    /// Opens a connection from this address.
    pub(crate) async fn open_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        Self::of(socket.connect(address).await?)
    }

    fn of(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            rest: Vec::with_capacity(4096),
        })
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.ask_in_parts(&[request]).await
    }

    /// Sends a request in parts, and waits for its answer.
    pub(crate) async fn ask_in_parts(
        &mut self,
        parts: &[impl AsRef<[u8]>],
    ) -> anyhow::Result<Answer> {
        for part in parts {
            self.stream.write_all(part.as_ref()).await?;
        }
        let head = loop {
            if let Some(end) = memmem::find(&self.rest, b"\r\n\r\n") {
                break end + 4;
            }
            self.read().await?;
        };
        let status = std::str::from_utf8(&self.rest[9..12])?.parse()?;
        let length = content_length(&self.rest[..head])?;
        while self.rest.len() < head + length {
            self.read().await?;
        }
        let body = self.rest[head..head + length].to_vec();
        self.rest.drain(..head + length);
        Ok(Answer { status, body })
    }

    /// Publishes with a prepared request.
    pub(crate) async fn publish(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let answer = self.ask(request).await?;
        if answer.status != 202 {
            let body = String::from_utf8_lossy(&answer.body);
            bail!("publishing was answered with {}: {body}", answer.status);
        }
        Ok(())
    }

    /// Gets a new client ID.
    pub(crate) async fn connect(&mut self) -> anyhow::Result<String> {
        self.connect_with(None).await
    }

    /// Gets a new client ID from a server with a token.
    pub(crate) async fn connect_with(&mut self, token: Option<&str>) -> anyhow::Result<String> {
        const NAME: &[u8] = b"\"clientId\":\"";
        let token = token.map(|it| format!("authorization: Bearer {it}\r\n"));
        let head = [CONNECT, token.unwrap_or_default().as_bytes(), b"\r\n"].concat();
        let body = self.ask(&head).await?.body;
        let at = memmem::find(&body, NAME).context("no client ID")? + NAME.len();
        let id = body.get(at..at + ID_BYTES).context("no client ID")?;
        Ok(std::str::from_utf8(id)?.into())
    }

    /// Ends a client's stream.
    pub(crate) async fn stop(&mut self, id: &str) -> anyhow::Result<()> {
        let request =
            format!("GET /api/v1/sse/debug/stop/{id} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        let answer = self.ask(request.as_bytes()).await?;
        ensure!(
            answer.status == 200,
            "stop was answered with {}",
            answer.status
        );
        Ok(())
    }

    /// Subscribes, and returns once the greeting has arrived.
    pub(crate) async fn subscribe(mut self, id: &str) -> anyhow::Result<TcpStream> {
        self.stream.write_all(&subscription(id)).await?;
        while memmem::find(&self.rest, GREETING).is_none() {
            self.read().await?;
        }
        Ok(self.stream)
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.rest).await?;
        let so_far = String::from_utf8_lossy(&self.rest);
        ensure!(
            read > 0,
            "the server closed the connection after {so_far:?}"
        );
        Ok(())
    }
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    const NAME: &[u8] = b"content-length: ";
    let at = memmem::find(head, NAME).context("an answer without content-length")? + NAME.len();
    let digits = head[at..].split(|it| *it == b'\r').next();
    Ok(std::str::from_utf8(digits.unwrap_or_default())?.parse()?)
}
