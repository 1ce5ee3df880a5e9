//! What was read, on its way to the server: all that waits goes into one request, and what stands
//! there is counted.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::lines::Batch;
use crate::client::give_up::GiveUp;
use crate::client::publish::{HttpPublisher, PublishError, Retry};
use crate::terminal::stderr;
use crate::wire::answer::Published;

/// A request carries at most so many bytes of ndjson, unless a single line has more.
const BATCH_BYTES: usize = 1 << 20;
/// So many reads may wait to be sent before no more is read.
pub(super) const READS_WAITING: usize = 16;
/// So much is read at once.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// How many lines were read, whether there may be more, and how many of them the server has.
#[derive(Debug)]
pub(super) struct Tally {
    read: AtomicU64,
    delivered: AtomicU64,
    enough: AtomicBool,
    /// Since when nobody writes any; `None` while somebody does.
    ended: watch::Sender<Option<Instant>>,
}

impl Tally {
    /// Of an input that has not begun: there is nothing to wait for, as after its end.
    pub(super) fn new() -> Self {
        Self {
            read: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            enough: AtomicBool::new(false),
            ended: watch::Sender::new(Some(Instant::now())),
        }
    }

    /// Somebody begins to write lines.
    pub(super) fn input_begins(&self) {
        self.ended.send_replace(None);
    }

    /// Nobody writes any more; lines may still wait to be read.
    pub(super) fn input_ends(&self) {
        self.ended.send_if_modified(|ended| {
            let is_news = ended.is_none();
            ended.get_or_insert_with(Instant::now);
            is_news
        });
    }

    /// Since when nobody writes lines; `None` while somebody does.
    pub(super) fn ended(&self) -> watch::Receiver<Option<Instant>> {
        self.ended.subscribe()
    }

    /// Whether nobody has written lines for longer than that.
    pub(super) fn has_ended_for(&self, time: Duration) -> bool {
        self.ended.borrow().is_some_and(|it| it.elapsed() > time)
    }

    /// Patience without end while there is input, and up to `limit` after it.
    pub(super) fn patience(&self, limit: Duration) -> GiveUp {
        GiveUp::new(self.ended(), limit)
    }

    pub(super) fn read(&self, lines: u64) {
        self.read.fetch_add(lines, Relaxed);
    }

    /// Asks whoever reads to read no more: whoever writes is not waited for.
    pub(super) fn stop_reading(&self) {
        self.enough.store(true, Relaxed);
        self.input_ends();
    }

    pub(super) fn has_enough(&self) -> bool {
        self.enough.load(Relaxed)
    }

    fn delivered(&self, lines: u64) {
        self.delivered.fetch_add(lines, Relaxed);
    }

    pub(super) fn undelivered(&self) -> u64 {
        let delivered = self.delivered.load(Relaxed);
        self.read.load(Relaxed).saturating_sub(delivered)
    }

    /// Says how many lines were not delivered, and why.
    pub(super) fn report(&self, why: &str) {
        let lines = match self.undelivered() {
            1 => "1 line was".to_owned(),
            lines => format!("{lines} lines were"),
        };
        stderr::line(&format!("{lines} read but not delivered: {why}"));
    }
}

/// All that waits, up to a request's worth; `None` once there is no more. Giving it up loses nothing.
pub(super) async fn next_batch(waiting: &mut mpsc::Receiver<Batch>) -> Option<Batch> {
    let mut batch = waiting.recv().await?;
    while batch.body.len() < BATCH_BYTES
        && let Ok(more) = waiting.try_recv()
    {
        batch.append(more);
    }
    Some(batch)
}

/// Sends what was read until it is acknowledged, and counts it.
pub(super) async fn deliver(
    publisher: &mut HttpPublisher,
    batch: Batch,
    tally: &Tally,
) -> Result<Published, PublishError> {
    let lines = batch.lines;
    let sent = send(publisher, batch).await;
    tally.delivered(match &sent {
        Ok(_) => lines,
        Err(error) => error.accepted().min(lines),
    });
    sent
}

/// Sends a batch until it is acknowledged.
pub(super) async fn send(
    publisher: &mut HttpPublisher,
    batch: Batch,
) -> Result<Published, PublishError> {
    let body = Bytes::from(batch.body);
    publisher.send(body, batch.lines, report).await
}

fn report(retry: Retry) {
    let Retry {
        attempt,
        delay,
        reason,
    } = retry;
    let delay = stderr::duration(delay);
    stderr::line(&format!(
        "not delivered yet, try {attempt} in {delay} ({reason})"
    ));
}
