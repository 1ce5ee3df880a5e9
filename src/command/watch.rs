//! `codechat watch`: gets a client ID, or attaches to one, and shows what comes.

use std::{
    future::pending,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use regex::Regex;
use tokio::time;

use crate::{
    cli::{Exit, ServerArgs, duration, interval},
    event::ClientId,
    shutdown::{Signal, Signals},
    talk,
    watch::{
        clock::Clock,
        follow::{Left, follow},
        model::{FailOn, Goals, Model, Verdict},
        pane::theme::Background,
        pipe::{LineFormat, Pipe},
    },
};

mod own_server;
mod pane;
mod session;

use session::Session;

/// How long leaving may take: telling the server, and the last lines to a reader that dawdles.
const LEAVE: Duration = Duration::from_secs(2);

/// Show a client's messages as they come
///
/// Messages go to stdout, everything else to stderr. Without --id, the server issues a new client ID.
/// Where no server is named and none listens on 127.0.0.1:2428, this command is the server too, for as
/// long as it runs; the environment variables in `codechat serve --help` set its limits.
///
/// A lost connection is made again and resumed after the last message; messages that are gone by then
/// are reported. A client that this command opened ends with it.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The client ID to watch [default: a new one]
    #[arg(long, value_name = "ID", env = "CODECHAT_ID")]
    id: Option<ClientId>,

    #[command(flatten)]
    server: ServerArgs,

    /// How to write messages [default: text]
    #[arg(long, env = "CODECHAT_FORMAT")]
    format: Option<LineFormat>,

    /// Begin with only the newest N messages that the server holds [default: all]
    #[arg(long, value_name = "N", env = "CODECHAT_TAIL", value_parser = parse_tail, allow_negative_numbers = true)]
    tail: Option<u64>,

    /// Print the client ID as the first line on stdout
    #[arg(long, env = "CODECHAT_PRINT_ID")]
    print_id: bool,

    /// Write the client ID, and only that, to a file once the stream is open
    #[arg(long, value_name = "PATH", env = "CODECHAT_ID_FILE")]
    id_file: Option<PathBuf>,

    /// If no server answers, wait for one
    #[arg(long, env = "CODECHAT_WAIT")]
    wait: bool,

    /// Go on under the same ID when the server ends the stream for idleness
    #[arg(long, env = "CODECHAT_STAY")]
    stay: bool,

    /// End after so many messages
    #[arg(short = 'n', long, value_name = "COUNT", env = "CODECHAT_COUNT", value_parser = parse_count, allow_negative_numbers = true)]
    count: Option<u64>,

    /// End at a message that matches
    #[arg(long, value_name = "REGEX", env = "CODECHAT_UNTIL")]
    until: Option<Regex>,

    /// End at a message with an outcome: exit code 0 if it is ok, else 3
    #[arg(long, env = "CODECHAT_UNTIL_DONE")]
    until_done: bool,

    /// End with exit code 3 at a message that matches, or that has this level or a worse one
    #[arg(long, value_name = "REGEX|LEVEL", env = "CODECHAT_FAIL_ON")]
    fail_on: Option<FailOn>,

    /// How often the server says something on a quiet stream: a connection that is silent for 2.5 times
    /// as long is made again
    #[arg(long, value_name = "DUR", env = "CODECHAT_HEARTBEAT", default_value = "15s", value_parser = interval)]
    heartbeat: Duration,

    /// End with exit code 4 after so long
    #[arg(long, value_name = "DUR", env = "CODECHAT_TIMEOUT", value_parser = duration)]
    timeout: Option<Duration>,

    /// Which background the pane's colours are for
    #[arg(long, env = "CODECHAT_THEME", default_value = "auto")]
    theme: Background,

    /// Draw the pane with ASCII characters only
    #[arg(long, env = "CODECHAT_ASCII")]
    ascii: bool,
}

