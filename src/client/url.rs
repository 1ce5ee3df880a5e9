//! The address of a server, to which the client appends paths.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use thiserror::Error;

/// A server's address: `http` or `https`, a host, and optionally a port and the path under which a reverse proxy has
/// codechat. Printed without a trailing slash.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerUrl(Url);

/// Why a text is not the address of a server. Each text says what to write instead.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadServerUrl {
    /// No scheme. Only a server on this machine needs none.
    #[error("{0:?} has no scheme; write \"http://{0}\"")]
    NoScheme(String),
    /// Not HTTP.
    #[error("a server is reached by http:// or https://, not by {0}://")]
    Scheme(String),
    /// Credentials must be given separately.
    #[error(
        "a server's address takes no user name and no password; give a token with --token-file or CODECHAT_TOKEN"
    )]
    UserInfo,
    /// A `?…` part, which is not quoted because it may contain a token.
    #[error(
        "a server's address takes no query; leave out the ? and what follows, and give a token with --token-file or CODECHAT_TOKEN"
    )]
    Query,
    /// A `#…` part.
    #[error("a server's address takes no fragment; leave out {0:?}")]
    Fragment(String),
    /// Invalid; the cause is the parser's.
    #[error(
        "{text:?} is not a server's address ({why}); write one such as \"http://127.0.0.1:2428\""
    )]
    Malformed {
        /// The given text.
        text: String,
        /// What is wrong with it.
        why: String,
    },
}

impl FromStr for ServerUrl {
    type Err = BadServerUrl;

    fn from_str(text: &str) -> Result<Self, BadServerUrl> {
        let text = text.trim();
        let malformed = |why: &str| BadServerUrl::Malformed {
            text: text.into(),
            why: why.into(),
        };
        if text.is_empty() {
            return Err(malformed("it is empty"));
        }
        let with_scheme = if text.contains("://") {
            Cow::from(text)
        } else {
            let rest = text.trim_start_matches('/');
            on_this_machine(rest).ok_or_else(|| BadServerUrl::NoScheme(rest.into()))?
        };
        let mut url = Url::parse(&with_scheme).map_err(|error| malformed(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadServerUrl::Scheme(url.scheme().into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadServerUrl::UserInfo);
        }
        if url.query().is_some() {
            return Err(BadServerUrl::Query);
        }
        if let Some(fragment) = url.fragment() {
            return Err(BadServerUrl::Fragment(format!("#{fragment}")));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

/// Returns the address of a server on this machine that was given without a scheme: a port, or a loopback host and a
/// port. Other hosts may need `https`, so they need a scheme.
fn on_this_machine(text: &str) -> Option<Cow<'static, str>> {
    let is_port = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let port = text.strip_prefix(':').unwrap_or(text);
    if is_port(port) {
        return Some(format!("http://127.0.0.1:{port}").into());
    }
    let authority = text.split(['/', '?', '#']).next()?;
    let (_, port) = authority.rsplit_once(':')?;
    let address = format!("http://{text}");
    let is_here = is_port(port) && is_loopback(&Url::parse(&address).ok()?);
    is_here.then(|| address.into())
}

impl ServerUrl {
    /// Returns the URL of a path on this server; `path` begins with a slash and may have a query.
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let base = self.0.path().trim_end_matches('/');
        url.set_path(&format!("{base}{path}"));
        url.set_query(query);
        url
    }

    /// Returns whether the server is on this machine, for which no proxy is used.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Returns whether the connection is without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }
}

/// Returns whether an address is on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|it| it.is_loopback())
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_printed_without_its_trailing_slash() {
        for (given, printed) in [
            ("http://localhost:2428", "http://localhost:2428"),
            (" https://example.org/ ", "https://example.org"),
            ("http://h/tools/chat//", "http://h/tools/chat"),
            ("http://[::1]:1", "http://[::1]:1"),
            ("2531", "http://127.0.0.1:2531"),
            (":2531", "http://127.0.0.1:2531"),
            ("127.0.0.1:2531", "http://127.0.0.1:2531"),
            ("localhost:2531/", "http://localhost:2531"),
            ("[::1]:2531/tools", "http://[::1]:2531/tools"),
        ] {
            let url: ServerUrl = given.parse().unwrap();
            assert_eq!(url.to_string(), printed);
            assert_eq!(url.to_string().parse(), Ok(url));
        }
    }

    #[test]
    fn a_path_is_appended_to_the_base_path() {
        let url: ServerUrl = "http://h/tools/".parse().unwrap();
        assert_eq!(url.join("/healthz").as_str(), "http://h/tools/healthz");
        assert_eq!(url.join("/a?b=c").as_str(), "http://h/tools/a?b=c");
        let url: ServerUrl = "http://h".parse().unwrap();
        assert_eq!(url.join("/a").as_str(), "http://h/a");
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        for (given, says) in [
            ("example.org:2428", "write \"http://example.org:2428\""),
            ("localhost", "write \"http://localhost\""),
            ("99999", "invalid port"),
            ("u:p@localhost:2428", "no user name"),
            ("localhost:2428?token=x", "leave out the ?"),
            ("//h", "write \"http://h\""),
            ("ftp://h", "not by ftp://"),
            ("http://u:p@h", "no user name"),
            ("http://h?a=b", "leave out the ?"),
            ("http://h/#x", "leave out \"#x\""),
            ("http://", "empty host"),
            ("http://h:99999", "invalid port"),
            ("", "it is empty"),
        ] {
            let error = given.parse::<ServerUrl>().unwrap_err().to_string();
            assert!(error.contains(says), "{given}: {error}");
        }
    }

    #[test]
    fn loopback_addresses_are_recognized() {
        for (url, here) in [
            ("http://localhost", true),
            ("http://127.3.2.1:80", true),
            ("http://[::1]", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example.org", false),
        ] {
            assert_eq!(url.parse::<ServerUrl>().unwrap().is_loopback(), here);
        }
    }
}
