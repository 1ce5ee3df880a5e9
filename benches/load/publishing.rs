//! Works with publishers and subscribers: `fanout`, `publish8`, `publish32`, `ndjson`.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::task::JoinSet;

use crate::{
    Scale,
    http::{self, Connection},
    process::Server,
    table::Figure,
    tally::{Tally, text},
};

/// The length of a message's text, in bytes.
const TEXT_BYTES: usize = 120;
/// The number of messages in an NDJSON body.
pub(crate) const BATCH: u64 = 500;
const NDJSON_IDS: usize = 100;
pub(crate) const NDJSON_PUBLISHERS: usize = 4;
const FANOUT_SUBSCRIBERS: usize = 1_000;
pub(crate) const FANOUT_PUBLISHERS: usize = 4;
/// The number of messages that may be in transit to 1,000 subscribers: far fewer than would be lost, and far more than
/// are needed to keep a server busy.
const FANOUT_WINDOW: u64 = 64;
const PUBLISH_IDS: usize = 1_000;

/// Client IDs with subscribers, and the counts of what these get.
pub(crate) struct Readers {
    pub(crate) tally: Rc<Tally>,
    ids: Vec<String>,
    /// The number of subscribers of each ID.
    subscribers: usize,
}

impl Readers {
    pub(crate) async fn open(
        server: &Server,
        ids: usize,
        subscribers: usize,
    ) -> anyhow::Result<Self> {
        let tally = Tally::new(ids);
        let mut control = Connection::open(server.address).await?;
        let mut readers = Self {
            tally,
            ids: Vec::new(),
            subscribers,
        };
        for channel in 0..ids {
            let id = control.connect().await?;
            for _ in 0..subscribers {
                let tally = &readers.tally;
                tally.subscribe(server.address, &id, channel).await?;
            }
            readers.ids.push(id);
        }
        Ok(readers)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// Returns the number of deliveries of `messages`.
    pub(crate) fn deliveries(&self, messages: u64) -> u64 {
        messages * self.subscribers as u64
    }
}

/// Sends single messages from `publishers` to one ID with 1,000 subscribers. Also returns the median time of a publish.
pub(crate) async fn fanout(
    server: &Server,
    scale: Scale,
    publishers: usize,
) -> anyhow::Result<(Figure, Duration)> {
    let subscribers = FANOUT_SUBSCRIBERS as u64;
    let readers = Readers::open(server, 1, FANOUT_SUBSCRIBERS).await?;
    let request = Rc::new(http::publication(
        &readers.ids[0],
        "text/plain",
        &text(TEXT_BYTES),
    ));
    let messages = scale.of(3_000);
    let sent = Rc::new(Cell::new(0));
    let times = Rc::new(RefCell::new(Vec::new()));
    let meter = server.meter()?;
    let mut tasks = JoinSet::new();
    for _ in 0..publishers {
        let mut connection = Connection::open(server.address).await?;
        let (tally, request, sent, times) = (
            Rc::clone(&readers.tally),
            Rc::clone(&request),
            Rc::clone(&sent),
            Rc::clone(&times),
        );
        tasks.spawn_local(async move {
            while sent.get() < messages {
                sent.set(sent.get() + 1);
                let due = sent.get().saturating_sub(FANOUT_WINDOW) * subscribers;
                tally.reach(0, due).await?;
                let begun = Instant::now();
                connection.publish(&request).await?;
                times.borrow_mut().push(begun.elapsed());
            }
            anyhow::Ok(())
        });
    }
    all(tasks).await?;
    let deliveries = messages * subscribers;
    readers.tally.complete(deliveries).await?;
    let figure = Figure::rate("fanout", "deliveries", deliveries, meter.took()?);
    let mut times = times.borrow_mut();
    times.sort_unstable();
    Ok((figure, times[times.len() / 2]))
}

/// Sends single messages, one after the other on each of `publishers` connections, to 1,000 IDs in turn.
pub(crate) async fn publish(
    server: &Server,
    scale: Scale,
    row: &'static str,
    publishers: usize,
) -> anyhow::Result<Vec<Figure>> {
    let readers = Readers::open(server, PUBLISH_IDS, 1).await?;
    let meter = server.meter()?;
    let messages = singly(server, &readers, scale.of(160_000), publishers).await?;
    readers.tally.complete(messages).await?;
    Ok(vec![Figure::rate(row, "messages", messages, meter.took()?)])
}

/// Publishes about `messages`, one after the other on each connection. Returns their exact number.
pub(crate) async fn singly(
    server: &Server,
    readers: &Readers,
    messages: u64,
    publishers: usize,
) -> anyhow::Result<u64> {
    let text = text(TEXT_BYTES);
    let request = |id: &String| http::publication(id, "text/plain", &text);
    let requests: Rc<Vec<_>> = Rc::new(readers.ids.iter().map(request).collect());
    let each = messages / publishers as u64;
    let mut tasks = JoinSet::new();
    for publisher in 0..publishers {
        let mut connection = Connection::open(server.address).await?;
        let requests = Rc::clone(&requests);
        tasks.spawn_local(async move {
            let mine = requests.iter().cycle().skip(publisher).step_by(publishers);
            for (request, _) in mine.zip(0..each) {
                connection.publish(request).await?;
            }
            anyhow::Ok(())
        });
    }
    all(tasks).await?;
    Ok(each * publishers as u64)
}

/// Sends bodies of 500 lines from four publishers, each to 25 IDs of its own in turn. The next body for an ID is sent
/// when the one before it has been delivered, since the reference has no flow control.
pub(crate) async fn ndjson(server: &Server, scale: Scale) -> anyhow::Result<Vec<Figure>> {
    let readers = Readers::open(server, NDJSON_IDS, 1).await?;
    let meter = server.meter()?;
    let messages = in_batches(server, &readers, scale.of(50)).await?;
    readers.tally.complete(messages).await?;
    Ok(vec![Figure::rate(
        "ndjson",
        "messages",
        messages,
        meter.took()?,
    )])
}

/// Publishes `rounds` bodies to each ID, all of which have received the same number of messages. Returns the number of
/// messages.
pub(crate) async fn in_batches(
    server: &Server,
    readers: &Readers,
    rounds: u64,
) -> anyhow::Result<u64> {
    let line = format!("\"{}\"\n", text(TEXT_BYTES));
    let body = line.repeat(usize::try_from(BATCH)?);
    let before = readers.tally.total() / readers.ids.len() as u64;
    let mut tasks = JoinSet::new();
    for publisher in 0..NDJSON_PUBLISHERS {
        let mut connection = Connection::open(server.address).await?;
        let tally = Rc::clone(&readers.tally);
        let mine: Vec<_> = (publisher..readers.ids.len())
            .step_by(NDJSON_PUBLISHERS)
            .map(|channel| {
                let id = &readers.ids[channel];
                let request = http::publication(id, "application/x-ndjson", &body);
                (channel, request)
            })
            .collect();
        let due = readers.deliveries(BATCH);
        tasks.spawn_local(async move {
            for round in 0..rounds {
                for (channel, request) in &mine {
                    tally.reach(*channel, before + round * due).await?;
                    connection.publish(request).await?;
                }
            }
            anyhow::Ok(())
        });
    }
    all(tasks).await?;
    Ok(rounds * BATCH * readers.ids.len() as u64)
}

/// Waits for all tasks, or for the first failure.
pub(crate) async fn all(mut tasks: JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task panicked")??;
    }
    Ok(())
}
