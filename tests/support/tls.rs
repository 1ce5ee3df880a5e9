//! The certificate in `tls/` is for localhost and 127.0.0.1, and of an authority whose key was thrown
//! away; it holds for a hundred years. So does `client.pem`, which is its own authority, for whoever connects.

use std::path::{Path, PathBuf};

use codechat::internal::server::Tls;

pub(crate) fn tls() -> Tls {
    Tls::load(&file("cert.pem"), &file("key.pem")).unwrap()
}

/// A file in `tls/`.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/support/tls")
        .join(name)
}
