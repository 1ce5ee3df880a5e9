//! What `codechat watch` can ask of publishers without watching, for scripts.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::args::ServerArgs;
use crate::cli::exit::Exit;
use crate::client::ClientOptions;
use crate::control::{Cancel, Change, ControlRequest};
use crate::event::ClientId;
use crate::message::Level;

/// What takes a level back.
const NONE: &str = "none";

/// Control requests: each is left with the server for the client's publishers, and that is all this run does.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Ask publishers, and end")]
pub(super) struct ControlArgs {
    /// Ask for this level of detail; none takes it back
    #[arg(
        long,
        value_name = "LEVEL",
        env = "CODECHAT_ASK_LEVEL",
        requires = "id",
        conflicts_with = "command",
        value_parser = PossibleValuesParser::new(["trace", "debug", "info", "warn", "error", NONE])
            .try_map(|it| parse_level(&it))
    )]
    ask_level: Option<Change<Level>>,

    /// Ask whatever runs to stop; a publisher does so if and when it sees fit
    #[arg(
        long,
        env = "CODECHAT_CANCEL",
        requires = "id",
        conflicts_with = "command"
    )]
    cancel: bool,
}

fn parse_level(name: &str) -> Result<Change<Level>, crate::message::Invalid> {
    if name == NONE {
        Ok(Change::Clear)
    } else {
        name.parse().map(Change::Set)
    }
}

impl ControlArgs {
    /// What is asked for, if anything.
    #[must_use]
    pub(super) fn request(&self) -> Option<ControlRequest> {
        let cancel = if self.cancel {
            Change::Set(Cancel::default())
        } else {
            Change::Keep
        };
        let request = ControlRequest {
            level: self.ask_level.unwrap_or_default(),
            cancel,
        };
        (request != ControlRequest::default()).then_some(request)
    }
}

/// Leaves the request with the server.
///
/// # Errors
/// Where the server is not there, or refuses; the text says what to do.
pub(super) async fn run(
    server: &ServerArgs,
    id: ClientId,
    request: &ControlRequest,
) -> anyhow::Result<Exit> {
    let client = server.client(ClientOptions {
        token: server.token()?,
        ..ClientOptions::default()
    })?;
    client.request_control(id, request).await?;
    Ok(Exit::Done)
}
