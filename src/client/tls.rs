//! The TLS settings of a client's connections.
//!
//! By default the HTTP library uses the cryptography provider that is installed for the whole process, which a library must
//! not decide. So it gets a complete configuration.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::trust;

/// Which certificates are trusted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trust<'a> {
    /// The ones that the system trusts.
    System,
    /// These, and the ones that they have signed.
    Only(&'a [CertificateDer<'static>]),
    /// All.
    Anyone,
}

/// Returns the configuration of a client that speaks HTTP/2, or else HTTP/1.1.
///
/// # Errors
/// If the system trusts no certificate, or one is malformed.
pub(super) fn config(trust: Trust) -> Result<ClientConfig, Error> {
    let builder = match trust {
        Trust::System => trust::authorities(None)?,
        Trust::Only(certificates) => trust::authorities(Some(certificates))?,
        Trust::Anyone => {
            let builder = trust::builder()?;
            let verifier = Arc::new(Unverified(Arc::clone(builder.crypto_provider())));
            builder
                .dangerous()
                .with_custom_certificate_verifier(verifier)
        }
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    Ok(config)
}

/// Trusts every certificate.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer,
        _: &[CertificateDer],
        _: &ServerName,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
