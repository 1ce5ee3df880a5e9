//! `codechat send`: publishes its arguments as one message, each line of its input, or the run of a
//! command.

use std::ffi::{OsStr, OsString};
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::args::ServerArgs;
use crate::cli::exit::Exit;
use crate::cli::values::interval;
use crate::client::give_up::GiveUp;
use crate::client::{Client, ClientOptions};
use crate::event::ClientId;
use crate::message::{EventName, Invalid, Level, Message, Operation, Outcome, Progress};
use crate::terminal::stderr;

mod batch;
mod control_state;
mod delivery;
mod exec;
mod lines;
mod queue;
mod single;
mod stdin;
mod stdin_hangup;
mod unmarked;
mod unwatched;
pub(crate) mod words;

/// Publish messages to a client
///
/// The words on the command line make one message. Without any, and without --progress or --outcome, each line of stdin
/// is a message, sent as soon as it is read. What the server has not acknowledged is sent again when it is
/// back: without limit while there is input, and for at most --give-up-after once the input has ended, or for one
/// message. A server
/// that cannot be reached at the start is an error at once. Bytes that are not UTF-8 become U+FFFD; a line over 64 KiB
/// is sent in pieces. If a watcher asks to cancel, stdin is read no further, and the outcome is cancelled.
///
/// With -- COMMAND, the command is run as an operation, of a new client if there is no ID: a message when it starts,
/// each line of its stdout (info) and its stderr (warn) as it comes, and its outcome when it ends. Its exit code
/// becomes this program's. If the server goes away, the command runs on: 2 MiB of its output are kept until the server
/// is back, the rest is dropped and counted. A watcher's cancel sends the command SIGTERM, and after 5 s SIGKILL;
/// SIGINT, SIGTERM and SIGHUP are passed on.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The message; without one, or with -, each line of stdin is one
    #[arg(conflicts_with = "command")]
    message: Vec<OsString>,

    /// The command to run, and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,

    #[arg(
        long,
        value_name = "ID",
        env = "SSE_CLIENT_ID",
        help_heading = STREAM,
        help = "The client ID to publish to [default for a command: a new one]",
        long_help = "The client ID to publish to [default for a command: a new one]\n\nCODECHAT_ID is read, too."
    )]
    id: Option<ClientId>,

    #[command(flatten, next_help_heading = STREAM)]
    server: ServerArgs,

    /// Publish to every client of the server; takes one message, not lines
    #[arg(long, env = "CODECHAT_ALL", conflicts_with_all = ["id", "tee", "command"], help_heading = STREAM)]
    all: bool,

    /// Publish only if the client exists; else print nothing and exit with 0
    ///
    /// The same if there is no client ID.
    #[arg(long, env = "CODECHAT_IF_WATCHED", help_heading = STREAM)]
    if_watched: bool,

    /// Copy stdin to stdout, or show the command's output here too
    #[arg(long, env = "CODECHAT_TEE", conflicts_with_all = ["message", "text"], help_heading = COMMAND)]
    tee: bool,

    /// Run the command on a terminal of its own, so that it writes colours
    ///
    /// On a terminal, many programs also write each line at once.
    #[arg(long, env = "CODECHAT_PTY", conflicts_with_all = ["message", "text"], help_heading = COMMAND)]
    pty: bool,

    /// Send the command this signal when the level that watchers want changes
    #[arg(
        long,
        value_name = "SIGNAL",
        env = "CODECHAT_ON_LEVEL_SIGNAL",
        conflicts_with_all = ["message", "text"],
        value_parser = PossibleValuesParser::new(LEVEL_SIGNALS),
        help_heading = COMMAND,
        hide_short_help = true
    )]
    on_level_signal: Option<String>,

    /// After the input or the command has ended: how long to keep trying to deliver the rest
    #[arg(
        long, value_name = "DUR", env = "CODECHAT_GIVE_UP_AFTER", default_value = "1m", value_parser = interval,
        help_heading = COMMAND, hide_short_help = true
    )]
    give_up_after: Duration,

    /// The level: trace, debug, info, warn or error
    ///
    /// What a command writes to stdout is info by default, and to stderr warn.
    #[arg(
        long, env = "CODECHAT_LEVEL", help_heading = MESSAGE,
        value_parser = one_of::<Level>(["trace", "debug", "info", "warn", "error"])
    )]
    level: Option<Level>,

    /// The message's operation [default for a command: its name]
    ///
    /// It has 1 to 128 characters.
    #[arg(long, value_name = "NAME", env = "CODECHAT_OPERATION", help_heading = MESSAGE)]
    operation: Option<Operation>,

    /// The operation's progress, as in 3/120, or 3 if the total is not known
    #[arg(
        long,
        value_name = "N/TOTAL",
        env = "CODECHAT_PROGRESS",
        allow_hyphen_values = true,
        conflicts_with = "command",
        help_heading = MESSAGE
    )]
    progress: Option<Progress>,

    /// The outcome that ends the operation: ok, failed or cancelled
    #[arg(
        long, env = "CODECHAT_OUTCOME", conflicts_with = "command", help_heading = MESSAGE,
        value_parser = one_of::<Outcome>(["ok", "failed", "cancelled"])
    )]
    outcome: Option<Outcome>,

    /// The event name: 1 to 64 of A-Z a-z 0-9 _ . - [default: debug]
    #[arg(long, value_name = "NAME", env = "CODECHAT_EVENT", help_heading = MESSAGE)]
    event: Option<EventName>,

    /// The message, even if it begins with a dash
    #[arg(
        short = 'm',
        long = "message",
        value_name = "TEXT",
        env = "CODECHAT_MESSAGE",
        allow_hyphen_values = true,
        conflicts_with_all = ["message", "command"],
        help_heading = MESSAGE
    )]
    text: Option<OsString>,
}

