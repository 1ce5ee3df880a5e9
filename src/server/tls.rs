//! HTTPS: the certificate and its key, and connections that speak TLS, with HTTP/2 for those that ask for
//! it (ALPN, RFC 7301).
//!
//! Streams go through the ordinary body here: what is written must be encrypted and framed, so there is
//! no socket to take back.

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
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::BUFFER_BYTES;
use super::h2_answer::{self, Answers};
use super::service::HttpService;
use super::write_timeout::WriteTimeout;
use crate::pem_file::{self, PemFileError};

const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";
/// Requests at a time on one connection of HTTP/2.
const CONCURRENT: u32 = 256;

/// What a server shows for itself.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

/// Why a certificate and a key are of no use.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file that cannot be read, or holds something else.
    #[error(transparent)]
    File(#[from] PemFileError),
    /// They are not a pair, or of a kind that is not known.
    #[error("the certificate in {} and the key in {} do not go together: {why}", .cert.display(), .key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        why: rustls::Error,
    },
}

impl Tls {
    /// Reads a certificate with its chain, its own first, and its key, both in PEM.
    ///
    /// # Errors
    /// Where a file cannot be read, or the two are no pair.
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

/// Speaks HTTPS on one connection until it ends. The handshake has no more time than a request's head.
pub(super) async fn converse(
    stream: WriteTimeout,
    tls: Tls,
    service: HttpService,
    closing: CancellationToken,
) {
    let options = Arc::clone(&service.app.options);
    let handshake = timeout(
        options.header_timeout,
        TlsAcceptor::from(tls.0).accept(stream),
    );
    // One that came after the closing began has yet to be told so.
    let is_early = !service.app.channels.hub().is_closing();
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        () = closing.cancelled(), if is_early => return,
    };
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "no TLS connection"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
    let answers = Answers::new(options.stall_timeout, Arc::clone(&service.app.metrics));
    let (requests, open) = watch::channel(0);
    let service = service_fn(move |request: Request<Incoming>| {
        let (service, request_open) = (service.clone(), Open::new(&requests));
        async move {
            let answer = service.answer(request, None).await;
            // It is open until the last of its answer is out.
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

/// A request that is being answered, as long as this lives.
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

/// Waits until a connection ends that is shutting down. The answers that are open run to their end; then the
/// client has the stall timeout to take the last bytes of them.
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

/// Ready once no request was open for so long: over HTTP/1 hyper sees to that itself, over HTTP/2 it asks
/// for ever whether the client is still there.
async fn idle(open: &mut watch::Receiver<usize>, patience: Duration) {
    while open.wait_for(|open| *open == 0).await.is_ok() {
        if timeout(patience, open.changed()).await.is_err() {
            return;
        }
    }
}
