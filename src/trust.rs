//! Whose certificates a TLS client trusts.
//!
//! Nothing is taken from what is installed for the whole process, of which a library is only a part.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ConfigBuilder, Error, RootCertStore, WantsVerifier};
use rustls_platform_verifier::BuilderVerifierExt;

/// A client's configuration, to which trust is yet to be added.
///
/// # Errors
/// Never: ring has what the usual versions of TLS need.
pub(crate) fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
}

/// Trusts these authorities, or those that the system trusts.
///
/// # Errors
/// If one of these is malformed, or the system trusts nobody.
pub(crate) fn authorities(
    these: Option<&[CertificateDer<'static>]>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let Some(these) = these else {
        return builder()?.with_platform_verifier();
    };
    let mut roots = RootCertStore::empty();
    for certificate in these {
        roots.add(certificate.clone())?;
    }
    Ok(builder()?.with_root_certificates(roots))
}
