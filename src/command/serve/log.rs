//! The server's log on stderr, which never blocks the server.
//!
//! If the reader of stderr stops reading, the pipe fills and blocks its writers. So only one thread writes; the others
//! pass it their lines through a bounded queue. If that is full, a line is dropped and counted, and the count is logged
//! later.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use std::{mem, thread};

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::lock::lock;
use crate::terminal::stderr;

/// How many lines may wait for stderr.
const LINES_WAITING: usize = 1024;
/// How long the program waits at its end for lines to be written.
const FLUSH_TIME: Duration = Duration::from_millis(200);

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One line per event, for people
    Text,
    /// One JSON object per event, for programs
    Json,
}

/// Starts logging to stderr. `filter` overrides `RUST_LOG`, and that the default, `info`.
///
/// # Errors
/// If the filter is not valid, or a log has been started already.
pub(super) fn start(filter: Option<&str>, format: Format) -> anyhow::Result<Log> {
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = match filter {
        Some(filter) => builder
            .parse(filter)
            .with_context(|| format!("--log {filter:?}"))?,
        None => builder
            .from_env()
            .map_err(|_| anyhow!("RUST_LOG {FILTER_RULE}"))?,
    };
    let queue = Queue::default();
    let writing = queue.clone();
    thread::Builder::new()
        .name("log".into())
        .spawn(move || writing.write_on())
        .context("start the log's thread")?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(queue.clone())
        .log_internal_errors(false);
    match format {
        Format::Text => log.with_ansi(io::stderr().is_terminal()).try_init(),
        Format::Json => log.json().try_init(),
    }
    .map_err(|error| anyhow!("start the log: {error}"))?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "{panic}");
    }));
    Ok(Log(queue))
}

const FILTER_RULE: &str =
    "must be off, error, warn, info, debug, trace, or such as warn,codechat=debug";

/// Parses a filter: levels, alone or per target. Any other word would be taken for a target, and silence everything.
pub(super) fn parse_filter(text: &str) -> Result<String, String> {
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let is_directive = |word: &str| match word.split_once('=') {
        Some((target, level)) => !target.is_empty() && is_level(level),
        None => is_level(word),
    };
    if text.split(',').all(is_directive) {
        Ok(text.into())
    } else {
        Err(FILTER_RULE.into())
    }
}

thread_local! {
    /// Whether this is the log's own thread, which must not wait for itself.
    static WRITES: Cell<bool> = const { Cell::new(false) };
}

/// The queue of lines for stderr.
#[derive(Clone, Default)]
struct Queue(Arc<(Mutex<Waiting>, Condvar)>);

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    /// How many lines were dropped since the count was last logged.
    lost: usize,
    /// Whether a line is being written.
    writing: bool,
}

impl Queue {
    fn push(&self, line: &[u8]) {
        let (waiting, changed) = &*self.0;
        let mut waiting = lock(waiting);
        if waiting.lines.len() < LINES_WAITING {
            waiting.lines.push_back(line.into());
            changed.notify_all();
        } else {
            waiting.lost += 1;
        }
    }

    /// Writes lines as they come, as long as the program runs.
    fn write_on(&self) {
        WRITES.set(true);
        let (waiting, changed) = &*self.0;
        loop {
            let (line, lost) = {
                let mut waiting = lock(waiting);
                waiting.writing = false;
                changed.notify_all();
                let mut waiting = changed
                    .wait_while(waiting, |it| it.lines.is_empty())
                    .unwrap_or_else(PoisonError::into_inner);
                waiting.writing = true;
                let line = waiting.lines.pop_front().unwrap_or_default();
                let drained = waiting.lines.is_empty();
                let lost = if drained {
                    mem::take(&mut waiting.lost)
                } else {
                    0
                };
                (line, lost)
            };
            let _ = stderr::Stderr::default().write_all(&line);
            if lost > 0 {
                tracing::warn!(lost, "log lines were dropped, since stderr was not read");
            }
        }
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// One line of the log, which is written at once.
struct Line<'a>(&'a Queue);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if WRITES.get() {
            return stderr::Stderr::default().write(bytes);
        }
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The running log. On drop, writes the waiting lines, if stderr takes them.
pub(super) struct Log(Queue);

impl Drop for Log {
    fn drop(&mut self) {
        let (waiting, changed) = &*self.0.0;
        let unwritten = |it: &mut Waiting| it.writing || !it.lines.is_empty();
        let _ = changed.wait_timeout_while(lock(waiting), FLUSH_TIME, unwritten);
    }
}
