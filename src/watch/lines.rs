//! Pipe mode: messages as lines on stdout, everything else on stderr. With a command, stdout is the command's, and
//! messages go to stderr too.

pub mod line_loop;
mod output;
mod progress;

use std::io::{self, IsTerminal};
use std::time::Duration;

use serde_json::json;

pub use output::{Closed, LineOutput, Unwritten};

use super::format;
use super::model::Model;
use crate::client::subscribe::{Received, Update};
use crate::duration;
use crate::event::{End, unix_millis};
use crate::message::{Level, Message};
use crate::terminal::safe_text::{self, Colour};
use crate::terminal::stderr;
use crate::wire::json;

use output::Output;
use progress::ProgressLine;

/// Resets what [`style`] sets.
const RESET: &str = "\x1b[0m";

/// How messages are written on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LineFormat {
    /// The text; it may have several lines
    Text,
    /// Time, level, operation and text, like a log file
    Log,
    /// NDJSON: one object per line, with id and time
    Json,
    /// The stream's data unchanged; still made safe for a terminal
    Raw,
}

/// Writes updates as lines.
pub struct Pipe {
    format: LineFormat,
    /// Whether messages and everything else go to the same place, and so must stay in order.
    is_together: bool,
    /// Set if the output is a terminal, which foreign text must not control.
    terminal: Option<Colour>,
    /// Offset of local time from UTC, in seconds.
    utc_offset: i32,
    output: Output,
    progress: Option<ProgressLine>,
}

impl Pipe {
    /// Creates a view that writes lines in `format` to `target`, with a progress line below all others on stderr.
    #[must_use]
    pub fn new(target: LineOutput, format: LineFormat) -> Self {
        let terminal = match target {
            LineOutput::Stdout => terminal(&io::stdout()),
            LineOutput::Stderr => terminal(&io::stderr()),
        };
        // Messages and the progress line would mix if they reached one terminal through two writers.
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

    /// Returns whether it shows progress, so that the model has to follow operations.
    #[must_use]
    pub fn shows_progress(&self) -> bool {
        self.progress.is_some()
    }

    /// Writes a line of the watcher's own between the messages.
    pub fn line(&mut self, line: &str) {
        self.output.line(line.as_bytes());
    }

    /// Shows an update. A message is written by the next [`Pipe::flush`].
    pub fn show(&mut self, update: &Update) {
        if let Some(progress) = &mut self.progress {
            progress.note_change();
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

    /// Returns whether the buffer is full enough for a write.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.output.is_full()
    }

    /// Returns whether the progress line should be redrawn now, for a stream that never pauses.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.progress.as_ref().is_some_and(ProgressLine::is_due)
    }

    /// Waits until the progress line should be redrawn.
    pub async fn due(&self) {
        match &self.progress {
            Some(progress) => progress.due().await,
            None => std::future::pending().await,
        }
    }

    /// Draws the progress line.
    pub fn draw(&mut self, model: &Model, now: Duration) {
        if let (Some(progress), Some(operations)) = (&mut self.progress, model.operations()) {
            progress.draw(operations, now);
        }
    }

    /// Passes the buffer to the writer. Waits if too many writes are waiting already.
    ///
    /// # Errors
    /// [`Closed`] if the reader closed the output.
    pub async fn flush(&mut self) -> Result<(), Closed> {
        self.output.flush().await
    }

    /// Returns how long messages have waited for the reader, in all.
    #[must_use]
    pub fn blocked(&self) -> Duration {
        self.output.blocked()
    }

    /// Returns a count of the messages that were shown but not written; it stays valid after [`Pipe::finish`].
    #[must_use]
    pub fn unwritten(&self) -> Unwritten {
        self.output.unwritten()
    }

    /// Waits until the reader has closed the output, which is noticed at the first write that fails.
    pub async fn closed(&self) {
        self.output.closed().await;
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// If stdout cannot be written; a closed pipe is not an error.
    pub async fn finish(mut self) -> io::Result<()> {
        self.progress = None;
        // If stdout is closed, the writer's own error says more.
        let _ = self.flush().await;
        self.output.finish().await
    }

    /// Shows a line that is not a message.
    fn aside(&mut self, text: &str) {
        if self.is_together {
            let line = stderr::aside_line(text);
            self.output.append(line.as_bytes());
        } else {
            stderr::aside(text);
        }
    }

    /// Writes a text to a terminal, in its level's colour unless it has colours of its own.
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

    /// Returns the beginning of a message's line in log format.
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
        self.output.count_message();
        let message = &received.message;
        match (self.format, self.terminal) {
            // In text, the stream's data is the message's text.
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
                    // JSON escapes only the first 32 of the characters that must not reach a terminal.
                    let object = String::from_utf8_lossy(&object);
                    self.line(&safe_text::safe_line(&object, Colour::Strip));
                } else {
                    self.output.line(&object);
                }
            }
        }
    }
}

/// Returns the SGR sequence for a level's lines on a terminal; empty if there is none.
fn style(level: Option<Level>) -> &'static str {
    match level {
        Some(Level::Error) => "\x1b[31m",
        Some(Level::Warn) => "\x1b[33m",
        Some(Level::Debug | Level::Trace) => "\x1b[2m",
        Some(Level::Info) | None => "",
    }
}

/// Returns whether stdout and stderr are the same terminal, pipe or file (`2>&1`).
fn is_stderr_stdout() -> bool {
    use rustix::fs::fstat;
    let (Ok(stdout), Ok(stderr)) = (fstat(io::stdout()), fstat(io::stderr())) else {
        return false;
    };
    (stdout.st_dev, stdout.st_ino) == (stderr.st_dev, stderr.st_ino)
}

/// Returns which colours to keep, if the output is a terminal.
fn terminal(output: &impl IsTerminal) -> Option<Colour> {
    output.is_terminal().then(|| stderr::colour(output))
}
