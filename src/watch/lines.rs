//! Pipe mode: a line a message on stdout, everything else on stderr. Beside a command that has stdout
//! for itself, messages are on stderr too.

pub mod line_loop;
mod progress;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::task;
use tokio::time::Instant;

use super::format;
use super::lines::progress::ProgressLine;
use super::model::Model;
use crate::client::subscribe::{Received, Update};
use crate::duration;
use crate::event::{End, unix_millis};
use crate::message::{Level, Message};
use crate::terminal::safe_text::{self, Colour};
use crate::terminal::stderr;
use crate::terminal::streams;
use crate::wire::json;

/// Ends what [`style`] begins.
const RESET: &str = "\x1b[0m";
/// So many bytes of lines are gathered into one write, at the most.
const WRITE_BYTES: usize = 64 * 1024;
/// So many writes may wait for a slow reader of stdout before the stream is not read any more.
const WRITES_WAITING: usize = 4;

/// How messages are written on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LineFormat {
    /// The text, many lines where it has many
    Text,
    /// Time, level, operation and text, as log files have them
    Log,
    /// NDJSON: an object a line, with id and time
    Json,
    /// The stream's data as they came; a terminal gets them made safe all the same
    Raw,
}

/// Where messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOutput {
    /// On stdout, and all else on stderr.
    Stdout,
    /// On stderr, between all else.
    Stderr,
}

/// Writes updates as lines.
pub struct Pipe {
    format: LineFormat,
    /// Whether all else goes where messages go, and so in its place between them.
    is_together: bool,
    /// Set where a terminal is written to, which foreign text must not control.
    terminal: Option<Colour>,
    /// How far local time is ahead of UTC, in seconds.
    utc_offset: i32,
    output: Output,
    progress: Option<ProgressLine>,
}

/// Nobody reads the messages any more.
#[derive(Debug)]
pub struct Closed;

impl Pipe {
    /// Lines in `format` on `target`, with what is being worked on below all lines on stderr.
    #[must_use]
    pub fn new(target: LineOutput, format: LineFormat) -> Self {
        let terminal = match target {
            LineOutput::Stdout => terminal(&io::stdout()),
            LineOutput::Stderr => terminal(&io::stderr()),
        };
        // Where messages and progress are on one terminal without a common writer, they would mix.
        let is_apart = target == LineOutput::Stderr || terminal.is_none();
        Self {
            format,
            is_together: target == LineOutput::Stderr || is_stderr_stdout(),
            terminal,
            utc_offset: jiff::Zoned::now().offset().seconds(),
            output: Output::new(target),
            progress: ProgressLine::on_stderr().filter(|_| is_apart),
        }
    }

    /// Whether it shows what is being worked on, so that the model has to follow that.
    #[must_use]
    pub fn shows_progress(&self) -> bool {
        self.progress.is_some()
    }

    /// Writes a line of our own between the messages.
    pub fn line(&mut self, line: &str) {
        self.output.buffer.extend_from_slice(line.as_bytes());
        self.output.buffer.push(b'\n');
    }

    /// Shows an update. A message is there after the next [`Pipe::flush`].
    pub fn show(&mut self, update: &Update) {
        if let Some(progress) = &mut self.progress {
            progress.news();
        }
        match update {
            Update::Message(received) if received.message.system => {
                self.aside(&received.message.text);
            }
            Update::Message(received) => self.message(received),
            Update::Gap(gap) => {
                self.aside(&gap.to_string());
                if self.format == LineFormat::Json {
                    let mut object: serde_json::Value =
                        serde_json::from_slice(&json::gap_object(*gap)).unwrap_or_default();
                    object["event"] = json!("gap");
                    self.line(&object.to_string());
                }
            }
            Update::End(end) => {
                self.aside(match end {
                    End::Stopped => "stopped",
                    End::Idle => "ended: nothing happened for the idle timeout",
                    End::Quit => format::ENDED_BY_OWNER,
                });
                if self.format == LineFormat::Json {
                    self.line(&json!({"event": "end", "reason": end.as_str()}).to_string());
                }
            }
            Update::Gone => self.aside(format::GONE),
            Update::Retrying {
                attempt,
                delay,
                reason,
            } => {
                let delay = duration::in_seconds(*delay);
                self.aside(&format!(
                    "reconnecting, try {attempt} in {delay} ({reason})"
                ));
            }
            Update::Note(text) => self.aside(text),
            Update::Connected { .. } | Update::Heartbeat => {}
        }
    }

