//! Flags for the store that several servers share.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::cli::args::secret_in;
use crate::cli::values::interval;
use crate::store::{StoreAddress, StoreOptions, StoreTls};
use crate::token::Token;

/// The environment variable that holds the password.
const PASSWORD: &str = "CODECHAT_STORE_PASSWORD";

/// Which store to use, and how.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Several servers")]
pub(super) struct StoreArgs {
    #[arg(
        long,
        value_name = "URL",
        env = "CODECHAT_STORE",
        help = "Share clients with all servers on this Redis: redis://HOST",
        long_help = "Share clients with all servers that use the same Redis (7.0 or newer) or Valkey (7.2 or newer), as in \
                     redis://127.0.0.1:6379; rediss:// is over TLS"
    )]
    store: Option<String>,

    #[arg(
        long,
        value_name = "PATH",
        env = "CODECHAT_STORE_PASSWORD_FILE",
        requires = "store",
        help = "The store's password file [default: CODECHAT_STORE_PASSWORD]"
    )]
    store_password_file: Option<PathBuf>,

    #[arg(
        long,
        value_name = "PATH",
        env = "CODECHAT_STORE_CA",
        requires = "store",
        hide_short_help = true,
        help = "For rediss://: the authorities that may sign the store's certificate, in PEM [default: those of the system]"
    )]
    store_ca: Option<PathBuf>,

    #[arg(
        long,
        value_name = "PATH",
        env = "CODECHAT_STORE_CERT",
        requires = "store_key",
        hide_short_help = true,
        help = "For rediss://: this server's certificate, if the store requires one, in PEM"
    )]
    store_cert: Option<PathBuf>,

    /// The key of --store-cert, in PEM
    #[arg(
        long,
        value_name = "PATH",
        env = "CODECHAT_STORE_KEY",
        requires = "store",
        requires = "store_cert",
        hide_short_help = true
    )]
    store_key: Option<PathBuf>,

    /// Prefix of all keys in the store, one for each installation that uses it
    #[arg(
        long,
        value_name = "TEXT",
        env = "CODECHAT_STORE_PREFIX",
        default_value = "codechat",
        hide_short_help = true,
        value_parser = parse_prefix
    )]
    store_prefix: String,

    /// Time limit for the store's answers
    #[arg(
        long, value_name = "DUR", env = "CODECHAT_STORE_TIMEOUT", default_value = "2s", value_parser = interval,
        hide_short_help = true
    )]
    store_timeout: Duration,

    /// How long requests wait for a store that does not answer, also at the start, before they are refused
    #[arg(
        long, value_name = "DUR", env = "CODECHAT_STORE_PATIENCE", default_value = "30s", value_parser = interval,
        hide_short_help = true
    )]
    store_patience: Duration,
}

impl StoreArgs {
    /// Returns the options of the store, if there is one.
    ///
    /// # Errors
    /// If its password, or a file for TLS, cannot be read.
    pub(super) fn options(&self, stall_timeout: Duration) -> anyhow::Result<Option<StoreOptions>> {
        let Some(url) = &self.store else {
            return Ok(None);
        };
        // Not parsed with the command line, whose errors repeat the value: it may contain a password.
        let mut address: StoreAddress = url.parse().context("--store")?;
        if address.is_encrypted() {
            address = address.with_tls(self.tls()?);
        } else if self.store_ca.is_some() || self.store_cert.is_some() {
            bail!("--store-ca and --store-cert are for TLS; give --store as rediss://…");
        }
        let password = match &self.store_password_file {
            Some(path) => Some(secret_in(path, "store's password")?),
            None => std::env::var(PASSWORD).ok().map(Token::new),
        };
        if address.is_remote() && !address.is_encrypted() {
            tracing::warn!(%address, "the connection to the store is not encrypted; to fix this, use rediss://, a tunnel, or a network of its own");
        }
        Ok(Some(StoreOptions {
            address,
            password: password.filter(|it| !it.is_empty()),
            prefix: self.store_prefix.clone(),
            timeout: self.store_timeout,
            patience: self.store_patience,
            stall_timeout,
        }))
    }

    fn tls(&self) -> anyhow::Result<StoreTls> {
        let identity = self.store_cert.as_deref().zip(self.store_key.as_deref());
        Ok(StoreTls::load(self.store_ca.as_deref(), identity)?)
    }
}

fn parse_prefix(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() || text.len() > 64 || !text.bytes().all(is_plain) {
        return Err("must be 1 to 64 of the characters A-Z a-z 0-9 _ . -".into());
    }
    Ok(text.into())
}
