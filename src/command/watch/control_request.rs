//! Control requests from `codechat watch` without watching, for scripts.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::args::ServerArgs;
use crate::cli::exit::Exit;
use crate::client::ClientOptions;
use crate::control::{Cancel, Change, ControlRequest};
use crate::event::ClientId;
use crate::message::Level;

/// The value that withdraws a level.
const NONE: &str = "none";

/// Control requests: each is stored on the server for the client's publishers, and nothing else is done.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Control requests")]
pub(super) struct ControlArgs {
    /// Ask for this level of detail, and exit; none withdraws it
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

    /// Ask the running work to stop, and exit
    ///
    /// Each publisher decides if and when it does.
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
    /// Returns the request, if there is one.
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

/// Sends the request to the server.
///
/// # Errors
/// If the server cannot be reached, or refuses; the text says what to do.
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
