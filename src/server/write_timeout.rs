//! A socket whose writes fail once the peer has taken no bytes for the stall timeout.
//!
//! A slow reader, which takes a byte now and then, is kept. One that takes none is closed: it leaves its channel, and
//! no longer holds back a streaming publisher. (Streams that were taken over have their own check, in `takeover`.)

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::metrics::Metrics;

pub(super) struct WriteTimeout {
    socket: TcpStream,
    timeout: Duration,
    metrics: Arc<Metrics>,
    /// Set while a write is waiting.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl WriteTimeout {
    pub(super) fn new(socket: TcpStream, timeout: Duration, metrics: Arc<Metrics>) -> Self {
        Self {
            socket,
            timeout,
            metrics,
            deadline: None,
        }
    }

    /// Returns the socket without the timeout.
    pub(super) fn into_socket(self) -> TcpStream {
        self.socket
    }

    fn watch<T>(
        &mut self,
        write: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.deadline = None;
            return write;
        }
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(self.timeout)));
        deadline.as_mut().poll(cx).map(|()| {
            self.metrics.stalled.add(1);
            tracing::debug!(timeout = ?self.timeout, "closing a connection that takes no bytes");
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the peer takes no bytes",
            ))
        })
    }
}

impl AsyncRead for WriteTimeout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for WriteTimeout {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.watch(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bytes);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
