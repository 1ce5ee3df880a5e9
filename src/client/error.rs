//! Errors between this program and a server. Each text names the cause, and only once.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::{Response, Url};
use thiserror::Error;

use super::ServerUrl;
use super::stream_url::{StreamUrl, shown};

/// Upper bound of the quoted part of a body, in characters.
const QUOTED: usize = 200;

/// The address of a request: the server's, or the one to which redirects led.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    address: Box<str>,
    /// Whether it is the server's own address, rather than a redirect's target or a stream's URL.
    is_server: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// The address that was requested, and the one that its redirects led to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Redirect {
    pub(crate) from: Url,
    pub(crate) to: Url,
    /// Whether one of them led to another origin.
    pub(crate) leaves_origin: bool,
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (to, from) = (shown(&self.to), shown(&self.from));
        write!(f, "{to}, to which {from} redirects")
    }
}

/// Why a request failed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nothing accepts connections there.
    #[error("nothing answers at {place}: {why}{}", advice(.place))]
    NotThere {
        /// The address.
        place: Place,
        /// The error text of the operating system or the TLS library.
        why: String,
    },
    /// The server speaks plain HTTP, but the request used TLS.
    #[error("{place} speaks plain HTTP, not TLS; write {instead}")]
    NotTls {
        /// The address.
        place: Place,
        /// The address for plain HTTP.
        instead: Box<str>,
    },
    /// The server speaks TLS, or something else, but the request used plain HTTP.
    #[error("{place} does not answer in plain HTTP; if it speaks TLS, write {instead}")]
    NotPlain {
        /// The address.
        place: Place,
        /// The address for TLS.
        instead: Box<str>,
    },
    /// Too many redirects.
    #[error("{place} redirects more than {most} times")]
    Redirects {
        /// The address.
        place: Place,
        /// The limit of redirects.
        most: usize,
    },
    /// The connection was made and then failed.
    #[error("lost the connection to {place}: {why}")]
    Lost {
        /// The address.
        place: Place,
        /// The cause.
        why: String,
    },
    /// The server accepts the connection, but does not answer.
    #[error("{place} takes the connection, but gives no answer in {} s", .after.as_secs())]
    NoAnswer {
        /// The address.
        place: Place,
        /// The duration of the wait.
        after: Duration,
    },
    /// The server answers with an error; `detail` is its own text.
    #[error("the server refused ({status}): {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's detail, or the start of the body if it is not a problem object.
        detail: String,
        /// Whether it was a problem object, as codechat's refusals are.
        is_problem: bool,
    },
    /// The server does not support requests to publishers.
    #[error("this server takes no control requests; codechat serve does")]
    NoControl,
    /// The server does not support publishing.
    #[error(
        "{place} takes no messages: in the original protocol only the server's own code publishes. Use a codechat server \
         (codechat serve), or publish in that server's code"
    )]
    NoPublishing {
        /// The address.
        place: Place,
    },
    /// A message was answered with a success, but not as codechat acknowledges one.
    #[error(
        "{place} answered {status} without an acknowledgement, so it is no codechat server; what became of the message is \
         not known"
    )]
    Unacknowledged {
        /// The address.
        place: Place,
        /// The HTTP status.
        status: u16,
    },
    /// The answer does not follow this protocol.
    #[error("{place} answers, but not as a codechat server does: {why}")]
    NotCodechat {
        /// The address.
        place: Place,
        /// What is wrong with it.
        why: String,
    },
    /// The token cannot be sent in an HTTP header.
    #[error("the token has characters that no HTTP header can carry")]
    BadToken,
    /// The HTTP library does not start, as without root certificates.
    #[error("cannot set up HTTP: {0}")]
    Setup(String),
}

/// Returns what to do if nothing accepts connections.
fn advice(place: &Place) -> &'static str {
    if place.is_server {
        "; start a server with `codechat serve`, or name another with --server"
    } else {
        ""
    }
}

impl ClientError {
    /// Returns whether nothing accepts connections there, so that starting a server would help.
    #[must_use]
    pub fn is_not_there(&self) -> bool {
        matches!(self, Self::NotThere { .. })
    }

    /// Returns the HTTP status of the refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A request that got no answer.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    pub(crate) cause: Cause,
    /// The redirect that was being followed.
    pub(crate) redirect: Option<Box<Redirect>>,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    /// There was no connection.
    NotConnected(String),
    /// There was one.
    Broken(String),
    /// There was one, without a byte for this time.
    Silent(Duration),
    /// The other side does not speak TLS.
    NotTls,
    /// The other side does not speak plain HTTP.
    NotPlain,
    /// Too many redirects.
    Redirects(usize),
}

impl Lost {
    pub(crate) fn new(cause: Cause) -> Self {
        Self {
            cause,
            redirect: None,
        }
    }

    /// Returns whether an established connection failed, so that there is a server.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.cause, Cause::Broken(_) | Cause::Silent(_))
    }

    /// Returns whether the next try would fail in the same way.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(
            self.cause,
            Cause::NotTls | Cause::NotPlain | Cause::Redirects(_)
        )
    }

    /// Returns the error of a request to a codechat server.
    pub(crate) fn at(self, server: &ServerUrl) -> ClientError {
        let place = Place::new(server, self.redirect.as_deref());
        self.at_place(place, server.join(""))
    }

    /// Returns the error of a request for any stream.
    pub(crate) fn at_stream(self, url: &StreamUrl) -> ClientError {
        let redirect = self.redirect.as_deref();
        let address = redirect.map_or_else(|| url.to_string(), Redirect::to_string);
        let place = Place {
            address: address.into(),
            is_server: false,
        };
        self.at_place(place, url.bare())
    }

    fn at_place(self, place: Place, asked: Url) -> ClientError {
        let reached = self.redirect.map_or(asked, |it| it.to);
        let instead = |scheme| with_scheme(scheme, reached);
        match self.cause {
            Cause::NotConnected(why) => ClientError::NotThere { place, why },
            Cause::Broken(why) => ClientError::Lost { place, why },
            Cause::Redirects(most) => ClientError::Redirects { place, most },
            Cause::Silent(after) => ClientError::NoAnswer { place, after },
            Cause::NotTls => ClientError::NotTls {
                instead: instead("http"),
                place,
            },
            Cause::NotPlain => ClientError::NotPlain {
                instead: instead("https"),
                place,
            },
        }
    }
}

