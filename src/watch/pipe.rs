//! Pipe mode: a line a message on stdout, everything else on stderr.

use std::io::{self, Write};

use serde_json::json;
use tokio::{sync::mpsc, task};

use crate::{
    client::feed::{Received, Update},
    event::End,
    talk,
    text::{self, Colour},
    wire::json,
};

/// So many bytes of lines are gathered into one write, at the most.
const WRITE_BYTES: usize = 64 * 1024;
/// So many writes may wait for a slow reader of stdout before the stream is not read any more.
const WRITES_WAITING: usize = 4;

/// How messages are written on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LineFormat {
    /// The text, many lines where it has many
    Text,
    /// NDJSON: an object a line, with id and time
    Json,
    /// The text as it came, control characters too, even on a terminal
    Raw,
}

/// Writes updates as lines.
pub struct Pipe {
    format: LineFormat,
    /// Set where a terminal is written to, which foreign text must not control.
    terminal: Option<Colour>,
    output: Output,
}

/// Stdout is closed: nobody reads any more.
#[derive(Debug)]
pub struct Closed;

impl Pipe {
    /// Lines in `format` on stdout; for a terminal, say whether to keep colours.
    #[must_use]
    pub fn new(format: LineFormat, terminal: Option<Colour>) -> Self {
        Self {
            format,
            terminal,
            output: Output::new(),
        }
    }

    /// Writes a line of our own on stdout.
    pub fn line(&mut self, line: &str) {
        self.output.buffer.extend_from_slice(line.as_bytes());
        self.output.buffer.push(b'\n');
    }

    /// Shows an update. On stdout it is there after the next [`Pipe::flush`].
    pub fn show(&mut self, update: &Update) {
        match update {
            Update::Message(received) if received.message.system => {
                talk::aside(&received.message.text);
            }
            Update::Message(received) => self.message(received),
            Update::Gap(gap) => {
                talk::aside(&gap.to_string());
                if self.format == LineFormat::Json {
                    let mut object: serde_json::Value =
                        serde_json::from_slice(&json::gap_object(*gap)).unwrap_or_default();
                    object["event"] = json!("gap");
                    self.line(&object.to_string());
                }
            }
            Update::End(end) => {
                talk::aside(match end {
                    End::Stopped => "stopped",
                    End::Idle => "ended: nothing happened for the idle timeout",
                });
                if self.format == LineFormat::Json {
                    self.line(&json!({"event": "end", "reason": end.as_str()}).to_string());
                }
            }
            Update::Gone => talk::aside("this client's stream has ended"),
            Update::Retrying {
                attempt,
                delay,
                reason,
            } => {
                let delay = talk::duration(*delay);
                talk::line(&format!(
                    "reconnecting, try {attempt} in {delay} ({reason})"
                ));
            }
            Update::Connected { .. } | Update::Heartbeat => {}
        }
    }

    /// Whether enough has gathered for a write.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.output.buffer.len() >= WRITE_BYTES
    }

    /// Hands what was shown to stdout. Waits while too much waits there already.
    ///
    /// # Errors
    /// [`Closed`], where nobody reads stdout any more.
    pub async fn flush(&mut self) -> Result<(), Closed> {
        self.output.flush().await
    }

    /// Waits until nobody reads stdout any more, which shows at the first write that fails.
    pub async fn closed(&self) {
        self.output.queue.closed().await;
    }

    /// Waits until all is written.
    ///
    /// # Errors
    /// Where stdout cannot be written; a closed pipe is none.
    pub async fn finish(mut self) -> io::Result<()> {
        // A closed stdout says so again, and better, when its writer is asked.
        let _ = self.flush().await;
        self.output.finish().await
    }

    fn message(&mut self, received: &Received) {
        let message = &received.message;
        match (self.format, self.terminal) {
            // A stream's data in text are the message's text.
            (LineFormat::Text, None) | (LineFormat::Raw, _) => self.line(&message.text),
            (LineFormat::Text, Some(colour)) => {
                for line in text::safe_lines(&message.text, colour) {
                    self.line(&line);
                }
            }
            (LineFormat::Json, terminal) => {
                let object = json::stamped_object(&received.id, received.time, message);
                if terminal.is_some() {
                    // JSON escapes but the first 32 of what a terminal must not see.
                    let object = String::from_utf8_lossy(&object);
                    self.line(&text::safe_line(&object, Colour::Strip));
                } else {
                    self.output.buffer.extend_from_slice(&object);
                    self.output.buffer.push(b'\n');
                }
            }
        }
    }
}

/// Stdout, written by a thread of its own: a write may block for as long as the reader likes, and
/// signals must be heard meanwhile.
struct Output {
    buffer: Vec<u8>,
    queue: mpsc::Sender<Vec<u8>>,
    writer: task::JoinHandle<io::Result<()>>,
}

impl Output {
    fn new() -> Self {
        let (queue, mut waiting) = mpsc::channel::<Vec<u8>>(WRITES_WAITING);
        let writer = task::spawn_blocking(move || {
            let mut stdout = io::stdout().lock();
            while let Some(bytes) = waiting.blocking_recv() {
                stdout.write_all(&bytes)?;
                stdout.flush()?;
            }
            Ok(())
        });
        Self {
            buffer: Vec::new(),
            queue,
            writer,
        }
    }

    async fn flush(&mut self) -> Result<(), Closed> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        // Only what is taken off the buffer is on its way: a flush that is given up loses nothing.
        let place = self.queue.reserve().await.map_err(|_| Closed)?;
        place.send(std::mem::take(&mut self.buffer));
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
