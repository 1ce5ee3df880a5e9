//! Access rules: the server's token, its names, and the web pages that may use it.

pub(super) mod gate;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use axum::http::HeaderValue;
use thiserror::Error;

use crate::token::Token;

/// Who may use a server, beyond what is always allowed.
///
/// ```
/// use codechat::{Access, Token};
///
/// let access = Access::token(Token::new("secret"))
///     .host("app.example.org".parse()?)
///     .origin("https://app.example.org".parse()?);
/// assert_eq!((access.hosts.len(), access.origins.len()), (1, 1));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Access {
    /// The token that clients must send; `docs/security.md` says for which requests. `None` requires none.
    pub token: Option<Token>,
    /// Names of the server, besides loopback's and the addresses it listens on.
    pub hosts: Vec<AllowedHost>,
    /// Web pages that may use the server, besides its own.
    pub origins: Vec<AllowedOrigin>,
}

impl Access {
    /// Creates rules that allow everybody: for a server on loopback, or behind the application's own login.
    #[must_use]
    pub fn open() -> Self {
        Self {
            token: None,
            hosts: Vec::new(),
            origins: Vec::new(),
        }
    }

    /// Creates rules that require this token, for the requests in `docs/security.md`.
    #[must_use]
    pub fn token(token: Token) -> Self {
        Self {
            token: Some(token),
            ..Self::open()
        }
    }

    /// Adds a name of the server, such as `app.example.org`. Requests with other names, except loopback's, are refused.
    #[must_use]
    pub fn host(mut self, host: AllowedHost) -> Self {
        self.hosts.push(host);
        self
    }

    /// Adds web pages that may use the server, by their origin, such as `https://app.example.org`.
    #[must_use]
    pub fn origin(mut self, origin: AllowedOrigin) -> Self {
        self.origins.push(origin);
        self
    }
}

/// A name or an address that `Host` may contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost(Known);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Name(Box<str>),
    Address(IpAddr),
}

/// Why a text is not a host.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a host is a name or an address, as in chat.example.org or 192.168.1.5")]
#[non_exhaustive]
pub struct NotAHost;

impl FromStr for AllowedHost {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        // An IPv6 address may be given without the brackets that a URL needs.
        let known = match text.parse::<Ipv6Addr>() {
            Ok(address) => Known::Address(address.into()),
            Err(_) => Authority::parse(text).ok_or(NotAHost)?.host.known(),
        };
        Ok(Self(known))
    }
}

/// The origin of web pages that may use the server (RFC 6454, 6.2), as browsers write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigin(HeaderValue);

/// Why a text is not an origin.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "an origin is a scheme, a host and perhaps a port, as in https://app.example.org or http://localhost:3000"
)]
#[non_exhaustive]
pub struct NotAnOrigin;

impl FromStr for AllowedOrigin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let lower = text.trim_end_matches('/').to_ascii_lowercase();
        let (scheme, authority) = lower.split_once("://").ok_or(NotAnOrigin)?;
        let is_scheme = |it: u8| it.is_ascii_alphanumeric() || b"+-.".contains(&it);
        if scheme.is_empty() || !scheme.bytes().all(is_scheme) {
            return Err(NotAnOrigin);
        }
        let Authority { host, port } = Authority::parse(authority).ok_or(NotAnOrigin)?;
        let port = port
            .filter(|port| Some(*port) != default_port(scheme))
            .map_or_else(String::new, |port| format!(":{port}"));
        let written = HeaderValue::try_from(format!("{scheme}://{host}{port}"));
        written.map(Self).map_err(|_| NotAnOrigin)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// A host and an optional port, as in `Host` (RFC 9110, 7.2).
#[derive(Clone, Copy, Debug)]
struct Authority<'a> {
    host: Host<'a>,
    port: Option<u16>,
}

#[derive(Clone, Copy, Debug)]
enum Host<'a> {
    Name(&'a str),
    Address(IpAddr),
}

impl<'a> Authority<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (host, rest) = if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            let address = IpAddr::V6(address.parse().ok()?).to_canonical();
            (Host::Address(address), rest)
        } else {
            let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            // `localhost.` is `localhost`.
            let name = name.strip_suffix('.').unwrap_or(name);
            let is_name = |it: u8| it.is_ascii_alphanumeric() || b"-._".contains(&it);
            if name.is_empty() || !name.bytes().all(is_name) {
                return None;
            }
            let address = name.parse::<Ipv4Addr>();
            let host = address.map_or(Host::Name(name), |it| Host::Address(it.into()));
            (host, rest)
        };
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some("") => None,
            Some(digits) if digits.bytes().all(|it| it.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { host, port })
    }
}

impl Host<'_> {
    fn known(self) -> Known {
        match self {
            Self::Name(name) => Known::Name(name.to_ascii_lowercase().into()),
            Self::Address(address) => Known::Address(address),
        }
    }

    fn is(self, known: &Known) -> bool {
        match (self, known) {
            (Self::Name(name), Known::Name(known)) => name.eq_ignore_ascii_case(known),
            (Self::Address(address), Known::Address(known)) => address == *known,
            _ => false,
        }
    }
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::Address(a), Self::Address(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}
