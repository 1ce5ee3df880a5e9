//! The options of a client.

use std::time::Duration;

use crate::token::Token;

/// The options of a client.
///
/// ```no_run
/// use codechat::{Client, ClientOptions, Token};
///
/// let options = ClientOptions::new().token(Token::new("secret"));
/// let client = Client::new("https://chat.example.org".parse()?, options)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Interval of the server's heartbeats on a quiet stream; after 2.5 times that in silence the connection counts as dead.
    /// Default 15 s on a codechat server's streams; on others, the interval of comments or `ping` events, if they are
    /// regular.
    pub heartbeat: Option<Duration>,
    /// The token that the server requires to issue IDs and accept messages.
    pub token: Option<Token>,
}

impl ClientOptions {
    /// Creates the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the interval of the server's heartbeats on a quiet stream. Default 15 s on a codechat server's streams.
    #[must_use]
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = Some(interval);
        self
    }

    /// Sets the token that the server requires. Default none.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }
}