    /// Whether enough has gathered for a write.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.output.buffer.len() >= WRITE_BYTES
    }

    /// Whether what is being worked on is to be drawn again, though no pause comes.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.progress.as_ref().is_some_and(ProgressLine::is_due)
    }

    /// Waits until what is being worked on is to be drawn again.
    pub async fn due(&self) {
        match &self.progress {
            Some(progress) => progress.due().await,
            None => std::future::pending().await,
        }
    }

    /// Draws what is being worked on.
    pub fn draw(&mut self, model: &Model, now: Duration) {
        if let (Some(progress), Some(operations)) = (&mut self.progress, model.operations()) {
            progress.draw(operations, now);
        }
    }

    /// Hands what was shown to its writer. Waits while too much waits there already.
    ///
    /// # Errors
    /// [`Closed`], where nobody reads it any more.
    pub async fn flush(&mut self) -> Result<(), Closed> {
        self.output.flush().await
    }

    /// For how long messages have waited for whoever reads them, in all.
    #[must_use]
    pub fn blocked(&self) -> Duration {
        let now = self.output.blocked_since.map(|it| it.elapsed());
        self.output.blocked + now.unwrap_or_default()
    }

    /// Counts the messages that were shown and are not written, also after [`Pipe::finish`].
    #[must_use]
    pub fn unwritten(&self) -> Unwritten {
        Unwritten(Arc::clone(&self.output.unwritten))
    }

    /// Waits until nobody reads the messages any more, which shows at the first write that fails.
    pub async fn closed(&self) {
        self.output.queue.closed().await;
    }

    /// Waits until all is written.
    ///
    /// # Errors
    /// Where stdout cannot be written; a closed pipe is none.
    pub async fn finish(mut self) -> io::Result<()> {
        self.progress = None;
        // A closed stdout says so again, and better, when its writer is asked.
        let _ = self.flush().await;
        self.output.finish().await
    }

    /// Shows a line that is no message.
    fn aside(&mut self, text: &str) {
        if self.is_together {
            let line = stderr::aside_line(text);
            self.output.buffer.extend_from_slice(line.as_bytes());
        } else {
            stderr::aside(text);
        }
    }

    /// Writes a text for a terminal, in its level's colour unless it has colours of its own.
    fn text(&mut self, heading: &str, message: &Message, colour: Colour) {
        let is_plain = colour == Colour::Strip || message.text.contains('\x1b');
        let style = if is_plain { "" } else { style(message.level) };
        let heading = safe_text::safe_line(heading, Colour::Strip);
        let mut heading = &*heading;
        for line in safe_text::safe_lines(&message.text, colour) {
            let end = if style.is_empty() { "" } else { RESET };
            self.line(&[style, heading, &line, end].concat());
            heading = "";
        }
    }

    /// What stands before a message's text in a log.
    fn heading(&self, received: &Received) -> String {
        let time = received.when().unwrap_or_else(unix_millis);
        let time = format::clock(time, self.utc_offset);
        let level = received.message.level.map_or("", Level::as_str);
        let mut heading = format!("{time} {level:<5}");
        if let Some(operation) = &received.message.operation {
            heading.extend([" ", operation.as_str(), ":"]);
        }
        heading.push(' ');
        heading
    }

    fn message(&mut self, received: &Received) {
        self.output.messages += 1;
        let message = &received.message;
        match (self.format, self.terminal) {
            // A stream's data in text are the message's text.
            (LineFormat::Text | LineFormat::Raw, None) => self.line(&message.text),
            (LineFormat::Raw, Some(colour)) => {
                for line in safe_text::safe_lines(&message.text, colour) {
                    self.line(&line);
                }
            }
            (LineFormat::Text, Some(colour)) => self.text("", message, colour),
            (LineFormat::Log, terminal) => {
                let heading = self.heading(received);
                match terminal {
                    Some(colour) => self.text(&heading, message, colour),
                    None => self.line(&(heading + &message.text)),
                }
            }
            (LineFormat::Json, terminal) => {
                let object = format::json_object(received);
                if terminal.is_some() {
                    // JSON escapes but the first 32 of what a terminal must not see.
                    let object = String::from_utf8_lossy(&object);
                    self.line(&safe_text::safe_line(&object, Colour::Strip));
                } else {
                    self.output.buffer.extend_from_slice(&object);
                    self.output.buffer.push(b'\n');
                }
            }
        }
    }
}

