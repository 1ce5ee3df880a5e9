//! An event stream of any server: [`StreamRequest`] is its request, [`UrlStream`] reads it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, USER_AGENT,
};
use rustls::pki_types::CertificateDer;

use super::request::ClientRequest;
use super::tls::Trust;
use super::{ClientError, HttpOptions, StreamUrl, http};
use crate::wire;

/// A request for a stream.
#[derive(Clone)]
pub struct StreamRequest {
    url: StreamUrl,
    method: Method,
    /// The headers that every server gets.
    common: HeaderMap,
    /// The user's headers, which only the URL's own origin gets.
    own: HeaderMap,
    /// The common headers that the user's replace or remove.
    left_out: Vec<HeaderName>,
    body: Option<Bytes>,
}

impl StreamRequest {
    /// Returns a request for the stream at `url`, with the user name and password from the URL, if any.
    #[must_use]
    pub fn new(method: Method, url: StreamUrl) -> Self {
        let common = [
            (ACCEPT, wire::EVENT_STREAM),
            // A server or proxy that compresses would hold back parts of the stream.
            (ACCEPT_ENCODING, "identity"),
            (CACHE_CONTROL, "no-store"),
            (USER_AGENT, super::USER_AGENT),
        ];
        let common = common.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let mut request = Self {
            method,
            common: common.into_iter().collect(),
            own: HeaderMap::new(),
            left_out: Vec::new(),
            body: None,
            url,
        };
        if let Some((user, password)) = request.url.user_info() {
            request.set_basic(&user, &password);
        }
        request
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Sets the body and its media type.
    pub fn set_body(&mut self, body: Bytes, kind: &'static str) {
        self.own
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        self.body = Some(body);
    }

    /// Sets the user name and the password (RFC 7617).
    ///
    /// # Panics
    /// Never: base64 is visible ASCII.
    pub fn set_basic(&mut self, user: &[u8], password: &[u8]) {
        let credentials = STANDARD.encode([user, b":", password].concat());
        let mut value =
            HeaderValue::try_from(format!("Basic {credentials}")).expect("base64 is visible ASCII");
        value.set_sensitive(true);
        self.own.insert(AUTHORIZATION, value);
    }

    /// Sets the user's headers, which replace earlier ones of the same names. A name without a value removes the header.
    pub fn set_headers(&mut self, headers: Vec<(HeaderName, Option<HeaderValue>)>) {
        for (name, _) in &headers {
            self.own.remove(name);
            self.left_out.push(name.clone());
        }
        for (name, value) in headers {
            if let Some(mut value) = value {
                value.set_sensitive(true);
                self.own.append(name, value);
            }
        }
    }

    fn into_request(self) -> ClientRequest {
        let mut headers = self.common.clone();
        for name in self.left_out.iter().chain(self.own.keys()) {
            headers.remove(name);
        }
        headers.extend(self.own);
        let mut request = ClientRequest::new(self.method, self.url.bare(), headers);
        request.elsewhere = Some(self.common);
        request.body = self.body;
        request.may_be_local = self.url.is_loopback();
        request
    }
}

/// How a stream's server is authenticated.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// The trusted root certificates; by default those of the system.
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// Whether any certificate is accepted.
    pub is_unverified: bool,
}

impl TlsOptions {
    pub(super) fn trust(&self) -> Trust<'_> {
        match &self.roots {
            _ if self.is_unverified => Trust::Anyone,
            Some(roots) => Trust::Only(roots),
            None => Trust::System,
        }
    }
}

/// A stream to read. Cheap to clone.
#[derive(Clone)]
pub struct UrlStream {
    pub(super) url: StreamUrl,
    pub(super) http: reqwest::Client,
    pub(super) request: ClientRequest,
    pub(super) heartbeat: Option<Duration>,
}

impl UrlStream {
    /// Prepares to read a stream, without connecting yet. `heartbeat` is the interval at which the server sends something
    /// on a quiet stream; by default it is detected.
    ///
    /// # Errors
    /// [`ClientError::Setup`] if the HTTP library does not start.
    pub fn new(
        request: StreamRequest,
        tls: &TlsOptions,
        heartbeat: Option<Duration>,
    ) -> Result<Self, ClientError> {
        let url = request.url.clone();
        let http = http(HttpOptions {
            is_loopback: url.is_loopback(),
            is_plain: url.is_plain(),
            may_repeat: false,
            trust: tls.trust(),
        })?;
        Ok(Self {
            http,
            request: request.into_request(),
            heartbeat,
            url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_header_replaces_ours_and_is_not_sent_to_other_origins() {
        let url = "https://user:pass@h/a?b#c".parse().unwrap();
        let mut request = StreamRequest::new(Method::GET, url);
        request.set_headers(vec![
            (ACCEPT, Some(HeaderValue::from_static("*/*"))),
            (USER_AGENT, None),
            (
                HeaderName::from_static("x"),
                Some(HeaderValue::from_static("1")),
            ),
            (
                HeaderName::from_static("x"),
                Some(HeaderValue::from_static("2")),
            ),
        ]);
        let request = request.into_request();
        assert_eq!(request.url.as_str(), "https://h/a?b");
        assert_eq!(request.headers[ACCEPT], "*/*");
        assert_eq!(request.headers[AUTHORIZATION], "Basic dXNlcjpwYXNz");
        assert!(!request.headers.contains_key(USER_AGENT));
        assert_eq!(request.headers.get_all("x").iter().count(), 2);
        let elsewhere = request.elsewhere.unwrap();
        assert_eq!(elsewhere[ACCEPT], "text/event-stream");
        assert!(elsewhere.contains_key(USER_AGENT));
        assert!(!elsewhere.contains_key("x") && !elsewhere.contains_key(AUTHORIZATION));
    }
}