/// The cause in a few words, and the address if it is not the server's.
impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::NotConnected(why) | Cause::Broken(why) => f.write_str(why)?,
            Cause::Silent(after) => write!(f, "no answer in {} s", after.as_secs())?,
            Cause::NotTls => f.write_str("it speaks plain HTTP, not TLS")?,
            Cause::NotPlain => f.write_str("it does not answer in plain HTTP")?,
            Cause::Redirects(most) => write!(f, "it redirects more than {most} times")?,
        }
        match &self.redirect {
            Some(redirect) => write!(f, " at {redirect}"),
            None => Ok(()),
        }
    }
}

impl Place {
    /// Returns the address that answered a request to `server`.
    pub(crate) fn of(response: &Response, server: &ServerUrl) -> Self {
        Self::new(server, response.extensions().get())
    }

    fn new(server: &ServerUrl, redirect: Option<&Redirect>) -> Self {
        let address = redirect.map_or_else(|| server.to_string(), Redirect::to_string);
        Self {
            address: address.into(),
            is_server: redirect.is_none(),
        }
    }
}

/// Returns the address that was reached, with another scheme and the same port.
fn with_scheme(scheme: &str, mut url: Url) -> Box<str> {
    let port = url.port_or_known_default();
    let _ = url.set_scheme(scheme);
    let _ = url.set_port(port);
    shown(&url).trim_end_matches('/').into()
}

impl From<reqwest::Error> for Lost {
    fn from(error: reqwest::Error) -> Self {
        let is_http = error.url().is_some_and(|it| it.scheme() == "http");
        Self::new(if has_cause(&error, is_no_tls) {
            Cause::NotTls
        } else if is_http && has_cause(&error, is_no_http) {
            Cause::NotPlain
        } else if error.is_connect() {
            Cause::NotConnected(root_cause(&error))
        } else {
            Cause::Broken(root_cause(&error))
        })
    }
}

fn has_cause(error: &reqwest::Error, is_it: fn(&(dyn Error + 'static)) -> bool) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if is_it(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Returns whether an answer is not HTTP.
fn is_no_http(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<hyper::Error>();
    error.is_some_and(hyper::Error::is_parse)
}

/// Returns whether TLS failed because the other side's first bytes are not TLS.
fn is_no_tls(mut error: &(dyn Error + 'static)) -> bool {
    while let Some(inner) = error.downcast_ref().and_then(io::Error::get_ref) {
        error = inner;
    }
    let error = error.downcast_ref();
    matches!(error, Some(rustls::Error::InvalidMessage(_)))
}

/// Returns a foreign text as one short line without control characters.
pub(crate) fn short(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .take(8 * QUOTED)
        .collect();
    let words: Vec<_> = clean.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Returns the text of the last error in a chain, which is the cause.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if let Some(io) = cause.downcast_ref::<io::Error>()
        && io.raw_os_error().is_some()
    {
        return io.kind().to_string();
    }
    let text = cause.to_string();
    match text.as_str() {
        "deadline has elapsed" | "operation timed out" => "timed out".into(),
        _ => short(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_is_quoted_short_and_without_control_characters() {
        assert_eq!(short("<html>\r\n\t\x1b[31m hi "), "<html> [31m hi");
        assert_eq!(short(&"é".repeat(500)).chars().count(), QUOTED + 1);
    }

    #[test]
    fn a_missing_server_is_told_with_what_to_do() {
        let lost = Lost::new(Cause::NotConnected("connection refused".into()));
        let error = lost.at(&"http://127.0.0.1:2428".parse().unwrap());
        assert!(error.is_not_there());
        assert_eq!(error.status(), None);
        assert_eq!(
            error.to_string(),
            "nothing answers at http://127.0.0.1:2428: connection refused; \
             start a server with `codechat serve`, or name another with --server"
        );
    }

    #[test]
    fn an_error_behind_a_redirect_names_both_addresses() {
        let lost = Lost {
            cause: Cause::NotConnected("connection refused".into()),
            redirect: Some(Box::new(Redirect {
                from: "http://a/x".parse().unwrap(),
                to: "http://b:1/y".parse().unwrap(),
                leaves_origin: true,
            })),
        };
        assert_eq!(
            lost.at(&"http://a".parse().unwrap()).to_string(),
            "nothing answers at http://b:1/y, to which http://a/x redirects: connection refused"
        );
    }

    #[test]
    fn the_other_scheme_is_told_with_the_port_that_was_asked() {
        for (server, cause, told) in [
            ("https://h", Cause::NotTls, "write http://h:443"),
            ("https://h:8443", Cause::NotTls, "write http://h:8443"),
            ("http://h:443", Cause::NotPlain, "write https://h"),
        ] {
            let error = Lost::new(cause).at(&server.parse().unwrap());
            assert!(error.to_string().ends_with(told), "{error}");
        }
    }
}
