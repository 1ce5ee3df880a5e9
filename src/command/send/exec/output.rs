//! Reading what a command writes. It is read no faster than slow readers let the server take it: what is not read
//! fills the pipe, and that holds the command back. A server that is away holds no command back: what the queue
//! cannot hold is dropped and counted, and the messages tell so in its place.

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

/// So long after the command's end its output may stay open: something that it started holds it.
const LINGER: Duration = Duration::from_secs(2);
/// What a pipe can hold (the system's greatest default): so much may still be in it by then.
const PIPE_BYTES: usize = 1 << 20;

/// One stream of a command's output.
pub(super) struct Output {
    pub(super) from: Pin<Box<dyn AsyncRead + Send>>,
    pub(super) lines: Lines,
    /// What the message is like that tells of lines that were dropped, and how many those are that it has not told of.
    pub(super) notice: Message,
    pub(super) dropped: u64,
    pub(super) queue: Sender,
    pub(super) tally: Arc<Tally>,
    /// Where the bytes are to be shown, too.
    pub(super) copy: Option<Shown>,
}

/// Where output is shown, too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    Stdout,
    Stderr,
}

impl Shown {
    /// Writes all of it. On a thread of its own: whoever reads it takes the time that he likes.
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

/// Why there is no more of it.
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
            // Room first: what is read can then be handed on, and no time is lost between.
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
                // A terminal whose other side is gone is an error (EIO), not an end.
                Next::Read(_) => (self.lines.finish(), Some(OutputEnd::Closed)),
            };
            self.hand_on(batch, length, room).await;
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

    /// Hands on what a read of so many bytes has made, or drops it if there is no room.
    async fn hand_on(&mut self, mut batch: Batch, length: usize, room: Option<Room>) {
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

    /// The message that tells how many lines were dropped.
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
            // Whoever looked at it has seen enough; the messages still go out.
            self.copy = None;
        }
    }

    /// Whether the command has ended for so long that only what it left behind is still read.
    fn is_late(&self) -> bool {
        self.tally.has_ended_for(LINGER)
    }
}

/// Ready once the command has been gone for [`LINGER`].
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
