//! Flags for access to a server, and which combinations are allowed.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::bail;

use crate::cli::args::{TokenArgs, warn_where_exposed};
use crate::server::{Access, AllowedHost, AllowedOrigin, NotAHost, NotAnOrigin, Tls};
use crate::token::Token;

/// Who may use a server.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Access")]
pub(super) struct AccessArgs {
    #[command(flatten)]
    token: TokenArgs,

    /// Require no token, even beyond loopback
    #[arg(long, env = "CODECHAT_NO_AUTH")]
    no_auth: bool,

    /// A name by which clients reach the server; repeatable
    ///
    /// Localhost and the addresses that it listens on are always allowed.
    #[arg(
        long, value_name = "HOST", env = "CODECHAT_ALLOWED_HOST", value_delimiter = ',',
        value_parser = |text: &str| text.parse::<AllowedHost>() as Result<_, NotAHost>
    )]
    allowed_host: Vec<AllowedHost>,

    #[arg(
        help = "An origin whose web pages may use the server; repeatable",
        long_help = "An origin whose web pages may use the server, as in http://localhost:3000; repeatable",
        long, value_name = "ORIGIN", env = "CODECHAT_CORS_ORIGIN", value_delimiter = ',',
        value_parser = |text: &str| text.parse::<AllowedOrigin>() as Result<_, NotAnOrigin>
    )]
    cors_origin: Vec<AllowedOrigin>,

    /// Serve HTTPS with the certificate in this PEM file, with its chain
    #[arg(
        long,
        value_name = "PATH",
        env = "CODECHAT_TLS_CERT",
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,

    /// The key of that certificate, in PEM
    #[arg(
        long,
        value_name = "PATH",
        env = "CODECHAT_TLS_KEY",
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,
}

impl AccessArgs {
    /// Returns the token that clients must send, if any.
    ///
    /// # Errors
    /// If it cannot be read, or if the server could be reached from other machines without a token and `--no-auth` is
    /// not given.
    pub(super) fn token(&self, listen: &[SocketAddr]) -> anyhow::Result<Option<Token>> {
        let token = self.token.read()?;
        if token.is_some() && self.no_auth {
            bail!("--no-auth requires no token, but one is given; leave out one of the two");
        }
        match beyond_loopback(listen) {
            Some(address) if token.is_none() && !self.no_auth => bail!(
                "refusing to listen on {address} without a token: anyone who reaches it could get client IDs and broadcast; give one with --token-file or CODECHAT_TOKEN, or say --no-auth, or listen on 127.0.0.1 and reach it through ssh -L"
            ),
            _ => Ok(token),
        }
    }

    /// Returns how to give a command in another terminal the same token.
    pub(super) fn token_for_a_command(&self) -> (String, String) {
        self.token.for_a_command()
    }

    /// Returns the certificate and the key, if any.
    ///
    /// # Errors
    /// If they cannot be read, or do not match.
    pub(super) fn tls(&self) -> anyhow::Result<Option<Tls>> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                let tls = Tls::load(cert, key)?;
                warn_where_exposed("TLS key", key);
                Ok(Some(tls))
            }
            _ => Ok(None),
        }
    }

    /// Returns the access rules.
    #[must_use]
    pub(super) fn access(&self, token: Option<Token>) -> Access {
        Access {
            token,
            hosts: self.allowed_host.clone(),
            origins: self.cors_origin.clone(),
        }
    }
}

/// Returns the first address that other machines can reach.
pub(super) fn beyond_loopback(listen: &[SocketAddr]) -> Option<&SocketAddr> {
    listen
        .iter()
        .find(|it| !it.ip().to_canonical().is_loopback())
}
