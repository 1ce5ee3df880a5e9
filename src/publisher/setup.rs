//! The server that an application publishes to, from its own settings or from the environment.

use std::env;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::client::{BadServerUrl, Client, ClientError, ClientOptions, ServerUrl};
use crate::file_error;
use crate::token::Token;
use crate::wire::DEFAULT_LISTEN;

/// Options of publishing over HTTP.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HttpOptions {
    /// The server's token, if it needs one.
    pub token: Option<Token>,
}

impl HttpOptions {
    /// Returns the defaults: no token.
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

/// Why a publisher cannot be made. No request is made to find out. Each text names the cause, which is therefore not its
/// [`source`](std::error::Error::source): it would be printed twice.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// `CODECHAT_SERVER` is not a server's address.
    #[error("CODECHAT_SERVER: {0}")]
    Server(BadServerUrl),
    /// The file in `CODECHAT_TOKEN_FILE` cannot be read, or is empty, or too long to hold a token.
    #[error("cannot read the token file {}: {}", path.display(), file_error::reason(error))]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// The token is not a single word of ASCII, or the HTTP library does not start.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Returns a client of this server.
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

/// Returns a client of the server that the environment names; `None` if it says to publish nothing.
pub(super) fn client_from_env() -> Result<Option<Client>, SetupError> {
    let text = |name| env::var(name).ok().filter(|it| !it.trim().is_empty());
    if text("CODECHAT_PUBLISH").is_some_and(|it| it.trim().eq_ignore_ascii_case("off")) {
        return Ok(None);
    }
    let server = text("CODECHAT_SERVER").unwrap_or_else(|| format!("http://{DEFAULT_LISTEN}"));
    let token = if let Some(path) = env::var_os("CODECHAT_TOKEN_FILE").filter(|it| !it.is_empty()) {
        Some(token_in(Path::new(&path))?)
    } else {
        let token = env::var_os("CODECHAT_TOKEN").map(|it| Token::from_bytes(it.as_bytes()));
        token.filter(|it| !it.is_empty())
    };
    let server = server.parse().map_err(SetupError::Server)?;
    client(server, HttpOptions { token }).map(Some)
}

fn token_in(path: &Path) -> Result<Token, SetupError> {
    let unusable = |error| SetupError::TokenFile {
        path: path.into(),
        error,
    };
    let token = Token::from_file(path).map_err(unusable)?;
    if token.is_empty() {
        let error = io::Error::new(io::ErrorKind::InvalidData, "it is empty");
        return Err(unusable(error));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn an_error_names_its_cause_once() {
        let server = SetupError::Server("ftp://host".parse::<ServerUrl>().unwrap_err());
        let file = token_in(Path::new("/nowhere/token")).unwrap_err();
        for (error, text) in [
            (
                server,
                "CODECHAT_SERVER: a server is reached by http:// or https://, not by ftp://",
            ),
            (
                file,
                "cannot read the token file /nowhere/token: no such file",
            ),
        ] {
            assert_eq!(error.to_string(), text);
            assert!(error.source().is_none(), "{error}");
        }
    }

    #[test]
    fn a_file_that_holds_no_token_is_an_error() {
        for (file, reason) in [
            ("/dev/null", "it is empty"),
            (
                "/dev/zero",
                "it is over the limit of 4096 bytes; is that the right file?",
            ),
        ] {
            let error = token_in(Path::new(file)).unwrap_err();
            let text = format!("cannot read the token file {file}: {reason}");
            assert_eq!(error.to_string(), text);
        }
    }
}
