//! Connections: accepting them, and passing them to `fast_path`, hyper, or both in turn.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fast_path::{self, Next};
use super::service::HttpService;
use super::stream::takeover::{Handoff, Writer};
use super::write_timeout::WriteTimeout;
use super::{App, BUFFER_BYTES, ServerOptions, tls};

/// Pause before accepting again after an error, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until the task is aborted. During the shutdown, they are answered with 503.
pub(super) async fn accept(
    listener: TcpListener,
    app: App,
    router: Router,
    closing: CancellationToken,
    connections: TaskTracker,
) {
    if let Err(error) = prepare(&listener, &app.options) {
        tracing::warn!(%error, "cannot set the options of the listening socket");
    }
    let mut troubled = false;
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_about_one_connection(&error) => continue,
            Err(error) => {
                if !troubled {
                    tracing::warn!(%error, "cannot accept connections for now; open connections continue");
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
        let service = HttpService {
            app: app.clone(),
            router: router.clone(),
            peer,
        };
        connections.spawn(serve_connection(stream, service, closing.clone()));
    }
}

/// Returns whether an error concerns only one connection: its client left before it was accepted.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// Serves one connection until it ends.
async fn serve_connection(socket: TcpStream, service: HttpService, closing: CancellationToken) {
    // Boxed, so that everything but the stream is freed when the stream begins.
    if let Some(writer) = Box::pin(until_stream(socket, service, closing)).await
        && let Err(error) = writer.await
    {
        tracing::debug!(%error, "stream ended");
    }
}

/// Answers the requests of one connection; returns a writer if it has become a stream.
async fn until_stream(
    socket: TcpStream,
    service: HttpService,
    closing: CancellationToken,
) -> Option<Writer> {
    let options = Arc::clone(&service.app.options);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "connection lost before its first request");
        return None;
    }
    let metrics = Arc::clone(&service.app.metrics);
    let mut socket = WriteTimeout::new(socket, options.stall_timeout, metrics);
    if let Some(tls) = options.tls.clone() {
        Box::pin(tls::serve_connection(socket, tls, service, closing)).await;
        return None;
    }
    let early = match fast_path::serve_connection(&mut socket, &service, &closing).await {
        Next::Over => return None,
        Next::Stream { stream, unexpected } => {
            let (socket, timeout) = (socket.into_socket(), options.stall_timeout);
            return Some(Writer::new(socket, stream, timeout, unexpected));
        }
        Next::Hyper(early) => early,
    };
    // Boxed, so that connections that never need it stay small.
    Box::pin(through_hyper(socket, early, service, closing)).await
}

/// Does the same with hyper, for everything that `fast_path` does not answer.
async fn through_hyper(
    socket: WriteTimeout,
    early: Vec<u8>,
    service: HttpService,
    closing: CancellationToken,
) -> Option<Writer> {
    let options = Arc::clone(&service.app.options);
    let handoff = Handoff::default();
    let socket = HyperSocket {
        early: early.into(),
        socket,
        handoff: handoff.clone(),
    };
    let answer = service_fn(async |request| {
        Ok::<_, Infallible>(service.answer(request, Some(&handoff)).await)
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(socket), answer);
    let mut closing = std::pin::pin!(closing.cancelled());
    // A connection made after the shutdown began must still be shut down.
    let mut is_shutting_down = service.app.channels.hub().is_closing();
    let outcome = poll_fn(|cx| {
        if !is_shutting_down && closing.as_mut().poll(cx).is_ready() {
            is_shutting_down = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Err(ended)),
            Poll::Pending => match handoff.take() {
                Some(stream) => Poll::Ready(Ok(stream)),
                None => Poll::Pending,
            },
        }
    })
    .await;
    match outcome {
        Ok(stream) => {
            let parts = connection.into_parts();
            let HyperSocket { early, socket, .. } = parts.io.into_inner();
            let unexpected = parts.read_buf.len() + early.len();
            let (socket, timeout) = (socket.into_socket(), options.stall_timeout);
            Some(Writer::new(socket, stream, timeout, unexpected))
        }
        Err(ended) => {
            if let Err(error) = ended {
                tracing::debug!(error = %crate::error_chain(&error), "connection ended");
            }
            None
        }
    }
}

/// Sets the options that accepted sockets inherit.
fn prepare(listener: &TcpListener, options: &ServerOptions) -> io::Result<()> {
    let socket = SockRef::from(listener);
    // On Linux, accepted sockets inherit these options, which saves two system calls per connection.
    socket.set_tcp_nodelay(true)?;
    // If a peer has vanished, the kernel closes the connection one heartbeat after the first heartbeat that was not
    // acknowledged. A paused reader looks the same, so this timeout must be longer than the stall timeout.
    let timeout = options.heartbeat.max(options.stall_timeout * 2);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(timeout))?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = timeout;
    Ok(())
}

/// A socket for hyper. It first returns the bytes that were read before, and reports flushes to `takeover`.
struct HyperSocket {
    early: Bytes,
    socket: WriteTimeout,
    handoff: Handoff,
}

impl AsyncRead for HyperSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buf);
        }
        let length = self.early.len().min(buf.remaining());
        buf.put_slice(&self.early.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HyperSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.handoff.flushed();
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