impl Args {
    fn model(&self) -> Model {
        Model::new(Goals {
            count: self.count,
            until: self.until.clone(),
            until_done: self.until_done,
            fail_on: self.fail_on.clone(),
            stay: self.stay,
        })
    }
}

const EXAMPLES: &str = "\
Examples:
  codechat watch
  codechat watch --id ID --tail 10
  codechat watch --format json | jq .message
  codechat watch --id-file id --until-done --timeout 10m
  codechat watch --fail-on error > messages.txt

Exit codes: 0 done, 1 error, 2 wrong usage, 3 failed (--until-done, --fail-on), 4 --timeout,
130 SIGINT, 143 SIGTERM or SIGHUP.";

fn parse_tail(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| "must be a whole number, 0 or more; 0 shows only new messages".into())
}

fn parse_count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a whole number, 1 or more".into()),
        Ok(count) => Ok(count),
    }
}

/// Watches until the stream, a goal, the time limit or a signal ends it.
///
/// # Errors
/// Where the server is not there, refuses, or has no stream; the text says what to do.
pub async fn run(args: Args) -> anyhow::Result<Exit> {
    if pane::is_wanted(&args) {
        return pane::run(args).await;
    }
    let mut signals = Signals::new().context("receive signals")?;
    let timeout = args.timeout;
    let stdout = io::stdout();
    let format = args.format.unwrap_or(LineFormat::Text);
    let colour = stdout.is_terminal().then(|| talk::colour(&stdout));
    let mut pipe = Pipe::new(format, colour);
    let mut session = Session::default();

    let mut cut_short = std::pin::pin!(async {
        tokio::select! {
            () = after(timeout) => Exit::TimedOut,
            signal = signals.recv() => match signal {
                Signal::Interrupt => Exit::Interrupted,
                Signal::Terminate | Signal::Hangup => Exit::Terminated,
            },
        }
    });
    let mut watched = tokio::select! {
        watched = watch(&mut session, args, &mut pipe) => watched,
        exit = &mut cut_short => Ok(exit),
    };
    let written = if matches!(watched, Ok(Exit::Done | Exit::Failed)) {
        // A reader that dawdles gets all of it, unless the user has had enough.
        tokio::select! {
            written = pipe.finish() => written,
            exit = cut_short => {
                watched = Ok(exit);
                Ok(())
            }
        }
    } else {
        time::timeout(LEAVE, pipe.finish()).await.unwrap_or(Ok(()))
    };
    session.leave().await;
    let exit = watched?;
    written.context("write to stdout")?;
    Ok(exit)
}

async fn after(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => time::sleep(timeout).await,
        None => pending().await,
    }
}

/// Shows what comes until the stream or a goal ends the watch.
async fn watch(session: &mut Session, args: Args, pipe: &mut Pipe) -> anyhow::Result<Exit> {
    let (id, mut updates) = session.open(&args).await?;
    if args.print_id {
        pipe.line(&id.to_string());
    }
    let mut model = args.model();
    let clock = Clock::default();
    let mut id_file = args.id_file.as_deref();
    let followed = follow(&mut updates, &clock, &mut model, pipe, || {
        // At once: whoever waits for the file must not wait for ever.
        id_file.take().map_or(Ok(()), |path| write_id(path, id))
    });
    match followed.await? {
        Left::Over(Verdict::Failed) => Ok(Exit::Failed),
        Left::Over(Verdict::Done) | Left::OutputClosed => Ok(Exit::Done),
        Left::Ended => {
            bail!("reading the stream broke off, which is a bug; please report it")
        }
    }
}

/// Writes the ID so that whoever finds the file finds all of it.
fn write_id(path: &Path, id: ClientId) -> anyhow::Result<()> {
    let context = || format!("write the client ID to {}", path.display());
    let special = path.metadata().is_ok_and(|it| !it.is_file());
    if special {
        // A pipe or a device cannot be replaced, and need not be.
        return std::fs::write(path, id.to_string()).with_context(context);
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, id.to_string())
        .and_then(|()| std::fs::rename(&part, path))
        .with_context(context)
}
