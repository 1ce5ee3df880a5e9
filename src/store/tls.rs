//! TLS to a store: whom to trust, and what to show.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::file_error;

/// How connections to a store are encrypted. It shows nothing of what it holds.
#[derive(Clone)]
pub struct StoreTls(Arc<ClientConfig>);

/// Why connections to a store cannot be encrypted.
#[derive(Debug, Error)]
pub enum StoreTlsError {
    /// A file that cannot be read, or holds something else.
    #[error("cannot read the {what} file {}: {why}", .path.display())]
    File {
        /// What should be in it.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The certificates that the system trusts, or those of the file.
    #[error("no certificate can be trusted: {0}")]
    Roots(rustls::Error),
    /// The certificate and the key that this server shows.
    #[error("the store's client certificate and its key do not go together: {0}")]
    Pair(rustls::Error),
}

impl StoreTls {
    /// Trusts the authorities in a file, in PEM, or those that the system trusts. Where the store asks for a
    /// certificate, it gets the one in the first file of `identity`, whose key is in the second.
    ///
    /// # Errors
    /// Where a file cannot be read, or cannot be used.
    pub fn load(
        authorities: Option<&Path>,
        identity: Option<(&Path, &Path)>,
    ) -> Result<Self, StoreTlsError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(StoreTlsError::Roots)?;
        let builder = match authorities {
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates("store's CA", path)? {
                    roots.add(certificate).map_err(StoreTlsError::Roots)?;
                }
                builder.with_root_certificates(roots)
            }
            None => builder
                .with_platform_verifier()
                .map_err(StoreTlsError::Roots)?,
        };
        let config = match identity {
            Some((certificate, key)) => {
                let chain = certificates("store's client certificate", certificate)?;
                let secret = PrivateKeyDer::from_pem_slice(&read("store's client key", key)?);
                let secret =
                    secret.map_err(|error| unreadable("store's client key", key, &error))?;
                let config = builder.with_client_auth_cert(chain, secret);
                config.map_err(StoreTlsError::Pair)?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    /// Encrypts a connection to this host.
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

fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, StoreTlsError> {
    let bytes = read(what, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unreadable(what, path, &pem::Error::NoItemsFound)),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(what, path, &error)),
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, StoreTlsError> {
    fs::read(path).map_err(|error| unreadable(what, path, &pem::Error::Io(error)))
}

fn unreadable(what: &'static str, path: &Path, error: &pem::Error) -> StoreTlsError {
    StoreTlsError::File {
        what,
        path: path.into(),
        why: match error {
            pem::Error::Io(error) => file_error::reason(error),
            pem::Error::NoItemsFound => "there is none in PEM in it".into(),
            // What is malformed may be a key, which is not to be quoted.
            _ => "it is not well-formed PEM".into(),
        },
    }
}
