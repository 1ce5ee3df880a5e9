//! What was read, on its way to the server, and what became of it.

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

/// A server that has not answered for so long is asked whether it is there, and has as long to say so.
const LOOK: Duration = Duration::from_secs(2);
/// How long a server is away before anything is dropped: a network that fails for a moment loses nothing.
const GRACE: Duration = Duration::from_secs(2);

/// How many lines were read, whether there may be more, and how many of them the server has.
#[derive(Debug)]
pub(super) struct Tally {
    read: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    /// Since when the server does not take anything, if it does not: it is away, or refuses for a while. One that is there, but holds
    /// a request back since readers are slow, is not.
    away: watch::Sender<Option<Instant>>,
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
            dropped: AtomicU64::new(0),
            away: watch::Sender::new(None),
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

    /// Lines were read that could not be held while the server was away.
    pub(super) fn dropped(&self, lines: u64) {
        self.dropped.fetch_add(lines, Relaxed);
    }

    /// Ready while the server is away for so long that what cannot be held is dropped.
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

    /// Ready while the server is not away.
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

    /// Says how many lines were dropped.
    pub(super) fn report_dropped(&self) {
        let dropped = self.dropped.load(Relaxed);
        if dropped > 0 {
            let text = format!("{} while the server was away", lines(dropped, "dropped"));
            stderr::line(&text);
        }
    }

    /// Says how many lines were not delivered, and why.
    pub(super) fn report(&self, why: &str) {
        let read = lines(self.undelivered(), "read");
        stderr::line(&format!("{read} but not delivered: {why}"));
    }
}

/// What happened to some lines: `1 line was read`.
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
        never = look(&client, tally, failed) => match never {},
    };
    tally.set_away(false);
    tally.delivered(match &sent {
        Ok(_) => lines,
        Err(error) => error.accepted().min(lines),
    });
    lock(&outage).over(&sent);
    sent
}

/// Notes whether a server that does not answer is there.
async fn look(client: &Client, tally: &Tally, failed: impl Fn(&str)) -> Infallible {
    loop {
        sleep(LOOK).await;
        if let Ok(true) = timeout(LOOK, client.is_well()).await {
            tally.set_away(false);
        } else {
            failed("no answer");
        }
    }
}

/// A time in which the server takes nothing: told once when it begins, and once when it is over.
#[derive(Debug, Default)]
pub(super) struct Outage {
    is_told: bool,
}

impl Outage {
    /// A try failed, or the server is silent; it goes on.
    pub(super) fn failed(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_told, true) {
            stderr::line_apart(&format!(
                "not delivered yet ({why}); trying again until the server takes it"
            ));
        }
    }

    /// There are no more tries.
    pub(super) fn over<T>(&self, sent: &Result<T, PublishError>) {
        if self.is_told && sent.is_ok() {
            stderr::line_apart("delivered: the server is back");
        }
    }
}
