//! Arguments that several commands share.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};

use super::shell;
use super::values::default_address;
use crate::client::{Client, ClientOptions, ServerUrl};
use crate::file_error;
use crate::terminal::stderr;
use crate::token::Token;

/// Which server to use.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServerArgs {
    #[arg(
        long,
        value_name = "URL",
        env = "CODECHAT_SERVER",
        help = "The server's address, or only its port [default: http://127.0.0.1:2428]"
    )]
    server: Option<ServerUrl>,

    #[command(flatten)]
    token: TokenArgs,
}

impl ServerArgs {
    /// Returns the file with the token, as a command in another directory can read it.
    pub(crate) fn token_file(&self) -> Option<PathBuf> {
        self.token.file()
    }

    /// Returns whether the user named a server.
    #[must_use]
    pub(crate) fn is_named(&self) -> bool {
        self.server.is_some()
    }

    /// Returns the token that was given, if any.
    ///
    /// # Errors
    /// Those of [`TokenArgs::read`].
    pub(crate) fn token(&self) -> anyhow::Result<Option<Token>> {
        self.token.read()
    }

    /// Creates a client of that server, or of the default one.
    ///
    /// # Errors
    /// If the HTTP client cannot be created.
    pub(crate) fn client(&self, options: ClientOptions) -> anyhow::Result<Client> {
        let server = match &self.server {
            Some(server) => server.clone(),
            None => format!("http://{}", default_address()).parse()?,
        };
        Ok(Client::new(server, options)?)
    }
}

/// The token. It is never on the command line, which every user of the machine can read.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TokenArgs {
    #[arg(
        long,
        value_name = "PATH",
        env = "CODECHAT_TOKEN_FILE",
        help = "A file with the server's token [default: what CODECHAT_TOKEN holds]"
    )]
    token_file: Option<PathBuf>,
}

/// The variable that holds the token.
const VARIABLE: &str = "CODECHAT_TOKEN";

impl TokenArgs {
    /// Returns the file with the token, as a command in another directory can read it.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        let path = self.token_file.as_ref().filter(|it| it.is_file())?;
        std::path::absolute(path).ok()
    }

    /// Returns how to give a command in another terminal the same token: a prefix of the command, and a flag after it.
    /// Neither contains the token.
    pub(crate) fn for_a_command(&self) -> (String, String) {
        let variable = || (format!("{VARIABLE}=… "), String::new());
        match &self.token_file {
            // A pipe cannot be read again.
            Some(path) if path.is_file() => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let path = path.to_string_lossy();
                let flag = format!(" --token-file {}", shell::quoted(&path));
                (String::new(), flag)
            }
            Some(_) => variable(),
            None if token_in_environment().is_some() => variable(),
            None => (String::new(), String::new()),
        }
    }

    /// Returns the token that was given, if any. Warns if every user can read its file.
    ///
    /// # Errors
    /// If the file cannot be read, or its content is not a token.
    pub(crate) fn read(&self) -> anyhow::Result<Option<Token>> {
        let (token, place) = if let Some(path) = &self.token_file {
            (secret_in(path, "token")?, path.display().to_string())
        } else if let Some(value) = token_in_environment() {
            (Token::from_bytes(value.as_bytes()), VARIABLE.to_owned())
        } else {
            return Ok(None);
        };
        if token.is_empty() {
            bail!("the token in {place} is empty; write one there, as in: openssl rand -hex 32");
        }
        if !token.is_sendable() {
            bail!("the token in {place} must be one word of visible ASCII characters");
        }
        Ok(Some(token))
    }
}

/// Reads a secret from a file. Warns if every user can read that.
///
/// # Errors
/// If it cannot be read, or is too long to be a secret.
pub(crate) fn secret_in(path: &Path, what: &str) -> anyhow::Result<Token> {
    let secret = Token::from_file(path).map_err(|error| {
        let reason = file_error::reason(&error);
        anyhow!("cannot read the {what} file {}: {reason}", path.display())
    })?;
    warn_where_exposed(what, path);
    Ok(secret)
}

fn token_in_environment() -> Option<OsString> {
    std::env::var_os(VARIABLE).filter(|it| !it.is_empty())
}

/// Warns if other users can read or write a file with a secret.
pub(crate) fn warn_where_exposed(what: &str, path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS_READ_OR_WRITE: u32 = 0o006;
    let exposed = fs::metadata(path)
        .is_ok_and(|it| it.is_file() && it.permissions().mode() & OTHERS_READ_OR_WRITE != 0);
    if exposed {
        let path = path.to_string_lossy();
        let quoted = shell::quoted(&path);
        stderr::line(&format!(
            "warning: every user of this machine can read or change the {what} in {path}; to fix it: chmod 600 {quoted}"
        ));
    }
}
