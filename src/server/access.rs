//! Who may ask: the `Host` and the `Origin` of every request, and the answers to pages of other origins.
//!
//! The server runs on machines where a browser shows hostile pages. Such a page can send requests to
//! loopback, but it cannot choose two of their header fields: `Origin` tells whose page it is, and
//! `Host` tells under which name the server was reached, which unmasks a name of the page's own that
//! was rebound to this address. The common request, with a loopback address for `Host` and no
//! `Origin`, costs three look-ups and no memory.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::body::Body;
use axum::http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header, uri,
};
use thiserror::Error;

use super::problem::{Problem, ProblemKind};
use crate::token::Token;

/// What a page of an allowed origin may send.
const METHODS: &str = "GET, POST, PUT, DELETE";
const HEADERS: &str =
    "Sse-Client-ID, Content-Type, Authorization, Last-Event-ID, Idempotency-Key, Cache-Control";
/// What it may read of an answer, beyond what every page may.
const EXPOSED: &str = "Sse-Client-ID, Sse-Client-Past, Sse-Format, Sse-Server-Owner";
/// How long a browser may remember a preflight's answer, in seconds.
const PREFLIGHT_AGE: &str = "600";

/// Whom a server lets in, beyond what it lets in anyway.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// What clients must show; `docs/security.md` says for which requests. `None` asks for nothing.
    pub token: Option<Token>,
    /// Names that the server is reached by, besides loopback's and the addresses it listens on.
    pub hosts: Vec<AllowedHost>,
    /// Web pages that may use the server, besides its own.
    pub origins: Vec<AllowedOrigin>,
}

impl Access {
    /// Lets everybody in: for a server on loopback, or behind the application's own login.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// Asks for this token, where `docs/security.md` says so.
    #[must_use]
    pub fn token(token: Token) -> Self {
        let mut access = Self::open();
        access.token = Some(token);
        access
    }

    /// Adds a name that the server is reached by, such as `app.example.org`. Others than loopback's are refused.
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

/// A name or an address that may stand in `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost(Known);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Name(Box<str>),
    Address(IpAddr),
}

/// A text is no host.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a host is a name or an address, as in chat.example.org or 192.168.1.5")]
pub struct NotAHost;

impl FromStr for AllowedHost {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        // An IPv6 address may come without the brackets that a URL needs.
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

/// A text is no origin.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "an origin is a scheme, a host and perhaps a port, as in https://app.example.org or http://localhost:3000"
)]
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

/// The check that every request passes before anything else.
#[derive(Debug)]
pub(super) struct Gate {
    hosts: Vec<Known>,
    /// Whether some listener takes every address of the machine. A request to an address is none to
    /// a name that was rebound, so any address will do then.
    any_address: bool,
    origins: Vec<HeaderValue>,
}

impl Gate {
    /// `listening` are the addresses that the server listens on.
    pub(super) fn new(access: &Access, listening: &[SocketAddr]) -> Self {
        let addresses = || listening.iter().map(|it| it.ip().to_canonical());
        let named = access.hosts.iter().map(|it| it.0.clone());
        Self {
            hosts: named.chain(addresses().map(Known::Address)).collect(),
            any_address: addresses().any(|it| it.is_unspecified()),
            origins: access.origins.iter().map(|it| it.0.clone()).collect(),
        }
    }

    /// Lets a request in, or not. `Some` where it is of a page of an allowed origin, which
    /// [`Gate::release`] then names.
    pub(super) fn admit<B>(&self, request: &Request<B>) -> Result<Option<HeaderValue>, Problem> {
        let host = self.check_host(request)?;
        self.check_origin(request, host)
    }

