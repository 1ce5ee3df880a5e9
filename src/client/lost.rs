//! Requests that got no answer, and what their errors mean.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::Url;

use super::ServerUrl;
use super::error::{ClientError, Place, Redirect, root_cause};
use super::stream_url::{StreamUrl, shown};

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
    /// The connection could not be made.
    NotConnected(String),
    /// The connection failed.
    Broken(String),
    /// The server sent nothing for this time.
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

    /// Returns the error of a request for a stream by its URL.
    pub(crate) fn at_stream(self, url: &StreamUrl) -> ClientError {
        let place = Place::of_stream(url, self.redirect.as_deref());
        self.at_place(place, url.bare())
    }

    fn at_place(self, place: Place, requested: Url) -> ClientError {
        let reached = self.redirect.map_or(requested, |it| it.to);
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
        Self::new(if has_cause(&error, is_not_tls) {
            Cause::NotTls
        } else if is_http && has_cause(&error, is_not_http) {
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
fn is_not_http(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<hyper::Error>();
    error.is_some_and(hyper::Error::is_parse)
}

/// Returns whether TLS failed because the other side's first bytes are not TLS.
fn is_not_tls(mut error: &(dyn Error + 'static)) -> bool {
    while let Some(inner) = error.downcast_ref().and_then(io::Error::get_ref) {
        error = inner;
    }
    let error = error.downcast_ref();
    matches!(error, Some(rustls::Error::InvalidMessage(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_missing_server_says_what_to_do() {
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
    fn the_advice_to_use_the_other_scheme_keeps_the_port() {
        for (server, cause, advice) in [
            ("https://h", Cause::NotTls, "write http://h:443"),
            ("https://h:8443", Cause::NotTls, "write http://h:8443"),
            ("http://h:443", Cause::NotPlain, "write https://h"),
        ] {
            let error = Lost::new(cause).at(&server.parse().unwrap());
            assert!(error.to_string().ends_with(advice), "{error}");
        }
    }
}