/// Headings of the flags in help.
const STREAM: &str = "Stream";
const COMMAND: &str = "Input and command";
const MESSAGE: &str = "Message";

/// Signals that programs commonly use for other purposes than ending.
const LEVEL_SIGNALS: [&str; 5] = ["HUP", "USR1", "USR2", "WINCH", "CONT"];

const EXAMPLES: &str = "\
Examples:
  codechat send --id ID 'Refreshing repository demo'
  make 2>&1 | codechat send --id ID --tee
  codechat send --id ID --tee -- make -j4
  codechat send --id ID --operation refresh --progress 3/120 'Processed file 3'
  codechat send --id ID --operation refresh --outcome failed 'Disk full'
  codechat send --if-watched -m '--dry-run was given'
  codechat send --all 'The server restarts at noon'

A command finds the client ID in SSE_CLIENT_ID, the address to publish to in CODECHAT_PUBLISH_URL,
and the level that a watcher wanted when it started, if any, in CODECHAT_WANTED_LEVEL.

Exit codes: 0 done, 1 error or lines not delivered, 2 wrong usage, 3 cancelled by a watcher
(lines of stdin), 130 SIGINT, 143 SIGTERM or SIGHUP; with -- COMMAND its own (128 and the
signal's number if one ended it), 127 if it is not found, 126 if it cannot be run,
whatever was delivered.";

/// Returns a parser for one of these names, which help and completions then offer.
fn one_of<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = Invalid> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

/// Publishes, and reports what could not be delivered.
///
/// # Errors
/// If the server cannot be reached, or refuses; the text says what to do.
pub async fn run(args: Args) -> anyhow::Result<Exit> {
    // An outcome or a progress describes one moment, so it makes one message, with or without words.
    if args.message == ["-"] && !args.all {
        stderr::line(
            "- stands for the lines of stdin, and --outcome and --progress for one message; leave out one of them",
        );
        return Ok(Exit::Usage);
    }
    if args.if_watched && args.id.is_none() && !args.all {
        return unwatched::finish(&args);
    }
    let client = args.server.client(ClientOptions {
        token: args.server.token()?,
        ..ClientOptions::default()
    })?;
    if args.has_message() {
        return publish_one(args, client).await;
    }
    if args.all {
        stderr::line(
            "--all takes a message on the command line, as in: codechat send --all MESSAGE",
        );
        return Ok(Exit::Usage);
    }
    if args.command.is_empty() {
        publish_lines(args, client).await
    } else {
        run_command(args, client).await
    }
}

async fn publish_one(args: Args, client: Client) -> anyhow::Result<Exit> {
    let to = match args.id {
        _ if args.all => None,
        None => return Ok(no_client_id()),
        id => id,
    };
    let give_up = GiveUp::of(args.give_up_after);
    let if_watched = args.if_watched;
    match single::run(client, to, &args.into_message(), give_up).await {
        Err(error) if if_watched && unwatched::is_nobody_there(&error) => Ok(Exit::Done),
        sent => sent,
    }
}

async fn publish_lines(args: Args, client: Client) -> anyhow::Result<Exit> {
    match args.id {
        Some(id) => {
            let options = stdin::Options {
                tee: args.tee,
                give_up_after: args.give_up_after,
                if_watched: args.if_watched,
            };
            stdin::run(client, id, args.into_message(), options).await
        }
        None => Ok(no_client_id()),
    }
}

async fn run_command(args: Args, client: Client) -> anyhow::Result<Exit> {
    let id = match args.id {
        Some(id) => id,
        None => new_client(&args, &client).await?,
    };
    let if_watched = args.if_watched;
    let options = ExecOptions {
        words: args.command.clone(),
        pty: args.pty,
        tee: args.tee,
        on_level: args.on_level_signal.clone(),
        give_up_after: args.give_up_after,
        prototype: args.into_message(),
    };
    match exec::run(client, id, &options).await {
        Err(error) if if_watched && unwatched::is_nobody_there(&error) => {
            Ok(unwatched::run(&options.words))
        }
        ended => ended,
    }
}

/// Gets a new client ID, and prints the command to watch it.
async fn new_client(args: &Args, client: &Client) -> anyhow::Result<ClientId> {
    let (id, _) = client.connect().await?;
    let server = if args.server.is_named() {
        format!(" --server {}", client.server())
    } else {
        String::new()
    };
    stderr::line(&format!(
        "client ID {id}; to watch: codechat watch --id {id}{server}"
    ));
    Ok(id)
}

fn no_client_id() -> Exit {
    stderr::line(
        "no client ID: name a client with --id ID or in SSE_CLIENT_ID (`codechat watch` prints its ID), or all with --all; \
         with --if-watched, this is no error",
    );
    Exit::Usage
}

impl Args {
    /// Returns whether one message is published, rather than lines or a command's output.
    fn has_message(&self) -> bool {
        let is_said = self.text.is_some() || !self.message.is_empty();
        is_said || self.outcome.is_some() || self.progress.is_some()
    }

    /// Returns the message, or the prototype of all messages.
    fn into_message(self) -> Message {
        let words = self.message.into_iter().map(words::unmarked);
        let words: Vec<_> = self.text.into_iter().chain(words).collect();
        Message {
            text: words.join(OsStr::new(" ")).to_string_lossy().into_owned(),
            level: self.level,
            operation: self.operation,
            progress: self.progress,
            outcome: self.outcome,
            event: self.event,
            ..Message::default()
        }
    }
}

/// A command to run, and how.
struct ExecOptions {
    /// The command and its arguments.
    words: Vec<OsString>,
    /// Whether to run it on a pseudo-terminal.
    pty: bool,
    /// Whether to show its output here too.
    tee: bool,
    /// The signal to send it when the wanted level changes, by name.
    on_level: Option<String>,
    /// How long to keep trying to deliver after its end.
    give_up_after: Duration,
    /// The prototype of its messages. Its level is that of stdout's lines.
    prototype: Message,
}
