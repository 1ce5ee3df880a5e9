//! The secret between a server and its clients. It is shown nowhere: not in a log, not in an error.

use std::fmt;
#[cfg(feature = "client")]
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

#[cfg(feature = "client")]
use encoding_rs::UTF_8;
use subtle::ConstantTimeEq;

/// Upper bound of a file that holds one, in bytes.
#[cfg(feature = "client")]
const FILE_MAX: u64 = 4096;

/// A secret that no log shows.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Wraps it; white space around it, such as a file's last line end, is no part of it.
    pub fn new(token: impl AsRef<str>) -> Self {
        Self(token.as_ref().trim().into())
    }

    /// Reads it from bytes, without a byte order mark that an editor added. Invalid UTF-8 is replaced by characters that are not
    /// ASCII, so that it is not sendable.
    #[cfg(feature = "client")]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self::new(UTF_8.decode(bytes).0)
    }

    /// Reads it from a file.
    ///
    /// # Errors
    /// If the file cannot be read, or is too long to hold one.
    #[cfg(feature = "client")]
    pub(crate) fn from_file(path: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let mut start = File::open(path)?.take(FILE_MAX + 1);
        start.read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_MAX {
            let text = format!("it is over the limit of {FILE_MAX} bytes; is that the right file?");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(Self::from_bytes(&bytes))
    }

    /// Whether there is none after all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it can stand behind `Bearer ` in a header: visible ASCII, no space (RFC 6750, 2.1, is
    /// stricter still).
    #[must_use]
    pub fn is_sendable(&self) -> bool {
        !self.is_empty() && self.0.bytes().all(|it| it.is_ascii_graphic())
    }

    /// Whether it is the same, in a time that tells no more of it than its length.
    #[must_use]
    pub fn matches(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }

    /// The secret itself, to be sent and never to be shown.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_and_matches_itself_alone() {
        let token = Token::new(" secret\n");
        assert!(token.matches(b"secret"));
        for other in ["", "secre", "secrets", "Secret", " secret"] {
            assert!(!token.matches(other.as_bytes()), "{other}");
        }
        assert!(token.is_sendable());
        for bad in ["", " \n", "two words", "two\nlines", "é", "\u{7f}"] {
            assert!(!Token::new(bad).is_sendable(), "{bad:?}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
