//! Connections: accepting them, speaking HTTP/1 on them, and closing those that stall.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Sleep, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Options;

/// Bounds what one connection buffers, in bytes, each way.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long accepting rests when no connection can be taken (at the limit of open files, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until the task is ended; those that come while `closing` are answered too.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    options: Options,
    closing: CancellationToken,
    connections: TaskTracker,
) {
    let mut troubled = false;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) if is_about_one_connection(&error) => continue,
            Err(error) => {
                if !troubled {
                    tracing::warn!(%error, "cannot accept connections for now; those that are open go on");
                }
                troubled = true;
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if troubled {
            tracing::info!("accepting connections again");
            troubled = false;
        }
        connections.spawn(converse(stream, router.clone(), options, closing.clone()));
    }
}

/// A client that went away before it was accepted says nothing about the next one.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

async fn converse(stream: TcpStream, router: Router, options: Options, closing: CancellationToken) {
    if let Err(error) = prepare(&stream, options.heartbeat) {
        tracing::debug!(%error, "connection lost before its first request");
        return;
    }
    let io = TokioIo::new(Stalling::new(stream, options.stall_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        // Not with `pipeline_flush`: hyper then buffers a body without bound, so that a subscriber that
        // does not read would seem to, and hold back no streaming publisher.
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(io, TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let was_closing = closing.is_cancelled();
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // One that came after the closing began has yet to be told so.
        () = closing.cancelled(), if !was_closing => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %crate::error_chain(&error), "connection ended");
    }
}

fn prepare(stream: &TcpStream, heartbeat: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // A peer that vanished without a word acknowledges nothing. The kernel then gives the connection
    // up one heartbeat after the first heartbeat that it could not deliver.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    SockRef::from(stream).set_tcp_user_timeout(Some(heartbeat))?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (SockRef::from(stream), heartbeat);
    Ok(())
}

/// A stream whose writes fail once the peer has taken no bytes for the stall timeout.
///
/// This is the one place that knows whether a reader makes progress: a slow one that takes a byte now
/// and then is waited for, one that takes none is closed, leaves its channel, and with that no longer
/// holds back a streaming publisher.
struct Stalling {
    stream: TcpStream,
    timeout: Duration,
    /// Set while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Stalling {
    fn new(stream: TcpStream, timeout: Duration) -> Self {
        Self {
            stream,
            timeout,
            deadline: None,
        }
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
            tracing::debug!(timeout = ?self.timeout, "closing a connection that takes no bytes");
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the peer takes no bytes",
            ))
        })
    }
}

impl AsyncRead for Stalling {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stalling {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
