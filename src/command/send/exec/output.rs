//! Reads a command's output. While slow readers hold the server back, it is not read on: the pipe fills, and the
//! command has to wait. While the server is away, the command does not wait: what does not fit into the queue is
//! dropped and counted, and a message reports it.

use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::command::send::batch::Batch;
use crate::command::send::delivery::{self, Tally};
use crate::command::send::lines::Lines;
use crate::command::send::queue::{READ_BYTES, Room, Sender};
use crate::message::Message;
use crate::terminal::streams;

/// How long the output may stay open after the command's end, if something that it started holds it.
const LINGER: Duration = Duration::from_secs(2);
/// Capacity of a pipe (the system's greatest default), in bytes: this much may still be in it at the command's end.
const PIPE_BYTES: usize = 1 << 20;

/// One stream of a command's output.
pub(super) struct Output {
    pub(super) from: Pin<Box<dyn AsyncRead + Send>>,
    pub(super) lines: Lines,
    /// The prototype of the message that reports dropped lines, and how many lines are still to be reported.
    pub(super) notice: Message,
    pub(super) dropped: u64,
    pub(super) queue: Sender,
    pub(super) tally: Arc<Tally>,
    /// Where the output is also shown.
    pub(super) copy: Option<Shown>,
}

/// Where output is also shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    Stdout,
    Stderr,
}

impl Shown {
    /// Writes all bytes, on a thread of its own: a slow reader may block it.
    async fn write(self, bytes: &[u8]) -> io::Result<()> {
        let bytes = bytes.to_vec();
        let writing = tokio::task::spawn_blocking(move || match self {
            Self::Stdout => {
                let mut stdout = streams::stdout();
                stdout.write_all(&bytes)?;
                stdout.flush()
            }
            Self::Stderr => streams::stderr().write_all(&bytes),
        });
        writing.await?
    }
}

/// Why the output ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputEnd {
    /// Nobody can write to it any more.
    Closed,
    /// The command has ended, but something else still holds it.
    Held,
}

enum Next {
    Read(io::Result<usize>),
    Due,
    Given(OutputEnd),
}

impl Output {
    /// Reads to the end.
    pub(super) async fn read(mut self) -> OutputEnd {
        let mut buffer = vec![0; READ_BYTES];
        let mut spare = PIPE_BYTES;
        let mut lingered = pin!(lingered(self.tally.ended()));
        loop {
            // Waits for room first, so that what is read can be queued without delay.
            let room = tokio::select! {
                biased;
                room = self.queue.room() => match room {
                    Some(room) => Some(room),
                    None => return OutputEnd::Closed,
                },
                () = self.tally.away() => None,
            };
            let room = match room {
                Some(room) if self.dropped > 0 => {
                    self.tell_dropped(room);
                    continue;
                }
                room => room,
            };
            let due = self.lines.due(now());
            let next = tokio::select! {
                biased;
                read = self.from.read(&mut buffer) => Next::Read(read),
                () = at(due) => Next::Due,
                () = &mut lingered => Next::Given(OutputEnd::Held),
                () = self.tally.back(), if self.dropped > 0 => continue,
            };
            let mut length = 0;
            let (batch, left) = match next {
                Next::Due => (self.lines.expire(now()), None),
                Next::Given(left) => (self.lines.finish(), Some(left)),
                Next::Read(Ok(read @ 1..)) => {
                    length = read;
                    self.show(&buffer[..read]).await;
                    if self.is_late() {
                        spare = spare.saturating_sub(read);
                    }
                    let batch = self.lines.push(&buffer[..read], now());
                    (batch, (spare == 0).then_some(OutputEnd::Held))
                }
                // On a pseudo-terminal, the end is an error (EIO).
                Next::Read(_) => (self.lines.finish(), Some(OutputEnd::Closed)),
            };
            self.enqueue(batch, length, room).await;
            if let Some(left) = left {
                if self.dropped > 0
                    && let Some(room) = self.queue.room().await
                {
                    self.tell_dropped(room);
                }
                return left;
            }
        }
    }

    /// Queues what a read of `length` bytes has produced, or drops it if there is no room.
    async fn enqueue(&mut self, mut batch: Batch, length: usize, room: Option<Room>) {
        if batch.lines == 0 {
            return;
        }
        let room = if room.is_some() {
            room
        } else {
            tokio::select! {
                biased;
                room = self.queue.room() => room,
                () = self.tally.away() => None,
            }
        };
        let Some(room) = room else {
            self.tally.dropped(batch.lines);
            self.dropped += batch.lines;
            return;
        };
        if self.dropped > 0 {
            let mut notice = self.notice();
            notice.append(batch);
            batch = notice;
        }
        self.tally.read(batch.lines);
        self.queue.send(batch, length, room);
    }

    /// Returns the message that reports how many lines were dropped.
    fn notice(&mut self) -> Batch {
        let dropped = std::mem::take(&mut self.dropped);
        self.notice.text = format!(
            "{} here, while the server was away",
            delivery::lines(dropped, "dropped")
        );
        Batch::of(&self.notice)
    }

    fn tell_dropped(&mut self, room: Room) {
        let notice = self.notice();
        self.tally.read(notice.lines);
        self.queue.send(notice, 0, room);
    }

    async fn show(&mut self, bytes: &[u8]) {
        if let Some(copy) = &mut self.copy
            && copy.write(bytes).await.is_err()
        {
            // The reader of the copy is gone; messages are still sent.
            self.copy = None;
        }
    }

    /// Returns whether the command ended so long ago that only processes which it left behind can still write.
    fn is_late(&self) -> bool {
        self.tally.has_ended_for(LINGER)
    }
}

/// Waits until [`LINGER`] after the command's end.
async fn lingered(mut ended: watch::Receiver<Option<Instant>>) {
    let at = ended
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|it| *it);
    if let Some(at) = at {
        sleep_until(at + LINGER).await;
    }
}

async fn at(due: Option<std::time::Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
