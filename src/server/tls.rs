//! HTTPS: the certificate and its key, and TLS connections, with HTTP/2 for clients that ask for it (ALPN, RFC 7301).
//!
//! Streams use the ordinary body here: their bytes must be encrypted and framed, so the socket cannot be taken over.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::crypto::ring;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::BUFFER_BYTES;
use super::h2_answer::{self, Answers};
use super::service::HttpService;
use super::write_timeout::WriteTimeout;
use crate::pem_file::{self, PemFileError};

const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";
/// Upper bound of the concurrent requests on one HTTP/2 connection.
const CONCURRENT: u32 = 256;

/// A server's certificate and key.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

/// Why a certificate and a key cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or has other content.
    #[error(transparent)]
    File(#[from] PemFileError),
    /// The two do not match, or their kind is not supported.
    #[error("the certificate in {} and the key in {} do not go together: {why}", .cert.display(), .key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// The reason.
        why: rustls::Error,
    },
}

impl Tls {
    /// Loads a certificate and its key from PEM files. The chain follows the server's own certificate in the same file.
    ///
    /// # Errors
    /// If a file cannot be read, or the two do not match.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = pem_file::certificates("certificate", cert)?;
        let secret = pem_file::key("key", key)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(chain, secret)
            });
        let mut config = config.map_err(|why| TlsError::Pair {
            cert: cert.into(),
            key: key.into(),
            why,
        })?;
        config.alpn_protocols = vec![HTTP_2.into(), HTTP_1.into()];
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

/// Serves one TLS connection until it ends. The header timeout also bounds the handshake.
pub(super) async fn serve_connection(
    stream: WriteTimeout,
    tls: Tls,
    service: HttpService,
    closing: CancellationToken,
) {
    let options = Arc::clone(&service.app.options);
    // A connection made after the shutdown began must still be shut down.
    let is_early = !service.app.channels.hub().is_closing();
    let stream = tokio::select! {
        stream = handshake(stream, tls, options.header_timeout) => stream,
        () = closing.cancelled(), if is_early => return,
    };
    let Some(stream) = stream else { return };
    let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
    let answers = Answers::new(options.stall_timeout, Arc::clone(&service.app.metrics));
    let (requests, open) = watch::channel(0);
    let service = service_fn(move |request: Request<Incoming>| {
        let (service, request_open) = (service.clone(), Open::new(&requests));
        async move {
            let answer = service.answer(request, None).await;
            // The request is open until the last byte of its answer.
            let answer = answer.map(|body| {
                body.map_frame(move |frame| {
                    let _ = &request_open;
                    frame
                })
            });
            Ok::<_, Infallible>(h2_answer::watched(answer.map(Body::new)))
        }
    });
    let io = TokioIo::new(stream);
    let ended = if is_http_2 {
        let over = async {
            let mut open = open.clone();
            tokio::select! {
                () = closing.cancelled(), if is_early => {}
                () = idle(&mut open, options.header_timeout) => {}
            }
        };
        let mut connection = pin!(
            http2::Builder::new(answers)
                .timer(TokioTimer::new())
                .keep_alive_interval(options.heartbeat)
                .keep_alive_timeout(options.heartbeat)
                .max_concurrent_streams(CONCURRENT)
                .serve_connection(io, service)
        );
        tokio::select! {
            ended = &mut connection => ended,
            () = over => {
                connection.as_mut().graceful_shutdown();
                finish(connection, open, options.stall_timeout).await
            }
        }
    } else {
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(options.header_timeout)
                .max_buf_size(BUFFER_BYTES)
                .serve_connection(io, service)
        );
        tokio::select! {
            ended = &mut connection => ended,
            () = closing.cancelled(), if is_early => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %crate::error_chain(&error), "connection ended");
    }
}

/// Performs the handshake; logs why it failed.
async fn handshake(
    stream: WriteTimeout,
    tls: Tls,
    limit: Duration,
) -> Option<TlsStream<WriteTimeout>> {
    match timeout(limit, TlsAcceptor::from(tls.0).accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => tracing::debug!(%error, "no TLS connection"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
    None
}

/// Counts a request as open while this lives.
struct Open(watch::Sender<usize>);

impl Open {
    fn new(requests: &watch::Sender<usize>) -> Self {
        requests.send_modify(|open| *open += 1);
        Self(requests.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// Waits for the end of a connection that is shutting down. Its open answers complete; then the client has the stall
/// timeout to take their last bytes.
async fn finish(
    connection: impl Future<Output = hyper::Result<()>>,
    mut open: watch::Receiver<usize>,
    stall_timeout: Duration,
) -> hyper::Result<()> {
    tokio::select! {
        ended = connection => ended,
        () = idle(&mut open, stall_timeout) => {
            tracing::debug!(timeout = ?stall_timeout, "closing a connection that takes no bytes");
            Ok(())
        }
    }
}

/// Waits until no request has been open for `period`. Hyper has such a timeout for HTTP/1, but keeps HTTP/2 connections
/// open for ever.
async fn idle(open: &mut watch::Receiver<usize>, period: Duration) {
    while open.wait_for(|open| *open == 0).await.is_ok() {
        if timeout(period, open.changed()).await.is_err() {
            return;
        }
    }
}
