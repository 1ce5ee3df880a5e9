//! The measurements: each part starts its store and its servers.

use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::{
    Bound, CHANNELS, FULL, PUBLISHERS, Row, TEXT_BYTES,
    bare::Bare,
    servers::{beside_store, node, plain},
    several,
    store::{Store, each_took, spent},
};
use crate::{
    Scale,
    connections::each,
    http::{self, Connection},
    process::{Cores, Machine, Server},
    publishing::{self, FANOUT_PUBLISHERS, Readers, in_batches, singly},
    table::{Figure, float},
    tally::{MARK, text},
};

/// The time that a publish may take in addition to two requests to the store and a publish without one.
const ON_THE_WAY: Duration = Duration::from_micros(60);
/// Messages that are sent before the measured ones.
const WARM_UP: u64 = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// What a single publish costs the store.
    Singles,
    /// What a message of a batch costs the store.
    Batches,
    /// What a publish costs the server.
    Server,
    Ndjson,
    /// The fan-out of as many publishers as keep a server busy that sends each message to a store.
    Fanout,
    /// The fan-out of as few publishers as in the work of that name. Each waits for its answer before its next message,
    /// which takes longer with a store: fewer messages come together for a subscriber, and a delivery costs the server
    /// more.
    FanoutByFew,
    Latency,
    Memory,
    /// How much several servers get out of the store.
    Several,
}

impl Part {
    pub(crate) const ALL: [Self; 9] = [
        Self::Singles,
        Self::Batches,
        Self::Server,
        Self::Ndjson,
        Self::Fanout,
        Self::FanoutByFew,
        Self::Latency,
        Self::Memory,
        Self::Several,
    ];

    pub(crate) async fn run(self, machine: &Machine, scale: Scale) -> anyhow::Result<Vec<Row>> {
        match self {
            Self::Singles => singles(machine, scale).await,
            Self::Batches => batches(machine, scale).await,
            Self::Server => server(machine, scale).await,
            Self::Ndjson | Self::Fanout | Self::FanoutByFew => self.rate(machine, scale).await,
            Self::Latency => latency(machine, scale).await,
            Self::Memory => memory(machine, scale).await,
            Self::Several => several::run(machine, scale).await,
        }
    }

    /// Measures works that run without a store too.
    async fn rate(self, machine: &Machine, scale: Scale) -> anyhow::Result<Vec<Row>> {
        let (name, bound) = match self {
            Self::Ndjson => ("ndjson", Bound::AtLeast(0.4)),
            Self::Fanout => ("fan-out to 1,000", Bound::AtLeast(0.95)),
            _ => ("fan-out to 1,000, 4 publishers", Bound::None),
        };
        let of = async |server: &Server, of: &str| -> anyhow::Result<f64> {
            let (figure, publish): (Figure, _) = if self == Self::Ndjson {
                (publishing::ndjson(server, scale).await?.remove(0), None)
            } else {
                let by_few = self == Self::FanoutByFew;
                let publishers = if by_few {
                    FANOUT_PUBLISHERS
                } else {
                    PUBLISHERS
                };
                let (figure, p50) = publishing::fanout(server, scale, publishers).await?;
                (figure, Some(p50))
            };
            let cpu = figure.cpu.unwrap_or_default().as_secs_f64() * 1e6;
            let publish = publish.map(|it| format!("; publish p50 {} µs", it.as_micros()));
            let publish = publish.unwrap_or_default();
            eprintln!("  {name}, CPU of a server {of} a store: {cpu:.3} µs{publish}");
            Ok(figure.value)
        };
        // If the store does much, it has a core of its own, as in production; the server shares the load's.
        let (of_store, of_server) = match self {
            Self::Ndjson => (Cores::Its, Cores::Ours),
            _ => (Cores::Ours, Cores::Its),
        };
        let store = Store::start(machine, of_store)?;
        let ours = of(&node(machine, of_server, Some(&store))?, "with").await?;
        let reference = of(&node(machine, Cores::Its, None)?, "without").await?;
        Ok(vec![Row {
            name,
            unit: "1/s",
            ours,
            reference,
            bound,
        }])
    }
}

