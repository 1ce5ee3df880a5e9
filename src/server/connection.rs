//! Connections: accepting them, and who speaks HTTP on them: `fast_path`, hyper, or both in turn.

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

/// How long accepting rests when no connection can be taken (at the limit of open files, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until the task is ended; those that come while `closing` are answered too.
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
        let service = HttpService {
            app: app.clone(),
            router: router.clone(),
            peer,
        };
        connections.spawn(converse(stream, service, closing.clone()));
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

/// Speaks HTTP on one connection until it ends, as a stream or otherwise.
async fn converse(socket: TcpStream, service: HttpService, closing: CancellationToken) {
    // In a box, so that all which the conversation holds is gone by the time that the stream begins.
    if let Some(writer) = Box::pin(until_stream(socket, service, closing)).await
        && let Err(error) = writer.await
    {
        tracing::debug!(%error, "stream ended");
    }
}

/// Answers the requests of one connection; `Some` where it has become a stream.
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
        Box::pin(tls::converse(socket, tls, service, closing)).await;
        return None;
    }
    let early = match fast_path::converse(&mut socket, &service, &closing).await {
        Next::Over => return None,
        Next::Stream { stream, unasked } => {
            let (socket, patience) = (socket.into_socket(), options.stall_timeout);
            return Some(Writer::new(socket, stream, patience, unasked));
        }
        Next::Hyper(early) => early,
    };
    // In a box, so that the connections that need none of it are small.
    Box::pin(through_hyper(socket, early, service, closing)).await
}

/// The same with hyper, for all that `fast_path` leaves to it.
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
    // One that came after the closing began has yet to be told so.
    let mut told = service.app.channels.hub().is_closing();
    let outcome = poll_fn(|cx| {
        if !told && closing.as_mut().poll(cx).is_ready() {
            told = true;
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
            let unasked = parts.read_buf.len() + early.len();
            let (socket, patience) = (socket.into_socket(), options.stall_timeout);
            Some(Writer::new(socket, stream, patience, unasked))
        }
        Err(ended) => {
            if let Err(error) = ended {
                tracing::debug!(error = %crate::error_chain(&error), "connection ended");
            }
            None
        }
    }
}

/// Sets what every accepted socket inherits.
fn prepare(listener: &TcpListener, options: &ServerOptions) -> io::Result<()> {
    let socket = SockRef::from(listener);
    // Linux hands these down to the sockets that are accepted, which saves two calls for each.
    socket.set_tcp_nodelay(true)?;
    // A peer that vanished without a word acknowledges nothing. The kernel then gives the connection
    // up one heartbeat after the first heartbeat that it could not deliver. A reader that pauses looks
    // the same to it, so it must have more patience than the stall timeout.
    let patience = options.heartbeat.max(options.stall_timeout * 2);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(patience))?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = patience;
    Ok(())
}

/// A socket as hyper gets it: what was read of it before comes first, and `takeover` is told of flushes.
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
