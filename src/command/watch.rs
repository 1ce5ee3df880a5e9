//! `codechat watch`: gets a client ID, or attaches to one, and shows its messages.

use std::ffi::OsString;
use std::fs::{self, FileType};
use std::io::{self, IsTerminal};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use regex::Regex;
use tokio::task;
use tokio::time;

use crate::cli::args::ServerArgs;
use crate::cli::exit::Exit;
use crate::cli::values::{duration, interval};
use crate::client::StreamUrl;
use crate::event::ClientId;
use crate::file_error;
use crate::signals::Stops;
use crate::terminal::{status_line, stderr};
use crate::watch::clock::Clock;
use crate::watch::foreign::Mapping;
use crate::watch::lines::{LineFormat, Pipe, Unwritten};
use crate::watch::model::{Goals, Matcher, Model, pattern};
use crate::watch::operations::Operations;
use crate::watch::pane::draw::theme::Background;
use crate::watch::private_file;
use crate::watch::replay::Speed;
use crate::watch::summary;

mod control_request;
mod exec;
mod lines;
mod own_server;
mod pane;
mod session;
pub(crate) mod url;

/// Time limit for leaving: stopping the channel, and writing the last lines for a slow reader.
const LEAVE: Duration = Duration::from_secs(2);

/// Show a client's messages as they come
///
/// On a terminal, messages are shown in a pane (? lists its keys). Elsewhere, and with --format, they go to
/// stdout as lines, everything else to stderr. Without --id, the server issues a new client ID.
/// If no server is named and none listens on 127.0.0.1:2428, this command is the server too, for as
/// long as it runs; the environment variables in `codechat serve --help` set its limits.
///
/// If the connection is lost, this command reconnects and resumes after the last message; it reports messages that
/// are gone by then. When it exits, it ends the client that it opened.
///
/// With URL, shows the events of that stream, whatever its server. A command line with `curl -N` works with `curl`
/// replaced by `codechat watch`.
///
/// With CMD, the stream is open before CMD runs, and is followed until the work that CMD started has ended.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// An event stream to watch, from any server, instead of a client
    #[arg(value_name = "URL", conflicts_with_all = url::NOT_OF_A_URL)]
    url: Option<StreamUrl>,

    /// A command to run once the stream is open; {id} becomes the client ID
    ///
    /// The ID is in its environment too. CMD has stdin and stdout to itself; messages go to stderr.
    #[arg(last = true, value_name = "CMD", conflicts_with = "print_id")]
    command: Vec<OsString>,

    /// The client ID to watch [default: a new one]
    #[arg(long, value_name = "ID", env = "CODECHAT_ID", help_heading = STREAM)]
    id: Option<ClientId>,

    #[command(flatten, next_help_heading = STREAM)]
    server: ServerArgs,

    /// Begin with the newest N messages that the server holds [default: all]
    #[arg(
        long, value_name = "N", env = "CODECHAT_TAIL", value_parser = parse_tail,
        allow_negative_numbers = true, help_heading = STREAM
    )]
    tail: Option<u64>,

    /// If no server answers, wait for one
    #[arg(long, env = "CODECHAT_WAIT", help_heading = STREAM, hide_short_help = true)]
    wait: bool,

    /// Continue under the same ID if the server ends the stream for idleness
    #[arg(long, env = "CODECHAT_STAY", help_heading = STREAM, hide_short_help = true)]
    stay: bool,

    /// The heartbeat of the server: after 2.5 times as long without data, reconnect
    /// [default: 15s; for a server that is not codechat's, as observed]
    #[arg(
        long, value_name = "DUR", env = "CODECHAT_HEARTBEAT", value_parser = interval,
        help_heading = STREAM, hide_short_help = true
    )]
    heartbeat: Option<Duration>,

    #[command(flatten)]
    stream: url::StreamArgs,

    /// Write lines, also on a terminal: text, log, json or raw
    ///
    /// If stdout is not a terminal, the default is text.
    #[arg(long, env = "CODECHAT_FORMAT", help_heading = OUTPUT)]
    format: Option<LineFormat>,

    /// Print the client ID as the first line on stdout
    #[arg(long, env = "CODECHAT_PRINT_ID", help_heading = OUTPUT)]
    print_id: bool,

    /// Write the client ID, and only that, to a file once the stream is open
    #[arg(long, value_name = "PATH", env = "CODECHAT_ID_FILE", help_heading = OUTPUT, hide_short_help = true)]
    id_file: Option<PathBuf>,

    /// At the end, print a summary: outcome, times, levels, losses [default: on a terminal, with CMD or
    /// --until-done]
    #[arg(
        long, env = "CODECHAT_SUMMARY", overrides_with = "no_summary", help_heading = OUTPUT, hide_short_help = true
    )]
    summary: bool,

    /// Print no summary
    #[arg(
        long, env = "CODECHAT_NO_SUMMARY", overrides_with = "summary", help_heading = OUTPUT, hide_short_help = true
    )]
    no_summary: bool,

    /// Read progress only from messages that report it, never from texts such as "12 of 40"; from other servers'
    /// events, read only the text
    #[arg(long, env = "CODECHAT_NO_GUESS", help_heading = OUTPUT, hide_short_help = true)]
    no_guess: bool,

    /// End after COUNT messages
    #[arg(
        short = 'n', long, value_name = "COUNT", env = "CODECHAT_COUNT", value_parser = parse_count,
        allow_negative_numbers = true, help_heading = ENDING
    )]
    count: Option<u64>,

    /// End at a message that matches
    #[arg(long, value_name = "REGEX", env = "CODECHAT_UNTIL", value_parser = pattern, help_heading = ENDING)]
    until: Option<Regex>,

    /// End with the first operation: exit code 0 if it ended as ok, else 3
    #[arg(long, env = "CODECHAT_UNTIL_DONE", help_heading = ENDING)]
    until_done: bool,

    /// End with exit code 3 at a message of this level, or that matches
    ///
    /// A worse level counts, too. With CMD, the watch continues until CMD has ended.
    #[arg(long, value_name = "LEVEL|REGEX", env = "CODECHAT_FAIL_ON", help_heading = ENDING)]
    fail_on: Option<Matcher>,

    /// Like --fail-on; with CMD, end CMD at once
    #[arg(long, value_name = "LEVEL|REGEX", env = "CODECHAT_STOP_ON", help_heading = ENDING, hide_short_help = true)]
    stop_on: Option<Matcher>,

    /// End with exit code 4 after this time
    #[arg(long, value_name = "DUR", env = "CODECHAT_TIMEOUT", value_parser = duration, help_heading = ENDING)]
    timeout: Option<Duration>,

    /// After CMD has ended, wait at most this long for messages that are still on their way
    #[arg(
        long, value_name = "DUR", env = "CODECHAT_LINGER", default_value = "5s", value_parser = duration,
        help_heading = ENDING, hide_short_help = true
    )]
    linger: Duration,

    /// Write all updates to a new file, for --replay
    #[arg(long, value_name = "FILE", env = "CODECHAT_RECORD", help_heading = RECORDING)]
    record: Option<PathBuf>,

    /// Show a recording, without any server
    #[arg(
        long, value_name = "FILE", env = "CODECHAT_REPLAY", conflicts_with_all = NOT_OF_A_RECORDING,
        help_heading = RECORDING
    )]
    replay: Option<PathBuf>,

    /// Playback speed of a recording: a factor, or max for no pauses
    #[arg(
        long, value_name = "TIMES", env = "CODECHAT_SPEED", default_value = "1", allow_negative_numbers = true,
        help_heading = RECORDING, hide_short_help = true
    )]
    speed: Speed,

    /// The background that the pane's colours are for
    #[arg(long, env = "CODECHAT_THEME", default_value = "auto", help_heading = APPEARANCE, hide_short_help = true)]
    theme: Background,

    /// Draw the pane with ASCII characters only
    #[arg(long, env = "CODECHAT_ASCII", help_heading = APPEARANCE, hide_short_help = true)]
    ascii: bool,

    #[command(flatten)]
    ask: control_request::ControlArgs,
}

