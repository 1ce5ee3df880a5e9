//! Certificates and their keys in PEM files.

use std::fs;
use std::path::{Path, PathBuf};

use encoding_rs::UTF_8;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

use crate::file_error;

/// A file that cannot be read, or holds something else.
#[derive(Debug, Error)]
#[error("cannot read the {what} file {}: {why}", .path.display())]
#[non_exhaustive]
pub struct PemFileError {
    /// What the file is for: `certificate`, `store's key`.
    what: &'static str,
    path: PathBuf,
    why: String,
}

/// Reads all certificates of a file, of which there must be one.
///
/// # Errors
/// [`PemFileError`] if it cannot be read, or holds none.
pub(crate) fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, PemFileError> {
    let certificates = read(path)
        .and_then(|text| CertificateDer::pem_slice_iter(text.as_bytes()).collect())
        .and_then(|found: Vec<_>| {
            if found.is_empty() {
                Err(pem::Error::NoItemsFound)
            } else {
                Ok(found)
            }
        });
    certificates.map_err(|error| unusable(what, path, "certificate", &error))
}

/// Reads the first private key of a file.
///
/// # Errors
/// [`PemFileError`] if it cannot be read, or holds none.
pub(crate) fn key(what: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, PemFileError> {
    read(path)
        .and_then(|text| PrivateKeyDer::from_pem_slice(text.as_bytes()))
        .map_err(|error| unusable(what, path, "key", &error))
}

/// A file's text, without the byte order mark that an editor may have put before it.
fn read(path: &Path) -> Result<String, pem::Error> {
    let bytes = fs::read(path).map_err(pem::Error::Io)?;
    Ok(UTF_8.decode(&bytes).0.into_owned())
}

fn unusable(what: &'static str, path: &Path, item: &str, error: &pem::Error) -> PemFileError {
    PemFileError {
        what,
        path: path.into(),
        why: match error {
            pem::Error::Io(error) => file_error::reason(error),
            pem::Error::NoItemsFound => format!("there is no {item} in PEM in it"),
            // What is malformed may be a key, which is not to be quoted.
            _ => "it is not well-formed PEM".into(),
        },
    }
}
