//! Which server an application publishes to, from its own settings or from the environment.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::client::{BadServerUrl, Client, ClientError, ClientOptions, ServerUrl};
use crate::file_error;
use crate::token::Token;
use crate::wire::DEFAULT_LISTEN;

/// The longest file that may hold a token, in bytes.
const TOKEN_FILE_MAX: u64 = 4096;

/// How an application publishes over HTTP.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HttpOptions {
    /// What the server asks for before it takes messages.
    pub token: Option<Token>,
}

impl HttpOptions {
    /// The defaults: no token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the server's token.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }
}

/// Why a publisher cannot be made. Nothing is asked of the server for that.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// `CODECHAT_SERVER` is no server's address.
    #[error("CODECHAT_SERVER: {0}")]
    Server(#[source] BadServerUrl),
    /// `CODECHAT_TOKEN_FILE` cannot be read.
    #[error("cannot read the token file {}: {}", path.display(), file_error::reason(error))]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: io::Error,
    },
    /// The token is no single word of ASCII, or the HTTP library does not start.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A client of this server.
pub(super) fn client(server: ServerUrl, options: HttpOptions) -> Result<Client, SetupError> {
    if options.token.as_ref().is_some_and(|it| !it.is_sendable()) {
        return Err(ClientError::BadToken.into());
    }
    let options = ClientOptions {
        token: options.token,
        ..ClientOptions::default()
    };
    Ok(Client::new(server, options)?)
}

/// A client of the server that the environment names; `None` if it says that nothing is published.
pub(super) fn client_from_env() -> Result<Option<Client>, SetupError> {
    let text = |name| env::var(name).ok().filter(|it| !it.trim().is_empty());
    if text("CODECHAT_PUBLISH").is_some_and(|it| it.trim().eq_ignore_ascii_case("off")) {
        return Ok(None);
    }
    let server = text("CODECHAT_SERVER").unwrap_or_else(|| format!("http://{DEFAULT_LISTEN}"));
    let token = match env::var_os("CODECHAT_TOKEN_FILE").filter(|it| !it.is_empty()) {
        Some(path) => Some(token_in(Path::new(&path))?),
        None => text("CODECHAT_TOKEN").map(Token::new),
    };
    let server = server.parse().map_err(SetupError::Server)?;
    client(server, HttpOptions { token }).map(Some)
}

fn token_in(path: &Path) -> Result<Token, SetupError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|it| it.take(TOKEN_FILE_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(Token::new(text)),
        Err(error) => Err(SetupError::TokenFile {
            path: path.into(),
            error,
        }),
    }
}