/// Headings of the flags in help.
const STREAM: &str = "Stream";
const OUTPUT: &str = "Output";
const ENDING: &str = "Ending";
const RECORDING: &str = "Recording";
const APPEARANCE: &str = "Appearance of the pane";

impl Args {
    /// Returns the model; it follows operations only if a view shows them.
    fn model(&self, shows_progress: bool) -> Model {
        let mut model = Model::new(Goals {
            count: self.count,
            until: self.until.clone(),
            until_done: self.until_done,
            fail_on: self.fail_on.clone(),
            goes_on: !self.command.is_empty(),
            stop_on: self.stop_on.clone(),
            stay: self.stay || !self.command.is_empty(),
        });
        if self.wants_summary() {
            model = model.with_summary();
        }
        if self.url.is_some() {
            model = model.with_last_event_id();
        }
        if shows_progress || self.wants_summary() {
            model = model.with_operations(Operations::new(!self.no_guess));
        }
        model
    }

    /// Returns how the events of other servers are mapped.
    fn mapping(&self) -> Mapping {
        Mapping {
            message_at: self.stream.message_at.clone(),
            by_pointers_only: self.no_guess,
            is_off: self.format == Some(LineFormat::Raw),
            events: self.stream.event.clone(),
        }
    }

    /// Returns whether to print a summary: in scripts only if asked for.
    fn wants_summary(&self) -> bool {
        let is_told_an_end = self.until_done || !self.command.is_empty();
        let by_default = is_told_an_end && io::stderr().is_terminal() && !self.no_summary;
        self.summary || by_default
    }
}

