//! Connections: accepting them, speaking HTTP/1 on them, and closing those that stall.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Sleep, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    App,
    direct::{Handoff, Writer},
    exchange::Exchange,
};

/// Bounds what one connection buffers, in bytes, each way.
const BUFFER_BYTES: usize = 16 * 1024;
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
    if let Err(error) = prepare(&listener, app.options.heartbeat) {
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
        let exchange = Exchange {
            app: app.clone(),
            router: router.clone(),
            peer,
        };
        let (closing, tracker) = (closing.clone(), connections.clone());
        connections.spawn(converse(stream, exchange, closing, tracker));
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

/// Speaks HTTP on one connection until it ends, or until it has become a stream.
async fn converse(
    stream: TcpStream,
    exchange: Exchange,
    closing: CancellationToken,
    connections: TaskTracker,
) {
    let options = Arc::clone(&exchange.app.options);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "connection lost before its first request");
        return;
    }
    let handoff = Handoff::default();
    let io = Stalling::new(stream, options.stall_timeout, handoff.clone());
    let service = service_fn(async |request| {
        Ok::<_, Infallible>(exchange.answer(request, Some(&handoff)).await)
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(io), service);
    let mut closing = std::pin::pin!(closing.cancelled());
    // One that came after the closing began has yet to be told so.
    let mut told = exchange.app.hub.is_closing();
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
            let socket = parts.io.into_inner().stream;
            let unasked = parts.read_buf.len();
            let writer = Writer::new(socket, stream, options.stall_timeout, unasked);
            connections.spawn(async {
                if let Err(error) = writer.await {
                    tracing::debug!(%error, "stream ended");
                }
            });
        }
        Err(Err(error)) => {
            tracing::debug!(error = %crate::error_chain(&error), "connection ended");
        }
        Err(Ok(())) => {}
    }
}

/// Sets what every accepted socket inherits.
fn prepare(listener: &TcpListener, heartbeat: Duration) -> io::Result<()> {
    let socket = SockRef::from(listener);
    // Linux hands these down to the sockets that are accepted, which saves two calls for each.
    socket.set_tcp_nodelay(true)?;
    // A peer that vanished without a word acknowledges nothing. The kernel then gives the connection
    // up one heartbeat after the first heartbeat that it could not deliver.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(heartbeat))?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = heartbeat;
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
    handoff: Handoff,
    /// Set while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Stalling {
    fn new(stream: TcpStream, timeout: Duration, handoff: Handoff) -> Self {
        Self {
            stream,
            timeout,
            handoff,
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
        self.handoff.flushed();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
