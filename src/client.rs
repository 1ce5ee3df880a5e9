//! The HTTP client: [`Client`] for requests that have one answer, [`subscribe`] for reading a stream,
//! [`publish`] for sending messages until they are acknowledged.
//!
//! Everything goes through one HTTP stack; the formats are those of `wire`. Nothing here depends on a terminal, a
//! command line or the server's code.

mod coding;
pub mod control_feed;
mod error;
pub mod give_up;
mod local;
mod lost;
mod options;
pub mod publish;
mod request;
mod response;
pub(crate) mod retry;
mod sniff;
mod sse_repair;
mod stream_url;
pub mod subscribe;
mod tls;
mod transport;
mod url;
mod url_stream;

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT as USER_AGENT_HEADER,
};

use crate::control::ControlRequest;
use crate::event::ClientId;
use crate::message::{Message, Operation};
use crate::wire::{self, Route, answer};

pub use crate::token::Token;
pub use error::{ClientError, Place};
pub use options::ClientOptions;
pub use stream_url::{BadStreamUrl, StreamUrl};
pub use url::{BadServerUrl, ServerUrl};
pub use url_stream::{StreamRequest, TlsOptions, UrlStream};

use lost::{Cause, Lost};
use request::ClientRequest;
use response::{Expected, Refusal};
use tls::Trust;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without a byte after which the operating system checks whether the peer is alive.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long to wait for an answer that the server has no reason to hold back.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Interval of a codechat server's heartbeats on a quiet stream, unless it is configured otherwise.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

const USER_AGENT: &str = concat!("codechat/", env!("CARGO_PKG_VERSION"));

/// A client of one server. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    server: ServerUrl,
    http: reqwest::Client,
    authorization: Option<HeaderValue>,
    heartbeat: Option<Duration>,
}

impl Client {
    /// Returns a client of `server`, without connecting yet.
    ///
    /// # Errors
    /// [`ClientError::BadToken`], and [`ClientError::Setup`] if the HTTP library does not start.
    pub fn new(server: ServerUrl, options: ClientOptions) -> Result<Self, ClientError> {
        let authorization = options.token.map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal()))?;
            value.set_sensitive(true);
            Ok::<_, reqwest::header::InvalidHeaderValue>(value)
        });
        Ok(Self {
            http: http(HttpOptions {
                is_loopback: server.is_loopback(),
                is_plain: server.is_plain(),
                may_repeat: true,
                trust: Trust::System,
            })?,
            authorization: authorization
                .transpose()
                .map_err(|_| ClientError::BadToken)?,
            heartbeat: options.heartbeat,
            server,
        })
    }

    /// Returns the address of the server.
    #[must_use]
    pub fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Returns whether there is a token.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.authorization.is_some()
    }

    /// Requests a new client ID, and opens its channel.
    ///
    /// # Errors
    /// [`ClientError`] if no server answers or it refuses.
    pub async fn connect(&self) -> Result<(ClientId, answer::Connected), ClientError> {
        let mut request = self.request(Method::GET, Route::Connect.path(), None);
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static(wire::JSON));
        let (connected, place): (answer::Connected, _) = self.json_from(request).await?;
        let id = connected.client_id.parse();
        let id = id.map_err(|why: crate::event::NotAClientId| ClientError::NotCodechat {
            place,
            why: format!("{:?} is no client ID; {why}", connected.client_id),
        })?;
        Ok((id, connected))
    }

    /// Ends a channel and every stream on it; does nothing if there is none.
    ///
    /// # Errors
    /// [`ClientError`] if no server answers or it refuses.
    pub async fn stop(&self, id: ClientId) -> Result<(), ClientError> {
        let stop = async |method| {
            let request = self.request(method, &Route::Stop.path_for(id), Some(id));
            self.within(self.accepted(request)).await.map(drop)
        };
        match stop(Method::POST).await {
            // The original protocol stops with a GET.
            Err(error) if matches!(error.status(), Some(404 | 405 | 501)) => {
                stop(Method::GET).await
            }
            stopped => stopped,
        }
    }

    /// Publishes one message to one client. If the connection is lost, sends it once more; the server recognizes it by
    /// its idempotency `key`, and does not publish it twice.
    ///
    /// # Errors
    /// [`ClientError`] if no server answers, the connection is lost twice, or the server refuses.
    pub async fn publish(
        &self,
        id: ClientId,
        message: &Message,
        key: &str,
    ) -> Result<answer::Published, ClientError> {
        let mut request = self.request(Method::POST, &Route::Client.path_for(id), Some(id));
        request.set_body(wire::JSON, wire::json::publication(message).into());
        request.set_idempotency_key(key)?;
        match self.json(request.clone()).await {
            Err(ClientError::Lost { .. }) => self.json(request).await,
            answer => answer,
        }
    }

    /// Publishes one message to every client of the server.
    ///
    /// # Errors
    /// [`ClientError`] if no server answers or it refuses.
    pub async fn broadcast(&self, message: &Message) -> Result<answer::Broadcast, ClientError> {
        let mut request = self.request(Method::POST, Route::Broadcast.path(), None);
        request.set_body(wire::JSON, wire::json::publication(message).into());
        self.json(request).await
    }

    /// Returns whether the server answers without a server error.
    pub(crate) async fn is_healthy(&self) -> bool {
        let request = self.request(Method::GET, Route::Health.path(), None);
        let answer = request.send(&self.http).await;
        answer.is_ok_and(|it| !it.status().is_server_error())
    }

    /// Sends a control request to one client's publishers.
    ///
    /// # Errors
    /// [`ClientError`], if no server answers or it refuses.
    pub async fn request_control(
        &self,
        id: ClientId,
        control: &ControlRequest,
    ) -> Result<(), ClientError> {
        let mut request = self.request(Method::POST, &Route::Control.path_for(id), Some(id));
        request.set_body(wire::JSON, wire::control::request_object(control).into());
        match self.within(self.accepted(request)).await {
            Err(ClientError::Refused {
                status: 404 | 405 | 501,
                is_problem: false,
                ..
            }) => Err(ClientError::NoControl),
            answer => answer.map(drop),
        }
    }

    /// Reads the control requests to one client's publishers, until the feed is dropped. A feed with an operation stands
    /// for that operation's publisher: if it ends before the outcome, the server tells the watchers.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn listen(&self, id: ClientId, operation: Option<&Operation>) -> control_feed::ControlFeed {
        control_feed::ControlFeed::open(self.clone(), id, operation)
    }

    /// Reads a stream, from now until the feed is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn subscribe(&self, id: ClientId, options: subscribe::SubscribeOptions) -> subscribe::Feed {
        subscribe::Feed::open(self.clone(), id, options)
    }

    /// Returns the URL to which messages to one client are published.
    #[must_use]
    pub fn publish_url(&self, id: ClientId) -> String {
        self.server.join(&Route::Client.path_for(id)).into()
    }

    fn request(&self, method: Method, path: &str, id: Option<ClientId>) -> ClientRequest {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT_HEADER, HeaderValue::from_static(USER_AGENT));
        // A proxy that compresses would hold back parts of the stream.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(authorization) = self.authorization.clone() {
            headers.insert(AUTHORIZATION, authorization);
        }
        if let Some(id) = id {
            let id = HeaderValue::try_from(id.to_string()).expect("a UUID is visible ASCII");
            headers.insert(HeaderName::from_static(wire::CLIENT_ID_HEADER), id);
        }
        ClientRequest::new(method, self.server.join(path), headers)
    }

    async fn json<T: serde::de::DeserializeOwned>(
        &self,
        request: ClientRequest,
    ) -> Result<T, ClientError> {
        self.json_from(request).await.map(|(answer, _)| answer)
    }

    /// Returns an answer's JSON, and the address that sent it.
    async fn json_from<T: serde::de::DeserializeOwned>(
        &self,
        request: ClientRequest,
    ) -> Result<(T, Place), ClientError> {
        self.within(async {
            let response = self.accepted(request).await?;
            let place = Place::of(&response, &self.server);
            Ok((response::read_json(response, &self.server).await?, place))
        })
        .await
    }

    /// Sends a request; an answer with an error status is an error.
    async fn accepted(&self, request: ClientRequest) -> Result<reqwest::Response, ClientError> {
        let sent = request.send(&self.http).await;
        let response = sent.map_err(|lost| lost.at(&self.server))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(Refusal::of(response, Expected::Server).await.into())
        }
    }

    async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, answer).await;
        answered.unwrap_or_else(|_| {
            let lost = Lost::new(Cause::Silent(ANSWER_TIMEOUT));
            Err(lost.at(&self.server))
        })
    }
}

