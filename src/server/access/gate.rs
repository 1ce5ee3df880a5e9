//! The gate: checks the `Host` and the `Origin` of every request, and answers pages of other origins.
//!
//! The server runs on machines where a browser may show hostile pages. Such a page can send requests to loopback, but
//! it cannot choose two headers: `Origin`, which names the site of the page, and `Host`, the name by which the server
//! was reached. `Host` reveals a DNS name that was rebound to this address. The common request, with a loopback `Host`
//! and no `Origin`, costs three look-ups and no allocation.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header, uri,
};
use axum::response::IntoResponse;

use super::{Access, Authority, Host, Known, default_port};
use crate::server::problem::{Problem, ProblemKind};

/// The methods and headers that a page of an allowed origin may send.
const METHODS: &str = "GET, POST, PUT, DELETE";
const HEADERS: &str =
    "Sse-Client-ID, Content-Type, Authorization, Last-Event-ID, Idempotency-Key, Cache-Control";
/// The headers of an answer that such a page may read, besides those that every page may.
const EXPOSED: &str = "Sse-Client-ID, Sse-Client-Past, Sse-Format, Sse-Server-Owner";
/// How long a browser may cache a preflight's answer, in seconds.
const PREFLIGHT_AGE: &str = "600";

/// The check that comes before everything else in a request.
#[derive(Debug)]
pub(in crate::server) struct Gate {
    hosts: Vec<Known>,
    /// Whether a listener is bound to every address of the machine. Any address is then accepted as `Host`, because an
    /// address cannot be a rebound name.
    any_address: bool,
    origins: Vec<HeaderValue>,
}

impl Gate {
    /// Creates a gate for a server that listens on these addresses.
    pub(in crate::server) fn new(access: &Access, listening: &[SocketAddr]) -> Self {
        let addresses = || listening.iter().map(|it| it.ip().to_canonical());
        let named = access.hosts.iter().map(|it| it.0.clone());
        Self {
            hosts: named.chain(addresses().map(Known::Address)).collect(),
            any_address: addresses().any(|it| it.is_unspecified()),
            origins: access.origins.iter().map(|it| it.0.clone()).collect(),
        }
    }

    /// Answers a request: with a refusal, with the answer to a preflight, or with the result of `answer`.
    pub(in crate::server) async fn around<B>(
        &self,
        request: Request<B>,
        answer: impl AsyncFnOnce(Request<B>) -> Response<Body>,
    ) -> Response<Body> {
        let origin = match self.admit(&request) {
            Ok(origin) => origin,
            Err(problem) => return problem.into_response(),
        };
        let preflight = origin.as_ref().and_then(|_| preflight(&request));
        let mut response = match preflight {
            Some(response) => response,
            None => answer(request).await,
        };
        self.release(origin, response.headers_mut());
        response
    }

    /// Accepts or refuses a request. Returns its origin if it comes from a page of an allowed origin, for
    /// [`Gate::release`].
    fn admit<B>(&self, request: &Request<B>) -> Result<Option<HeaderValue>, Problem> {
        let host = self.check_host(request)?;
        self.check_origin(request, host)
    }

    fn check_host<'a, B>(&self, request: &'a Request<B>) -> Result<Option<Authority<'a>>, Problem> {
        let mut fields = request.headers().get_all(header::HOST).iter();
        let field = fields.next().map(|it| it.to_str().unwrap_or_default());
        if fields.next().is_some() {
            return Err(ProblemKind::HostTwice.into());
        }
        // The target's authority overrides the header (RFC 9112, 3.2.2), and is the only one in HTTP/2. Both are
        // checked, because code behind the gate might use the other one.
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

    /// Returns whether this value of the header `Host` names this server.
    pub(in crate::server) fn knows(&self, host: &str) -> bool {
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

    /// Adds the headers that let a page of an allowed origin read the answer.
    fn release(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
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

/// Returns the answer if the request is a preflight, by which a browser asks whether a page may send a request.
fn preflight<B>(request: &Request<B>) -> Option<Response<Body>> {
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
        // Chromium asks this before a public page may reach loopback.
        if asked.contains_key("access-control-request-private-network") {
            let yes = HeaderValue::from_static("true");
            headers.insert("access-control-allow-private-network", yes);
        }
        response
    })
}

/// Returns whether, according to the browser (W3C Fetch Metadata), the request is embedded in a page of another site,
/// as an `<img>` is. Such a page cannot read the answer and sends no `Origin`, but could issue or stop a client.
/// Following a link is allowed.
fn is_embedded_elsewhere(headers: &HeaderMap) -> bool {
    let says = |name, value| headers.get(name).is_some_and(|it| it == value);
    (says("sec-fetch-site", "cross-site") || says("sec-fetch-site", "same-site"))
        && !says("sec-fetch-dest", "document")
}

/// Refuses a browser's prefetch of an address that would issue, open or end something.
pub(in crate::server) fn refuse_prefetch(headers: &HeaderMap) -> Result<(), Problem> {
    if is_prefetch(headers) {
        Err(ProblemKind::Prefetch.into())
    } else {
        Ok(())
    }
}

/// Returns whether this is a browser's prefetch, for a page that may never be shown (`Sec-Purpose`, and the headers of
/// older browsers).
fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz"].into_iter().any(|name| {
        let values = headers.get_all(name).iter();
        values
            .flat_map(|it| it.as_bytes().split(|byte| matches!(byte, b',' | b';')))
            .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"prefetch"))
    })
}

/// Returns whether an origin is this host and port.
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

/// Returns a client's text in the form in which an error quotes it.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}