async fn singles(machine: &Machine, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let store = Store::start(machine, Cores::Its)?;
    let node = node(machine, Cores::Ours, Some(&store))?;
    let mut client = Bare::new(&store, CHANNELS, &text(TEXT_BYTES))?;
    let mut rows = Vec::new();
    for (name, subscribers, bound) in [
        ("store CPU, publish, unwatched", 0, 1.6),
        ("store CPU, publish, watched", 1, 2.6),
    ] {
        let readers = Readers::open(&node, CHANNELS, subscribers).await?;
        let filled = in_batches(&node, &readers, FULL).await?;
        readers.tally.complete(readers.deliveries(filled)).await?;
        let before = store.spent()?;
        let messages = singly(&node, &readers, scale.of(100_000), PUBLISHERS).await?;
        let deliveries = readers.deliveries(filled + messages);
        readers.tally.complete(deliveries).await?;
        let (ours, at_once) = spent(before, store.spent()?, messages);
        eprintln!("  {name}: {at_once:.1} publishes a read");
        rows.push(Row {
            name,
            unit: "µs",
            ours,
            reference: client.cost(&store, messages, at_once)?,
            bound: Bound::AtMost(bound),
        });
    }
    Ok(rows)
}

async fn batches(machine: &Machine, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let store = Store::start(machine, Cores::Its)?;
    let node = node(machine, Cores::Ours, Some(&store))?;
    let mut client = Bare::new(&store, CHANNELS, &text(TEXT_BYTES))?;
    let readers = Readers::open(&node, CHANNELS, 1).await?;
    let filled = in_batches(&node, &readers, FULL).await?;
    readers.tally.complete(filled).await?;
    let before = store.spent()?;
    let messages = in_batches(&node, &readers, scale.of(30)).await?;
    readers.tally.complete(filled + messages).await?;
    let (ours, _) = spent(before, store.spent()?, messages);
    Ok(vec![Row {
        name: "store CPU, batches of 500, watched",
        unit: "µs",
        ours,
        // One at a time would cost more; this is the bare script at its best, except for batches.
        reference: client.cost(&store, scale.of(100_000), float(PUBLISHERS as u64))?,
        bound: Bound::AtMost(0.35),
    }])
}

async fn server(machine: &Machine, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let store = Store::start(machine, Cores::Ours)?;
    let messages = scale.of(100_000);
    let mut took = [0.0; 2];
    for (store, took) in [Some(&store), None].into_iter().zip(&mut took) {
        let server = match store {
            Some(store) => node(machine, Cores::Its, Some(store))?,
            None => plain(machine)?,
        };
        let readers = Readers::open(&server, CHANNELS, 0).await?;
        let meter = server.meter()?;
        let messages = singly(&server, &readers, messages, PUBLISHERS).await?;
        *took = each_took(meter.took()?.cpu, messages);
    }
    let [ours, reference] = took;
    Ok(vec![Row {
        name: "server's CPU, publish, unwatched",
        unit: "µs",
        ours,
        reference,
        bound: Bound::AtMost(2.5),
    }])
}

/// A publisher, a request, and a subscriber, which may be at another server.
struct Way {
    publisher: Connection,
    request: Vec<u8>,
    stream: TcpStream,
    times: Vec<Duration>,
}

impl Way {
    async fn open(from: &Server, to: &Server) -> anyhow::Result<Self> {
        let mut publisher = Connection::open(from.address).await?;
        let id = publisher.connect().await?;
        let subscriber = Connection::open(to.address).await?;
        Ok(Self {
            request: http::publication(&id, "text/plain", &text(TEXT_BYTES)),
            stream: subscriber.subscribe(&id).await?,
            publisher,
            times: Vec::new(),
        })
    }