impl ClientRequest {
    fn set_body(&mut self, kind: &'static str, body: Bytes) {
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        self.body = Some(body);
    }

    fn set_idempotency_key(&mut self, key: &str) -> Result<(), ClientError> {
        let value = HeaderValue::try_from(key)
            .map_err(|_| ClientError::Setup("an idempotency key must be visible ASCII".into()))?;
        let name = HeaderName::from_static(wire::IDEMPOTENCY_KEY_HEADER);
        self.headers.insert(name, value);
        Ok(())
    }
}

impl UrlStream {
    /// Reads the stream, from now until the feed is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn subscribe(&self, options: subscribe::StreamOptions) -> subscribe::Feed {
        subscribe::Feed::of_url(self.clone(), options)
    }
}

/// What the setup of the HTTP library depends on.
#[derive(Clone, Copy)]
struct HttpOptions<'a> {
    /// Whether the server is on this machine.
    is_loopback: bool,
    /// Whether the connection is without TLS.
    is_plain: bool,
    /// Whether the library may repeat a request that the server reports as not processed.
    may_repeat: bool,
    trust: Trust<'a>,
}

/// Sets up the HTTP library.
fn http(options: HttpOptions) -> Result<reqwest::Client, ClientError> {
    let HttpOptions {
        is_loopback,
        is_plain,
        may_repeat,
        trust,
    } = options;
    let builder = || {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE)
            .tcp_keepalive_retries(KEEPALIVE_RETRIES)
            .referer(false);
        if may_repeat {
            builder
        } else {
            let never = reqwest::retry::never();
            builder.retry(never).pool_max_idle_per_host(0)
        }
    };
    // A proxy would connect to its own loopback address.
    let direct = |builder: reqwest::ClientBuilder| {
        if is_loopback {
            builder.no_proxy()
        } else {
            builder
        }
    };
    let trust_none = || tls::config(Trust::Only(&[]));
    // A codechat server on this machine redirects to no other server, so the system's certificates need not be read.
    let config = if is_loopback && is_plain && may_repeat {
        trust_none()
    } else {
        match tls::config(trust) {
            // A machine without root certificates can still use plain HTTP.
            Err(_) if is_plain => trust_none(),
            config => config,
        }
    };
    let config = config.map_err(|error| ClientError::Setup(error::root_cause(&error)))?;
    let built = direct(builder()).tls_backend_preconfigured(config).build();
    built.map_err(|error| ClientError::Setup(error::root_cause(&error)))
}