/// The SGR that a level's lines are set off by on a terminal; empty if they are not.
fn style(level: Option<Level>) -> &'static str {
    match level {
        Some(Level::Error) => "\x1b[31m",
        Some(Level::Warn) => "\x1b[33m",
        Some(Level::Debug | Level::Trace) => "\x1b[2m",
        Some(Level::Info) | None => "",
    }
}

/// Whether stdout and stderr are one terminal, pipe or file (`2>&1`).
fn is_stderr_stdout() -> bool {
    use rustix::fs::fstat;
    let (Ok(stdout), Ok(stderr)) = (fstat(io::stdout()), fstat(io::stderr())) else {
        return false;
    };
    (stdout.st_dev, stdout.st_ino) == (stderr.st_dev, stderr.st_ino)
}

/// What to keep of colours, where this is a terminal.
fn terminal(output: &impl IsTerminal) -> Option<Colour> {
    output.is_terminal().then(|| stderr::colour(output))
}

/// A target, written by a thread of its own: a write may block for as long as the reader likes, and
/// signals must be heard meanwhile.
struct Output {
    buffer: Vec<u8>,
    /// How many messages are in the buffer, and how many of them are among the unwritten already.
    messages: u64,
    counted: u64,
    queue: mpsc::Sender<Lines>,
    writer: task::JoinHandle<io::Result<()>>,
    /// How many messages were to be flushed and are not written.
    unwritten: Arc<AtomicU64>,
    /// For how long the writer took nothing more, until the last time that it did.
    blocked: Duration,
    /// Since when it takes nothing more, while it does not.
    blocked_since: Option<Instant>,
}

/// What is written at once.
struct Lines {
    bytes: Vec<u8>,
    messages: u64,
}

/// A count of messages that are not written.
#[derive(Debug)]
pub struct Unwritten(Arc<AtomicU64>);

impl Unwritten {
    /// How many there are now.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Output {
    fn new(target: LineOutput) -> Self {
        let (queue, waiting) = mpsc::channel(WRITES_WAITING);
        let unwritten = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&unwritten);
        let writer = task::spawn_blocking(move || match target {
            LineOutput::Stdout => write_stdout(waiting, &count),
            LineOutput::Stderr => {
                write_stderr(waiting, &count);
                Ok(())
            }
        });
        Self {
            buffer: Vec::new(),
            messages: 0,
            counted: 0,
            queue,
            writer,
            unwritten,
            blocked: Duration::ZERO,
            blocked_since: None,
        }
    }

    async fn flush(&mut self) -> Result<(), Closed> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let fresh = self.messages - std::mem::replace(&mut self.counted, self.messages);
        self.unwritten.fetch_add(fresh, Relaxed);
        if self.queue.capacity() == 0 {
            self.blocked_since.get_or_insert_with(Instant::now);
        }
        // Only what is taken off the buffer is on its way: a flush that is given up loses nothing.
        let place = self.queue.reserve().await.map_err(|_| Closed)?;
        if let Some(since) = self.blocked_since.take() {
            self.blocked += since.elapsed();
        }
        let next = Vec::with_capacity(self.buffer.capacity().min(2 * WRITE_BYTES));
        let bytes = std::mem::replace(&mut self.buffer, next);
        let messages = std::mem::take(&mut self.messages);
        self.counted = 0;
        place.send(Lines { bytes, messages });
        Ok(())
    }

    async fn finish(self) -> io::Result<()> {
        drop(self.queue);
        match self.writer.await {
            Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

fn write_stdout(mut waiting: mpsc::Receiver<Lines>, unwritten: &AtomicU64) -> io::Result<()> {
    let mut stdout = streams::stdout();
    while let Some(lines) = waiting.blocking_recv() {
        stdout.write_all(&lines.bytes)?;
        stdout.flush()?;
        unwritten.fetch_sub(lines.messages, Relaxed);
    }
    Ok(())
}

fn write_stderr(mut waiting: mpsc::Receiver<Lines>, unwritten: &AtomicU64) {
    while let Some(lines) = waiting.blocking_recv() {
        stderr::lines_apart(&lines.bytes);
        unwritten.fetch_sub(lines.messages, Relaxed);
    }
}