    /// Measures the time from before the request is written until the subscriber has read the message.
    async fn once(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let stream = &mut self.stream;
        let arrives = async {
            let mut buffer = [0; 4096];
            loop {
                let read = stream.read(&mut buffer).await?;
                ensure!(read > 0, "the stream ended");
                if memchr::memchr(MARK, &buffer[..read]).is_some() {
                    return Ok(begun.elapsed());
                }
            }
        };
        let (receipt, took) = tokio::join!(self.publisher.publish(&self.request), arrives);
        receipt?;
        self.times.push(took?);
        Ok(())
    }
}

/// Returns the time that `permille` of a thousand do not exceed, in microseconds.
fn percentile(times: &mut [Duration], permille: usize) -> f64 {
    times.sort_unstable();
    times[times.len() * permille / 1000].as_secs_f64() * 1e6
}

/// Measures one message at a time, with a store and without, and a request to the store, in turns.
async fn latency(machine: &Machine, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let store = Store::start(machine, Cores::Both)?;
    let from = node(machine, Cores::Both, Some(&store))?;
    let to = node(machine, Cores::Both, Some(&store))?;
    let alone = node(machine, Cores::Both, None)?;
    let mut shared = Way::open(&from, &to).await?;
    let mut own = Way::open(&alone, &alone).await?;
    let (mut client, mut pings) = (store.client()?, Vec::new());
    for round in 0..WARM_UP + scale.of(10_000) {
        if round == WARM_UP {
            shared.times.clear();
            own.times.clear();
            pings.clear();
        }
        shared.once().await?;
        own.once().await?;
        let begun = Instant::now();
        client.ask(&["PING"])?;
        pings.push(begun.elapsed());
    }
    let ping = percentile(&mut pings, 500);
    let alone = percentile(&mut own.times, 500);
    let tail = percentile(&mut own.times, 990);
    eprintln!("  without a store: p50 {alone:.0} µs, p99 {tail:.0} µs; PING: {ping:.0} µs");
    let reference = alone + 2.0 * ping + ON_THE_WAY.as_secs_f64() * 1e6;
    let mut row = |name, permille, bound| Row {
        name,
        unit: "µs",
        ours: percentile(&mut shared.times, permille),
        reference,
        bound: Bound::AtMost(bound),
    };
    let rows = [
        ("latency p50, to another server", 500, 1.0),
        ("latency p99, to another server", 990, 3.0),
    ];
    Ok(rows
        .map(|(name, permille, bound)| row(name, permille, bound))
        .into())
}

/// Measures the memory of an idle channel with a reader: in the store, and in the server compared with one without a
/// store.
async fn memory(machine: &Machine, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let count = scale.of(10_000);
    let store = Store::start(machine, Cores::Ours)?;
    let mut in_server = [0.0; 2];
    let mut in_store = 0.0;
    for (by, in_server) in [Some(&store), None].into_iter().zip(&mut in_server) {
        let server = match by {
            Some(store) => node(machine, Cores::Its, Some(store))?,
            None => beside_store(machine)?,
        };
        let (before, keys) = (server.memory()?, store.memory()?);
        let mut streams = Vec::new();
        each(count, server.address, |_, stream| streams.push(stream)).await?;
        *in_server = float(server.memory()?.saturating_sub(before) * 1024) / float(count);
        if by.is_some() {
            in_store = float(store.memory()?.saturating_sub(keys)) / float(count);
        }
    }
    let [ours, reference] = in_server;
    Ok(vec![
        Row {
            name: "watched idle channel, in the store",
            unit: "B",
            ours: in_store,
            reference: 0.0,
            bound: Bound::More(500.0),
        },
        Row {
            name: "watched idle channel, in the server",
            unit: "B",
            ours,
            reference,
            bound: Bound::More(300.0),
        },
    ])
}
