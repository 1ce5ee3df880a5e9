//! Delivery: sends what was read, and counts what was delivered.

use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::batch::Batch;
use crate::client::Client;
use crate::client::give_up::GiveUp;
use crate::client::publish::{HttpPublisher, PublishError};
use crate::lock::lock;
use crate::terminal::stderr;
use crate::wire::answer::Published;

/// Time without an answer after which the server is probed, and time limit for the probe.
const PROBE: Duration = Duration::from_secs(2);
/// How long the server must be away before anything is dropped: a short failure of the network loses nothing.
const GRACE: Duration = Duration::from_secs(2);

/// Counts of lines read and delivered, and the state of the input and the server.
#[derive(Debug)]
pub(super) struct Tally {
    read: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    /// Since when the server has been away: it does not answer, or refuses for a while. A server that only holds a
    /// request back for slow readers is not away.
    away: watch::Sender<Option<Instant>>,
    enough: AtomicBool,
    /// Since when the input has ended; `None` while it is open.
    ended: watch::Sender<Option<Instant>>,
}

impl Tally {
    /// Creates the tally of an input that has not begun. It counts as ended, because there is nothing to wait for yet.
    pub(super) fn new() -> Self {
        Self {
            read: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            away: watch::Sender::new(None),
            enough: AtomicBool::new(false),
            ended: watch::Sender::new(Some(Instant::now())),
        }
    }

    /// Notes that the input is open.
    pub(super) fn input_begins(&self) {
        self.ended.send_replace(None);
    }

    /// Notes that the input has ended; lines may still be unread.
    pub(super) fn input_ends(&self) {
        self.ended.send_if_modified(|ended| {
            let is_news = ended.is_none();
            ended.get_or_insert_with(Instant::now);
            is_news
        });
    }

    /// Returns since when the input has ended; `None` while it is open.
    pub(super) fn ended(&self) -> watch::Receiver<Option<Instant>> {
        self.ended.subscribe()
    }

    /// Returns whether the input ended longer ago than this.
    pub(super) fn has_ended_for(&self, time: Duration) -> bool {
        self.ended.borrow().is_some_and(|it| it.elapsed() > time)
    }

    /// Returns when to give up: never while there is input, and `limit` after its end.
    pub(super) fn give_up(&self, limit: Duration) -> GiveUp {
        GiveUp::new(self.ended(), limit)
    }

    pub(super) fn read(&self, lines: u64) {
        self.read.fetch_add(lines, Relaxed);
    }

    /// Counts lines that were read and dropped while the server was away.
    pub(super) fn dropped(&self, lines: u64) {
        self.dropped.fetch_add(lines, Relaxed);
    }

    /// Waits until the server has been away for [`GRACE`].
    pub(super) async fn away(&self) {
        let mut away = self.away.subscribe();
        loop {
            let since = away.wait_for(Option::is_some).await;
            let Some(since) = since.ok().and_then(|it| *it) else {
                return;
            };
            tokio::select! {
                () = sleep_until(since + GRACE) => return,
                _ = away.wait_for(|it| *it != Some(since)) => {}
            }
        }
    }

    /// Waits until the server is not away.
    pub(super) async fn back(&self) {
        let _ = self.away.subscribe().wait_for(Option::is_none).await;
    }

    fn set_away(&self, away: bool) {
        self.away.send_if_modified(|since| {
            let is_news = since.is_some() != away;
            if is_news {
                *since = away.then(Instant::now);
            }
            is_news
        });
    }

    /// Asks the reader to read no more, so that it does not wait for its writer.
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

    /// Prints how many lines were dropped.
    pub(super) fn report_dropped(&self) {
        let dropped = self.dropped.load(Relaxed);
        if dropped > 0 {
            let text = format!("{} while the server was away", lines(dropped, "dropped"));
            stderr::line(&text);
        }
    }

    /// Prints how many lines were not delivered, and why.
    pub(super) fn report(&self, why: &str) {
        let read = lines(self.undelivered(), "read");
        stderr::line(&format!("{read} but not delivered: {why}"));
    }
}

/// Formats what happened to some lines: `1 line was read`.
pub(super) fn lines(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 line was {what}"),
        count => format!("{count} lines were {what}"),
    }
}

/// Sends what was read until it is acknowledged, and counts it.
pub(super) async fn deliver(
    publisher: &mut HttpPublisher,
    batch: Batch,
    tally: &Tally,
) -> Result<Published, PublishError> {
    let lines = batch.lines;
    let outage = Mutex::new(Outage::default());
    let failed = |why: &str| {
        tally.set_away(true);
        lock(&outage).failed(why);
    };
    let client = publisher.client().clone();
    let sent = tokio::select! {
        sent = publisher.send(Bytes::from(batch.body), lines, |it| failed(&it.reason)) => sent,
        never = probe(&client, tally, failed) => match never {},
    };
    tally.set_away(false);
    tally.delivered(match &sent {
        Ok(_) => lines,
        Err(error) => error.accepted().min(lines),
    });
    lock(&outage).over(&sent);
    sent
}

/// Probes a server that does not answer, and notes whether it is away.
async fn probe(client: &Client, tally: &Tally, failed: impl Fn(&str)) -> Infallible {
    loop {
        sleep(PROBE).await;
        if let Ok(true) = timeout(PROBE, client.is_healthy()).await {
            tally.set_away(false);
        } else {
            failed("no answer");
        }
    }
}

/// An outage of the server, which is reported when it begins and when it ends.
#[derive(Debug, Default)]
pub(super) struct Outage {
    is_told: bool,
}

impl Outage {
    /// Notes that an attempt failed, or that the server does not answer.
    pub(super) fn failed(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_told, true) {
            stderr::line_apart(&format!(
                "not delivered yet ({why}); trying again until the server accepts it"
            ));
        }
    }

    /// Notes that there are no more attempts.
    pub(super) fn over<T>(&self, sent: &Result<T, PublishError>) {
        if self.is_told && sent.is_ok() {
            stderr::line_apart("delivered: the server is back");
        }
    }
}