    fn check_host<'a, B>(&self, request: &'a Request<B>) -> Result<Option<Authority<'a>>, Problem> {
        let mut fields = request.headers().get_all(header::HOST).iter();
        let field = fields.next().map(|it| it.to_str().unwrap_or_default());
        if fields.next().is_some() {
            return Err(ProblemKind::HostTwice.into());
        }
        // A target with an authority goes before the header (RFC 9112, 3.2.2), and is the only one in
        // HTTP/2. Both are looked at: nothing here may trust the wrong one.
        let target = request.uri().authority().map(uri::Authority::as_str);
        let mut host = None;
        for given in [field, target].into_iter().flatten() {
            let authority = Authority::parse(given).filter(|it| self.is_own(it.host));
            host = Some(authority.ok_or_else(|| ProblemKind::HostForeign(shown(given)))?);
        }
        if host.is_none() && request.version() >= Version::HTTP_11 {
            return Err(ProblemKind::HostMissing.into());
        }
        Ok(host)
    }

    /// Whether this, as the one header `Host` has it, is this server.
    pub(super) fn knows(&self, host: &str) -> bool {
        Authority::parse(host).is_some_and(|it| self.is_own(it.host))
    }

    fn is_own(&self, host: Host) -> bool {
        match host {
            Host::Address(address) => {
                address.is_loopback() || self.any_address || self.hosts.iter().any(|it| host.is(it))
            }
            Host::Name(name) => {
                name.eq_ignore_ascii_case("localhost") || self.hosts.iter().any(|it| host.is(it))
            }
        }
    }

    fn check_origin<B>(
        &self,
        request: &Request<B>,
        host: Option<Authority>,
    ) -> Result<Option<HeaderValue>, Problem> {
        let headers = request.headers();
        let mut fields = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = fields.next() else {
            return if is_embedded_elsewhere(headers) {
                Err(ProblemKind::EmbeddedElsewhere.into())
            } else {
                Ok(None)
            };
        };
        if fields.next().is_some() {
            return Err(ProblemKind::OriginTwice.into());
        }
        if self.origins.contains(origin) {
            Ok(Some(origin.clone()))
        } else if host.is_some_and(|host| is_same(origin, host)) {
            Ok(None)
        } else {
            let origin = shown(origin.to_str().unwrap_or_default());
            Err(ProblemKind::OriginForeign(origin).into())
        }
    }

    /// Lets the page of an allowed origin read the answer.
    pub(super) fn release(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(EXPOSED),
            );
        }
    }
}

/// The answer to a browser that asks whether a page may send a request.
pub(super) fn preflight<B>(request: &Request<B>) -> Option<Response<Body>> {
    let asked = request.headers();
    let is_preflight = request.method() == Method::OPTIONS
        && asked.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    is_preflight.then(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static(METHODS),
        );
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(HEADERS),
        );
        headers.insert(
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from_static(PREFLIGHT_AGE),
        );
        // Chromium asks so before a public page may reach loopback.
        if asked.contains_key("access-control-request-private-network") {
            let yes = HeaderValue::from_static("true");
            headers.insert("access-control-allow-private-network", yes);
        }
        response
    })
}

/// Whether a browser says that the request is of a page elsewhere that cannot read the answer, as of an
/// `<img>`: it has no `Origin`, and would issue or stop a client all the same (W3C Fetch Metadata).
/// Following a link is not that.
fn is_embedded_elsewhere(headers: &HeaderMap) -> bool {
    let says = |name, value| headers.get(name).is_some_and(|it| it == value);
    (says("sec-fetch-site", "cross-site") || says("sec-fetch-site", "same-site"))
        && !says("sec-fetch-dest", "document")
}

/// Refuses a browser's prefetch, where the request would issue, open or end something.
pub(super) fn refuse_prefetch(headers: &HeaderMap) -> Result<(), Problem> {
    if is_prefetch(headers) {
        Err(ProblemKind::Prefetch.into())
    } else {
        Ok(())
    }
}

/// Whether a browser asks ahead of time, for what nobody may ever look at (`Sec-Purpose`, and what older
/// browsers say instead).
fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz"].into_iter().any(|name| {
        let values = headers.get_all(name).iter();
        values
            .flat_map(|it| it.as_bytes().split(|byte| matches!(byte, b',' | b';')))
            .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"prefetch"))
    })
}

/// Whether an origin is this host and port.
fn is_same(origin: &HeaderValue, host: Authority) -> bool {
    let parts = origin.to_str().ok().and_then(|it| it.split_once("://"));
    parts.is_some_and(|(scheme, authority)| {
        let default = default_port(scheme);
        Authority::parse(authority).is_some_and(|it| {
            it.host == host.host
                && default.is_some()
                && it.port.or(default) == host.port.or(default)
        })
    })
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// A foreign text, as far as an error quotes it.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

/// A host and perhaps a port, as `Host` writes them (RFC 9110, 7.2).
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
