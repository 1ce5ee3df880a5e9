//! Who may use a server: the flags, and what they must be together.

use crate::server::{Access, AllowedHost, AllowedOrigin, NotAHost, NotAnOrigin};

/// Who may use a server, wherever it runs.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Access")]
pub(super) struct AccessArgs {
    /// A name that the server is reached by, besides localhost and the addresses it listens on;
    /// repeatable
    #[arg(
        long, value_name = "HOST", env = "CODECHAT_ALLOWED_HOST", value_delimiter = ',',
        value_parser = |text: &str| text.parse::<AllowedHost>() as Result<_, NotAHost>
    )]
    allowed_host: Vec<AllowedHost>,

    #[arg(
        help = "An origin whose web pages may use the server, as in http://localhost:3000; repeatable",
        long, value_name = "ORIGIN", env = "CODECHAT_CORS_ORIGIN", value_delimiter = ',',
        value_parser = |text: &str| text.parse::<AllowedOrigin>() as Result<_, NotAnOrigin>
    )]
    cors_origin: Vec<AllowedOrigin>,
}

impl AccessArgs {
    /// Whom the server lets in.
    #[must_use]
    pub(super) fn access(&self) -> Access {
        Access {
            hosts: self.allowed_host.clone(),
            origins: self.cors_origin.clone(),
        }
    }
}
