//! What can go wrong between this program and a server. Each text names the cause, and only once.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::{Response, Url};
use thiserror::Error;

use super::ServerUrl;
use super::stream_url::{StreamUrl, shown};

/// How much of a body is quoted, in characters.
const QUOTED: usize = 200;

/// Where a request went: to the server, or to where redirects led from there.
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

/// Why a request came to nothing.
#[derive(Clone, Debug, Error)]
pub enum ClientError {
    /// Nothing takes connections there.
    #[error("nothing answers at {place}: {why}{}", advice(.place))]
    NotThere {
        /// Where it was looked for.
        place: Place,
        /// The operating system's or the TLS library's word.
        why: String,
    },
    /// The server speaks plain HTTP, and was asked in TLS.
    #[error("{place} speaks plain HTTP, not TLS; write {instead}")]
    NotTls {
        /// Who was asked.
        place: Place,
        /// The address for plain HTTP.
        instead: Box<str>,
    },
    /// The server speaks TLS, or something else, and was asked in plain HTTP.
    #[error("{place} does not answer in plain HTTP; if it speaks TLS, write {instead}")]
    NotPlain {
        /// Who was asked.
        place: Place,
        /// The address for TLS.
        instead: Box<str>,
    },
    /// It redirects on and on.
    #[error("{place} redirects more than {most} times")]
    Redirects {
        /// Who was asked.
        place: Place,
        /// How many redirects are followed.
        most: usize,
    },
    /// The connection was made and then failed.
    #[error("lost the connection to {place}: {why}")]
    Lost {
        /// Whose connection.
        place: Place,
        /// How it failed.
        why: String,
    },
    /// The server takes the connection, and answers nothing.
    #[error("{place} takes the connection, but gives no answer in {} s", .after.as_secs())]
    NoAnswer {
        /// Who does not answer.
        place: Place,
        /// For how long an answer was waited for.
        after: Duration,
    },
    /// The server answers with an error; `detail` is its own text.
    #[error("the server refused ({status}): {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's detail, or the start of the body where it is no problem object.
        detail: String,
        /// Whether it was a problem object, as codechat's refusals are.
        is_problem: bool,
    },
    /// The server has no way to ask publishers for something.
    #[error("this server takes no control requests; codechat serve does")]
    NoControl,
    /// The server has no way to publish.
    #[error(
        "{place} takes no messages: in the original protocol only the server's own code publishes. Use a codechat server \
         (codechat serve), or publish in that server's code"
    )]
    NoPublishing {
        /// Who was asked.
        place: Place,
    },
    /// A message was answered with a success, but not as codechat acknowledges one.
    #[error(
        "{place} answered {status} without an acknowledgement, so it is no codechat server; what became of the message is \
         not known"
    )]
    Unacknowledged {
        /// Who answered.
        place: Place,
        /// The HTTP status.
        status: u16,
    },
    /// Something answers, but not as this protocol says.
    #[error("{place} answers, but not as a codechat server does: {why}")]
    NotCodechat {
        /// Who answers.
        place: Place,
        /// What is odd about it.
        why: String,
    },
    /// The token cannot stand in an HTTP header.
    #[error("the token has characters that no HTTP header can carry")]
    BadToken,
    /// The HTTP library does not start, for want of root certificates for example.
    #[error("cannot set up HTTP: {0}")]
    Setup(String),
}

/// What to do if nothing is there.
fn advice(place: &Place) -> &'static str {
    if place.is_server {
        "; start a server with `codechat serve`, or name another with --server"
    } else {
        ""
    }
}

impl ClientError {
    /// Whether nothing takes connections there, so that starting a server would help.
    #[must_use]
    pub fn is_not_there(&self) -> bool {
        matches!(self, Self::NotThere { .. })
    }

    /// The HTTP status that the server refused with.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A request without an answer.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    pub(crate) cause: Cause,
    /// Where redirects had led to by then.
    pub(crate) redirect: Option<Box<Redirect>>,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    /// There was no connection.
    NotConnected(String),
    /// There was one.
    Broken(String),
    /// There was one, on which nothing came for this time.
    Silent(Duration),
    /// The other side does not speak TLS.
    NotTls,
    /// The other side does not speak plain HTTP.
    NotPlain,
    /// It redirects more often than is followed.
    Redirects(usize),
}

impl Lost {
    pub(crate) fn new(cause: Cause) -> Self {
        Self {
            cause,
            redirect: None,
        }
    }

    /// Whether it was a connection that failed, so that there is a server.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.cause, Cause::Broken(_) | Cause::Silent(_))
    }

    /// Whether the next try will fare as this one did.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(
            self.cause,
            Cause::NotTls | Cause::NotPlain | Cause::Redirects(_)
        )
    }

    /// The error of a request that a codechat server was to answer.
    pub(crate) fn at(self, server: &ServerUrl) -> ClientError {
        let place = Place::new(server, self.redirect.as_deref());
        self.at_place(place, server.join(""))
    }

    /// The error of a request for any stream.
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

/// The cause in a few words, and whose it was if not the server's.
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
    /// Where an answer came from, if the request was for `server`.
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

/// The address that was reached, under another scheme; the port stays.
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

/// Whether an answer is no HTTP.
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

/// A foreign text on one short line, without control characters.
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
