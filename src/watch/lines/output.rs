//! Where lines go: stdout or stderr, written by a thread of its own.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task;
use tokio::time::Instant;

use crate::terminal::stderr;
use crate::terminal::streams;

/// Upper bound of one gathered write, in bytes.
const WRITE_BYTES: usize = 64 * 1024;
/// How many writes may wait for a slow reader of stdout before the stream is no longer read.
const WRITES_WAITING: usize = 4;

/// Where messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOutput {
    /// Stdout; everything else goes to stderr.
    Stdout,
    /// Stderr, together with everything else.
    Stderr,
}

/// The output was closed by its reader.
#[derive(Debug)]
pub struct Closed;

/// An output with a thread of its own that writes it: a write may block as long as the reader likes, and
/// signals must be handled meanwhile.
pub(super) struct Output {
    buffer: Vec<u8>,
    /// How many messages are in the buffer, and how many of those are already counted in `unwritten`.
    messages: u64,
    counted: u64,
    queue: mpsc::Sender<Lines>,
    writer: task::JoinHandle<io::Result<()>>,
    /// How many messages were passed to a flush but are not written.
    unwritten: Arc<AtomicU64>,
    /// How long the writer's queue was full, not counting the current time.
    blocked: Duration,
    /// Since when the writer's queue has been full, if it is.
    blocked_since: Option<Instant>,
}

/// The bytes of one write.
struct Lines {
    bytes: Vec<u8>,
    messages: u64,
}

/// A live count of messages that are not written.
#[derive(Debug)]
pub struct Unwritten(Arc<AtomicU64>);

impl Unwritten {
    /// Returns the current count.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Output {
    pub(super) fn new(target: LineOutput) -> Self {
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

    /// Appends text with its line ends.
    pub(super) fn append(&mut self, text: &[u8]) {
        self.buffer.extend_from_slice(text);
    }

    /// Appends a line.
    pub(super) fn line(&mut self, line: &[u8]) {
        self.append(line);
        self.buffer.push(b'\n');
    }

    /// Counts a message whose lines come next.
    pub(super) fn count_message(&mut self) {
        self.messages += 1;
    }

    /// Returns whether the buffer is full enough for a write.
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= WRITE_BYTES
    }

    /// Returns how long messages have waited for the reader, in all.
    pub(super) fn blocked(&self) -> Duration {
        let now = self.blocked_since.map(|it| it.elapsed());
        self.blocked + now.unwrap_or_default()
    }

    /// Returns a live count of the messages that were flushed but not written.
    pub(super) fn unwritten(&self) -> Unwritten {
        Unwritten(Arc::clone(&self.unwritten))
    }

    /// Waits until the reader has closed the output.
    pub(super) async fn closed(&self) {
        self.queue.closed().await;
    }

    /// Passes the buffer to the writer. Waits while [`WRITES_WAITING`] writes are waiting.
    pub(super) async fn flush(&mut self) -> Result<(), Closed> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let fresh = self.messages - std::mem::replace(&mut self.counted, self.messages);
        self.unwritten.fetch_add(fresh, Relaxed);
        if self.queue.capacity() == 0 {
            self.blocked_since.get_or_insert_with(Instant::now);
        }
        // The buffer is emptied only after this wait: a cancelled flush loses nothing.
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

    /// Waits until everything is written; a closed pipe is not an error.
    pub(super) async fn finish(self) -> io::Result<()> {
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
