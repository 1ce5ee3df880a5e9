//! The address of any event stream.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use thiserror::Error;

use super::url::is_loopback;

/// The address of an event stream: `http` or `https`, perhaps with a query. Printed without user name, password, query
/// and fragment, which may be secret.
#[derive(Clone, PartialEq)]
pub struct StreamUrl(Url);

/// Why a text is not the address of a stream. Each text says what to write instead.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BadStreamUrl {
    /// No scheme.
    #[error("{0:?} has no scheme; write \"http://{0}\"")]
    NoScheme(String),
    /// A single word.
    #[error("{0:?} is not a URL")]
    Word(String),
    /// Not HTTP.
    #[error("an event stream is reached by http:// or https://, not by {0}://")]
    Scheme(String),
    /// Invalid; the cause is the parser's.
    #[error("this is not a URL ({0}); write one such as \"http://127.0.0.1:8000/events\"")]
    Malformed(String),
}

impl FromStr for StreamUrl {
    type Err = BadStreamUrl;

    fn from_str(text: &str) -> Result<Self, BadStreamUrl> {
        let text = text.trim();
        if !text.contains("://") {
            let address = without_secrets(text);
            return Err(match &*address {
                "" => BadStreamUrl::Malformed("it is empty".into()),
                it if it.contains(['.', ':', '/']) => BadStreamUrl::NoScheme(address),
                _ => BadStreamUrl::Word(address),
            });
        }
        let url = Url::parse(text).map_err(|error| BadStreamUrl::Malformed(error.to_string()))?;
        match url.scheme() {
            "http" | "https" => Ok(Self(url)),
            other => Err(BadStreamUrl::Scheme(other.into())),
        }
    }
}

/// Returns a text that is not a URL, without a scheme at its start and without parts that may be secret.
fn without_secrets(text: &str) -> String {
    let scheme = ["http:", "https:"]
        .iter()
        .find_map(|it| text.strip_prefix(it));
    let text = scheme.unwrap_or(text).trim_start_matches('/');
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let start = text[..end].rfind('@').map_or(0, |at| at + 1);
    text[start..end].into()
}

impl StreamUrl {
    /// Returns the URL to request: without the parts that only the client uses.
    pub(super) fn bare(&self) -> Url {
        let mut url = self.0.clone();
        url.set_fragment(None);
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url
    }

    /// Returns its user name and password, decoded; `None` if it has neither.
    pub(super) fn user_info(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
        let (user, password) = (self.0.username(), self.0.password());
        let is_there = !user.is_empty() || password.is_some();
        is_there.then(|| (decoded(user), decoded(password.unwrap_or_default())))
    }

    /// Returns whether the server is on this machine, for which no proxy is used.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Returns whether the connection is without TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }
}

impl fmt::Display for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamUrl({self})")
    }
}

/// Returns a URL as it is printed: without user name, password, query and fragment.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_sent_but_not_printed() {
        let url: StreamUrl = "https://us%40er:p%3aw@h:1/a?token=t#f".parse().unwrap();
        assert_eq!(url.to_string(), "https://h:1/a");
        assert_eq!(format!("{url:?}"), "StreamUrl(https://h:1/a)");
        assert_eq!(url.bare().as_str(), "https://h:1/a?token=t");
        let info = (b"us@er".to_vec(), b"p:w".to_vec());
        assert_eq!(url.user_info(), Some(info));
        let url: StreamUrl = "http://h".parse().unwrap();
        assert_eq!(url.user_info(), None);
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        for (given, says) in [
            (
                "localhost:8000/x",
                "\"localhost:8000/x\" has no scheme; write \"http://localhost:8000/x\"",
            ),
            (
                "u:p@h.org/x?token=t",
                "\"h.org/x\" has no scheme; write \"http://h.org/x\"",
            ),
            ("curl", "\"curl\" is not a URL"),
            (
                "ws://h",
                "an event stream is reached by http:// or https://, not by ws://",
            ),
            ("http://", "this is not a URL (empty host)"),
            ("", "this is not a URL (it is empty)"),
        ] {
            let error = given.parse::<StreamUrl>().unwrap_err().to_string();
            assert!(error.starts_with(says), "{given}: {error}");
        }
    }
}
