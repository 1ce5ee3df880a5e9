//! What was read, on its way to the server, and what became of it.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::batch::Batch;
use crate::client::Client;
use crate::client::give_up::GiveUp;
use crate::client::publish::{HttpPublisher, PublishError, Retry};
use crate::terminal::stderr;
use crate::wire::answer::Published;

/// A server that has not answered for so long is asked whether it is there, and has as long to say so.
const LOOK: Duration = Duration::from_secs(2);

/// How many lines were read, whether there may be more, and how many of them the server has.
#[derive(Debug)]
pub(super) struct Tally {
    read: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    /// Whether the server does not take anything now: it is away, or refuses for a while. One that is there, but holds
    /// a request back since readers are slow, is not.
    away: watch::Sender<bool>,
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
            away: watch::Sender::new(false),
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

    /// Whether the server is away.
    pub(super) fn is_away(&self) -> bool {
        *self.away.borrow()
    }

    /// Ready while the server is away.
    pub(super) async fn away(&self) {
        let _ = self.away.subscribe().wait_for(|it| *it).await;
    }

    fn set_away(&self, away: bool) {
        self.away
            .send_if_modified(|it| std::mem::replace(it, away) != away);
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
    let mut outage = Outage::default();
    let client = publisher.client().clone();
    let sent = tokio::select! {
        sent = publisher.send(Bytes::from(batch.body), lines, |retry| {
            tally.set_away(true);
            outage.failed(&retry);
        }) => sent,
        never = look(&client, tally) => match never {},
    };
    tally.set_away(false);
    tally.delivered(match &sent {
        Ok(_) => lines,
        Err(error) => error.accepted().min(lines),
    });
    outage.over(&sent);
    sent
}

/// Notes whether a server that does not answer is there.
async fn look(client: &Client, tally: &Tally) -> std::convert::Infallible {
    loop {
        sleep(LOOK).await;
        let is_well = matches!(timeout(LOOK, client.is_well()).await, Ok(true));
        tally.set_away(!is_well);
    }
}

/// A time in which the server takes nothing: told once when it begins, and once when it is over.
#[derive(Debug, Default)]
pub(super) struct Outage {
    is_told: bool,
}

impl Outage {
    /// A try failed; another one follows.
    pub(super) fn failed(&mut self, retry: &Retry) {
        if !std::mem::replace(&mut self.is_told, true) {
            stderr::line_apart(&format!(
                "not delivered yet ({}); trying again until the server takes it",
                retry.reason
            ));
        }
    }

    /// There are no more tries.
    pub(super) fn over<T>(self, sent: &Result<T, PublishError>) {
        if self.is_told && sent.is_ok() {
            stderr::line_apart("delivered: the server is back");
        }
    }
}
