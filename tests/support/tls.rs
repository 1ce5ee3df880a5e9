//! The certificate in `tls/` is for localhost and 127.0.0.1, signed by an authority whose key was deleted; it is valid
//! for a hundred years. So is `client.pem`, the certificate of clients, which is its own authority.

use std::path::{Path, PathBuf};

use codechat::internal::server::Tls;

pub(crate) fn tls() -> Tls {
    Tls::load(&file("cert.pem"), &file("key.pem")).unwrap()
}

/// Returns the path of a file in `tls/`.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/support/tls")
        .join(name)
}
