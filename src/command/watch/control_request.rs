//! What `codechat watch` can ask of publishers without watching, for scripts.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::{
    cli::{Exit, ServerArgs},
    client::Options,
    control::{Ask, Cancel, Request},
    event::ClientId,
    message::Level,
};

/// What takes a level back.
const NONE: &str = "none";

/// Wishes: each is left with the server for the client's publishers, and that is all this run does.
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
    ask_level: Option<Ask<Level>>,

    /// Ask whatever runs to stop; a publisher does so if and when it sees fit
    #[arg(
        long,
        env = "CODECHAT_CANCEL",
        requires = "id",
        conflicts_with = "command"
    )]
    cancel: bool,
}

fn parse_level(name: &str) -> Result<Ask<Level>, crate::message::Invalid> {
    if name == NONE {
        Ok(Ask::Withdraw)
    } else {
        name.parse().map(Ask::For)
    }
}

impl ControlArgs {
    /// What is asked for, if anything.
    #[must_use]
    pub(super) fn request(&self) -> Option<Request> {
        let cancel = if self.cancel {
            Ask::For(Cancel::default())
        } else {
            Ask::Nothing
        };
        let request = Request {
            level: self.ask_level.unwrap_or_default(),
            cancel,
        };
        (request != Request::default()).then_some(request)
    }
}

/// Leaves the wish with the server.
///
/// # Errors
/// Where the server is not there, or refuses; the text says what to do.
pub(super) async fn run(
    server: &ServerArgs,
    id: ClientId,
    request: &Request,
) -> anyhow::Result<Exit> {
    let client = server.client(Options {
        token: server.token()?,
        ..Options::default()
    })?;
    client.ask(id, request).await?;
    Ok(Exit::Done)
}
