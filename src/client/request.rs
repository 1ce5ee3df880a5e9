//! One request and its answer, across redirects.
//!
//! Redirects are followed here and not by the HTTP library, which turns a redirected POST into a GET (that would open
//! the stream) and sends `Sse-Client-ID`, which is a capability, to other origins.

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};

use super::error::Redirect;
use super::local;
use super::lost::{Cause, Lost};
use crate::wire;

/// Upper bound of the redirects, similar to that of browsers and curl.
const REDIRECTS_MAX: usize = 10;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct ClientRequest {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// The headers for other origins; by default all but the secret ones.
    pub(crate) elsewhere: Option<HeaderMap>,
    pub(crate) body: Option<Bytes>,
    /// Whether [`local`] may send it if it is a GET without a body, because no proxy is in use.
    pub(crate) may_be_local: bool,
}

impl ClientRequest {
    pub(crate) fn new(method: Method, url: Url, headers: HeaderMap) -> Self {
        Self {
            method,
            url,
            headers,
            elsewhere: None,
            body: None,
            may_be_local: false,
        }
    }

    /// Sends the request, following redirects, and waits for the head of the answer. If there were any, the answer has
    /// a [`Redirect`] among its extensions.
    pub(crate) async fn send(mut self, http: &reqwest::Client) -> Result<Response, Lost> {
        let (first, mut leaves_origin) = (self.url.clone(), false);
        let redirect = |to: &Url, leaves_origin| {
            let redirect = || Redirect {
                from: first.clone(),
                to: to.clone(),
                leaves_origin,
            };
            (*to != first || leaves_origin).then(redirect)
        };
        for _ in 0..=REDIRECTS_MAX {
            let mut response = self.once(http).await.map_err(|mut lost| {
                lost.redirect = redirect(&self.url, leaves_origin).map(Box::new);
                lost
            })?;
            let Some(url) = self.redirect_target(&response) else {
                if let Some(redirect) = redirect(&self.url, leaves_origin) {
                    response.extensions_mut().insert(redirect);
                }
                return Ok(response);
            };
            if url.origin() != self.url.origin() {
                self.leave_origin();
                leaves_origin = true;
            }
            self.url = url;
        }
        Err(Lost::new(Cause::Redirects(REDIRECTS_MAX)))
    }

    /// Returns whether some headers or a body are for the first origin only.
    pub(crate) fn has_own_headers(&self) -> bool {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.is_some_and(|it| *it != self.headers) || self.body.is_some()
    }

    /// Removes what is for the first origin only.
    fn leave_origin(&mut self) {
        if let Some(headers) = &self.elsewhere {
            self.headers.clone_from(headers);
        }
        self.headers.remove(AUTHORIZATION);
        self.headers.remove(wire::CLIENT_ID_HEADER);
        self.body = None;
    }

    async fn once(&self, http: &reqwest::Client) -> Result<Response, Lost> {
        let is_bare = self.method == Method::GET && self.body.is_none();
        if self.may_be_local && is_bare && local::supports(&self.url) {
            return local::get(&self.url, &self.headers).await;
        }
        let mut request = http
            .request(self.method.clone(), self.url.clone())
            .headers(self.headers.clone());
        if let Some(body) = self.body.clone() {
            // Some servers require a length even for an empty body.
            if body.is_empty() {
                request = request.header(CONTENT_LENGTH, 0);
            }
            request = request.body(body);
        }
        Ok(request.send().await?)
    }

    /// Returns the address to which the answer redirects this request. A request with a body is only redirected within
    /// its origin, and only by a status that keeps the method (RFC 9110, 15.4).
    fn redirect_target(&self, response: &Response) -> Option<Url> {
        let keeps_method = matches!(
            response.status(),
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        let is_get = self.method == Method::GET;
        let moves = matches!(response.status().as_u16(), 301..=303);
        if !(keeps_method || is_get && moves) {
            return None;
        }
        let location = response.headers().get(LOCATION)?;
        let url = self
            .url
            .join(std::str::from_utf8(location.as_bytes()).ok()?)
            .ok()?;
        let reachable = matches!(url.scheme(), "http" | "https");
        let allowed = is_get || url.origin() == self.url.origin();
        (reachable && allowed).then_some(url)
    }
}