/// Flags that have no meaning for a recording.
const NOT_OF_A_RECORDING: [&str; 14] = [
    "id",
    "server",
    "token_file",
    "tail",
    "print_id",
    "id_file",
    "wait",
    "stay",
    "heartbeat",
    "record",
    "linger",
    "command",
    "cancel",
    "ask_level",
];

const EXAMPLES: &str = "\
Examples:
  codechat watch
  codechat watch --id ID --tail 10
  codechat watch --format json | jq .message
  codechat watch --id-file id --until-done --timeout 10m
  codechat watch --fail-on error > messages.txt
  codechat watch -- curl -s -H 'Sse-Client-ID: {id}' http://localhost:8000/refresh | jq .
  codechat watch --record today.ndjson
  codechat watch --replay today.ndjson --speed 10
  codechat watch https://stream.wikimedia.org/v2/stream/recentchange
  codechat watch -H @headers.txt --json @request.json --message-at /choices/0/delta/content URL
  codechat watch --id ID --cancel

Exit codes: 0 done, 1 error, 2 wrong usage, 3 failed (--until-done, --fail-on, --stop-on),
4 --timeout, 130 SIGINT, 143 SIGTERM or SIGHUP. With CMD, the exit code of CMD,
unless the watch itself has failed.";

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
/// If the server cannot be reached, refuses, or has no stream; the text says what to do.
pub async fn run(args: Args) -> anyhow::Result<Exit> {
    if let (None, Some(flag)) = (&args.url, args.stream.of_a_url()) {
        stderr::line(&format!(
            "{flag} is for an event stream that a URL names: codechat watch {flag} … URL"
        ));
        return Ok(Exit::Usage);
    }
    if args.stream.reads_stdin_twice() {
        stderr::line("stdin can be read once, but two flags have @-");
        return Ok(Exit::Usage);
    }
    if let (Some(request), Some(id)) = (args.ask.request(), args.id) {
        return control_request::run(&args.server, id, &request).await;
    }
    if !args.command.is_empty() {
        return exec::run(args).await;
    }
    let exit = if pane::is_wanted(&args) {
        pane::run(args).await
    } else {
        lines::run(args).await
    };
    if matches!(exit, Ok(Exit::TimedOut)) {
        stderr::line("the time of --timeout is up");
    }
    exit
}

/// Prints which message meant failure, and the summary, if the model has kept counts.
fn summarize(model: &Model, clock: &Clock) {
    if let Some(failure) = model.failure() {
        stderr::line_apart(&format!(
            "this message means failure (--fail-on, --stop-on): {failure}"
        ));
    }
    let lines = summary::lines(model, clock.of_update());
    if !lines.is_empty() {
        stderr::line_apart(&lines.join("\n"));
    }
}

/// Prints how many messages were not written. Does not wait for stderr if that is not read either.
async fn tell_unwritten(unwritten: &Unwritten) {
    let count = unwritten.count();
    if count > 0 {
        let text = format!(
            "not shown: {}, which nobody read in time",
            summary::counted(count, "message")
        );
        let told = task::spawn_blocking(move || stderr::line_apart(&text));
        let _ = time::timeout(LEAVE, told).await;
    }
}

/// Removes the progress line while the shell has the terminal, if there may be one.
fn unpin_at_stops(pipe: &Pipe) -> anyhow::Result<Option<Stops>> {
    let stops = pipe
        .shows_progress()
        .then(|| Stops::new(|stop| status_line::yield_terminal(stop)));
    stops.transpose().context("receive signals")
}

/// Returns the error for a recording that cannot be shown.
fn no_recording(path: &Path, error: &io::Error) -> anyhow::Error {
    let (path, reason) = (path.display(), file_error::reason(error));
    anyhow!("cannot read the recording {path}: {reason}")
}

/// Writes the ID to a file atomically.
fn write_id(path: &Path, id: ClientId) -> anyhow::Result<()> {
    let kind = path.metadata().map(|it| it.file_type());
    if kind.as_ref().is_ok_and(FileType::is_fifo) {
        // Opening a pipe waits for its reader, which the watch does not wait for.
        let path = path.to_owned();
        thread::spawn(move || fs::write(path, id.to_string()));
        return Ok(());
    }
    let written = if kind.is_ok_and(|it| !it.is_file()) {
        // A device cannot be replaced, and need not be.
        fs::write(path, id.to_string())
    } else {
        private_file::replace(path, id.to_string().as_bytes())
    };
    written.map_err(|error| {
        let (path, reason) = (path.display(), file_error::reason(&error));
        anyhow!("cannot write the client ID to the file {path}: {reason}")
    })
}
