//! The options of a server.

use std::time::Duration;

use super::{Access, Tls};

/// Timeouts and limits of the server, and who may use it.
///
/// ```
/// use std::time::Duration;
///
/// use codechat::{Access, ServerOptions, Token};
///
/// let access = Access::token(Token::new("secret")).host("chat.example.org".parse()?);
/// let options = ServerOptions::new(access)
///     .heartbeat(Duration::from_secs(30))
///     .max_message(16 * 1024);
/// assert_eq!(options.max_message, 16_384);
/// # Ok::<_, codechat::NotAHost>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Interval of comments on a stream without content.
    pub heartbeat: Duration,
    /// How long a subscriber may take none of the bytes that wait for it, before its connection is closed.
    pub stall_timeout: Duration,
    /// Time limit for a request's head.
    pub header_timeout: Duration,
    /// Time limit for the body of a request that is not a stream.
    pub body_timeout: Duration,
    /// Time limit at shutdown for clients to read the end of their streams.
    pub grace: Duration,
    /// Upper bound of a message's text, in bytes of UTF-8.
    pub max_message: usize,
    /// Whether hyper answers every request, for comparisons.
    #[doc(hidden)]
    pub plain_requests: bool,
    /// Whether hyper also writes every stream. Implies `plain_requests`.
    #[doc(hidden)]
    pub plain_streams: bool,
    /// Who may use it.
    pub access: Access,
    /// The certificate for HTTPS; `None` for HTTP.
    pub tls: Option<Tls>,
    /// Whether the server was started by `codechat watch`, and ends with it.
    #[doc(hidden)]
    pub is_watchers: bool,
}

impl ServerOptions {
    /// Creates the default options of a server for HTTP, with these access rules.
    #[must_use]
    pub fn new(access: Access) -> Self {
        Self {
            heartbeat: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(5),
            max_message: 64 * 1024,
            plain_requests: false,
            plain_streams: false,
            access,
            tls: None,
            is_watchers: false,
        }
    }

    /// Sets the interval of comments on a stream without content. Default 15 s.
    #[must_use]
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = interval;
        self
    }

    /// Sets how long a subscriber may take none of the bytes that wait for it. Default 5 s.
    #[must_use]
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }

    /// Sets the time limit for a request's head. Default 10 s.
    #[must_use]
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// Sets the time limit for the body of a request that is not a stream. Default 30 s.
    #[must_use]
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Sets the time limit at shutdown for clients to read the end of their streams. Default 5 s.
    #[must_use]
    pub fn grace(mut self, limit: Duration) -> Self {
        self.grace = limit;
        self
    }

    /// Sets the upper bound of a message's text, in bytes of UTF-8. Default 64 KiB.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// Sets the certificate for HTTPS. Default HTTP.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }
}
