//! TLS to a store: the authorities to trust, and the certificate to present.

use std::error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription as Alert, CertificateError, ClientConfig};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::pem_file::{self, PemFileError};
use crate::trust;

/// The advice if the peer does not answer a TLS handshake.
pub(super) const IF_PLAIN: &str =
    "; if it does not use TLS, give its address as redis://… rather than rediss://…";
/// The advice if the peer closes a connection without TLS.
const IF_ENCRYPTED: &str = "; if it uses TLS, give its address as rediss://… rather than redis://…";

/// The TLS settings of connections to a store. Their debug output shows no secrets.
#[derive(Clone)]
pub struct StoreTls(Arc<ClientConfig>);

/// Why connections to a store cannot be encrypted.
#[derive(Debug, Error)]
pub enum StoreTlsError {
    /// A file cannot be read, or has no certificates or key.
    #[error(transparent)]
    File(#[from] PemFileError),
    /// A certificate cannot be an authority's.
    #[error("a certificate in the store's CA file {} cannot be used: {why}", .path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: rustls::Error,
    },
    /// The system's trusted certificates cannot be used.
    #[error(
        "the certificates that the system trusts cannot be used: {0}; give the authority of the store's certificate with --store-ca"
    )]
    System(rustls::Error),
    /// The certificate and the key that this server presents.
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

impl StoreTls {
    /// Loads the authorities to trust from a PEM file, or uses those that the system trusts. If the store requires a
    /// certificate, it gets the one in the first file of `identity`, whose key is in the second.
    ///
    /// # Errors
    /// [`StoreTlsError`] if a file cannot be read, or cannot be used.
    pub fn load(
        authorities: Option<&Path>,
        identity: Option<(&Path, &Path)>,
    ) -> Result<Self, StoreTlsError> {
        let builder = match authorities {
            Some(path) => {
                let these = pem_file::certificates("store's CA", path)?;
                trust::authorities(Some(&these)).map_err(|why| StoreTlsError::Authority {
                    path: path.into(),
                    why,
                })?
            }
            None => trust::authorities(None).map_err(StoreTlsError::System)?,
        };
        let config = match identity {
            Some((cert, key)) => {
                let chain = pem_file::certificates("store's client certificate", cert)?;
                let secret = pem_file::key("store's client key", key)?;
                let config = builder.with_client_auth_cert(chain, secret);
                config.map_err(|why| StoreTlsError::Pair {
                    cert: cert.into(),
                    key: key.into(),
                    why,
                })?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    /// Encrypts a connection to this host, a name or an IP address, for which the certificate must be valid.
    pub(super) async fn encrypt<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        socket: S,
    ) -> io::Result<TlsStream<S>> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = TlsConnector::from(Arc::clone(&self.0));
        connector.connect(name, socket).await
    }
}

/// Returns a hint to append to the reason of a failed connection; empty if there is none.
pub(super) fn advice(is_encrypted: bool, error: &(dyn error::Error + 'static)) -> &'static str {
    let Some(error) = io_error(error) else {
        return "";
    };
    let is_closed = matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
    );
    if !is_encrypted {
        return if is_closed { IF_ENCRYPTED } else { "" };
    }
    match error.get_ref().and_then(|it| it.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::Other(_),
        )) => "; give the authority that signed the store's certificate with --store-ca",
        Some(rustls::Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::HandshakeFailure
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::UnknownCA,
        )) => {
            "; it requires a certificate from an authority that it trusts: give one with --store-cert and --store-key"
        }
        Some(rustls::Error::InvalidMessage(_)) => IF_PLAIN,
        // A peer that refuses a certificate may close the connection before its alert is read.
        _ if is_closed => {
            "; if it requires a certificate, give one with --store-cert and --store-key"
        }
        _ => "",
    }
}

/// Returns the I/O error inside another error.
fn io_error<'a>(error: &'a (dyn error::Error + 'static)) -> Option<&'a io::Error> {
    if let Some(shared) = error.downcast_ref::<Arc<dyn error::Error + Send + Sync>>() {
        return shared.downcast_ref();
    }
    error.downcast_ref().or_else(|| io_error(error.source()?))
}

impl PartialEq for StoreTls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for StoreTls {}

impl fmt::Debug for StoreTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreTls(…)")
    }
}
