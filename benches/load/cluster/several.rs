//! How much three servers get out of one store, compared with a client that only sends it what servers send.
//!
//! If lines come in batches, the store limits the rate, so the rates are compared. Single messages cost a server more
//! than the store: three servers that share one core with the load are busy before the store is, so the store's cost of
//! a message is compared. Its inverse is the rate that the store reaches with as many servers as it needs to be busy.

use anyhow::{Context, ensure};
use tokio::time::Instant;

use super::{
    Bound, CHANNELS, FULL, PUBLISHERS, Row, TEXT_BYTES,
    bare::Bare,
    servers::node,
    store::{Store, command, spent},
};
use crate::{
    Scale,
    http::{self, Connection},
    process::{Cores, Machine, Server},
    publishing::{BATCH, NDJSON_PUBLISHERS, Readers, in_batches, singly},
    table::float,
    tally::text,
};

const SERVERS: usize = 3;
/// The number of turns.
const TURNS: u64 = 5;
/// A deadline that is never reached, in milliseconds.
const NEVER: &str = "99999999999999";
/// Of the arguments after the keys of the script that accepts many messages: the place of their number, and of the
/// first one.
const COUNT: usize = 8;
const FIRST: usize = 9;

/// A server's publish, part by part, as it was sent to the store.
struct Publish {
    parts: Vec<String>,
    /// The index of the first argument.
    arguments: usize,
    id: String,
}

impl Publish {
    /// Publishes to a channel, and reads from the store's monitor what the server sent.
    async fn of(store: &Store, node: &Server, id: &str, kind: &str) -> anyhow::Result<Self> {
        let mut monitor = store.client()?;
        monitor.ask(&["MONITOR"])?;
        let text = text(TEXT_BYTES);
        let body = match kind {
            "text/plain" => text.clone(),
            _ => format!("\"{text}\"\n"),
        };
        let mut connection = Connection::open(node.address).await?;
        connection
            .publish(&http::publication(id, kind, &body))
            .await?;
        loop {
            let line = monitor.answer()?.text()?;
            let (_, said) = line.split_once("] \"").context("no command")?;
            let parts = said.trim_end_matches('"').split("\" \"").map(str::to_owned);
            let parts: Vec<_> = parts.collect();
            if parts[0] == "EVALSHA" && parts.iter().any(|it| it.ends_with(&text)) {
                let keys: usize = parts[2].parse()?;
                ensure!(parts.len() > 3 + keys + 1, "too few parts");
                let (arguments, id) = (3 + keys, id.to_owned());
                return Ok(Self {
                    parts,
                    arguments,
                    id,
                });
            }
        }
    }

    /// Returns the same command for another channel, and with the messages of a batch if it takes many.
    fn to(&self, id: &str, is_batch: bool) -> Vec<u8> {
        let bucket = |id: &str| format!("{{{}}}", &id[..2]);
        let (old, new) = (bucket(&self.id), bucket(id));
        let key = |it: &String| it.replace(&self.id, id).replace(&old, &new);
        let mut parts = self.parts.clone();
        for part in &mut parts[3..self.arguments] {
            *part = key(part);
        }
        NEVER.clone_into(&mut parts[self.arguments]);
        if is_batch {
            let entry = parts[self.arguments + FIRST].clone();
            parts[self.arguments + COUNT] = BATCH.to_string();
            parts.truncate(self.arguments + FIRST);
            parts.extend((0..BATCH).map(|_| entry.clone()));
        }
        command(&parts.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// Three servers, each with channels of its own that nobody reads.
struct Several {
    store: Store,
    nodes: Vec<Server>,
    channels: Vec<Readers>,
}

impl Several {
    async fn start(machine: &Machine, channels: usize) -> anyhow::Result<Self> {
        let store = Store::start(machine, Cores::Its)?;
        let mut several = Self {
            store,
            nodes: Vec::new(),
            channels: Vec::new(),
        };
        for _ in 0..SERVERS {
            let node = node(machine, Cores::Ours, Some(&several.store))?;
            let readers = Readers::open(&node, channels / SERVERS, 0).await?;
            several.channels.push(readers);
            several.nodes.push(node);
        }
        several.in_batches(FULL).await?;
        Ok(several)
    }

    /// Creates a client that sends what the servers send, to all their channels.
    async fn bare(&self, kind: &str, is_batch: bool) -> anyhow::Result<Bare> {
        let ids: Vec<_> = self.channels.iter().flat_map(Readers::ids).collect();
        let publish = Publish::of(&self.store, &self.nodes[0], ids[0], kind).await?;
        Bare::sending(&self.store, ids.iter().map(|it| publish.to(it, is_batch)))
    }

    async fn in_batches(&self, rounds: u64) -> anyhow::Result<u64> {
        let [one, two, three] =
            [0, 1, 2].map(|it| in_batches(&self.nodes[it], &self.channels[it], rounds));
        let (one, two, three) = tokio::try_join!(one, two, three)?;
        Ok(one + two + three)
    }

    async fn singly(&self, messages: u64) -> anyhow::Result<u64> {
        let [one, two, three] =
            [0, 1, 2].map(|it| singly(&self.nodes[it], &self.channels[it], messages, PUBLISHERS));
        let (one, two, three) = tokio::try_join!(one, two, three)?;
        Ok(one + two + three)
    }
}

pub(super) async fn run(machine: &Machine, scale: Scale) -> anyhow::Result<Vec<Row>> {
    Ok(vec![
        batches(machine, scale).await?,
        singles(machine, scale).await?,
    ])
}

async fn batches(machine: &Machine, scale: Scale) -> anyhow::Result<Row> {
    let several = Several::start(machine, CHANNELS).await?;
    let mut client = several.bare("application/x-ndjson", true).await?;
    let (mut ours, mut theirs, mut messages) = (0.0, 0.0, 0);
    for _ in 0..TURNS {
        let begun = Instant::now();
        let published = several.in_batches(scale.of(10)).await?;
        ours += begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        client.publish(published / BATCH, (SERVERS * NDJSON_PUBLISHERS) as u64)?;
        theirs += begun.elapsed().as_secs_f64();
        messages += published;
    }
    Ok(Row {
        name: "three servers, batches of 500",
        unit: "1/s",
        ours: float(messages) / ours,
        reference: float(messages) / theirs,
        bound: Bound::AtLeast(0.9),
    })
}

async fn singles(machine: &Machine, scale: Scale) -> anyhow::Result<Row> {
    let several = Several::start(machine, CHANNELS).await?;
    let mut client = several.bare("text/plain", false).await?;
    let (mut ours, mut theirs, mut rate) = (0.0, 0.0, 0.0);
    for _ in 0..TURNS {
        let (before, begun) = (several.store.spent()?, Instant::now());
        let messages = several.singly(scale.of(10_000)).await?;
        let (took, at_once) = spent(before, several.store.spent()?, messages);
        rate += float(messages) / begun.elapsed().as_secs_f64();
        ours += took;
        theirs += client.cost(&several.store, messages, at_once)?;
    }
    let turns = float(TURNS);
    eprintln!(
        "  three servers, single messages: {:.0}/s on one core with the load",
        rate / turns
    );
    Ok(Row {
        name: "three servers, store CPU, publish",
        unit: "µs",
        ours: ours / turns,
        reference: theirs / turns,
        bound: Bound::AtMost(1.11),
    })
}
