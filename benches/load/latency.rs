//! `latency`: 1,000 messages a second, whatever the server does, over 1,000 streams.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use tokio::{
    net::TcpStream,
    task::spawn_local,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    Scale,
    http::{self, Connection},
    process::Server,
    table::{Figure, Unit, float},
    tally::{MARK, read, text},
};

const STREAMS: usize = 1_000;
const TEXT_BYTES: usize = 120;
/// The publishers' connections, to which requests are written without waiting for answers.
const CONNECTIONS: usize = 8;
const PAUSE: Duration = Duration::from_millis(1);
/// Messages that are sent before those that count.
const WARM_UP: u64 = 500;
const BUFFER: usize = 64 * 1024;
/// The number of digits of a time in a text, in nanoseconds.
const DIGITS: usize = 19;
/// Time after which missing messages count as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// What subscribers record: when each message was sent, and how long it took.
struct Notes {
    epoch: Instant,
    samples: RefCell<Vec<(u64, u64)>>,
    buffer: RefCell<Box<[u8]>>,
}

impl Notes {
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Records all messages in `bytes`, whose beginning may have arrived earlier and be in `rest`.
    fn take(&self, rest: &mut Vec<u8>, bytes: &[u8]) {
        let now = self.now();
        rest.extend_from_slice(bytes);
        let mut done = rest.len();
        for at in memchr::memchr_iter(MARK, rest) {
            let Some(digits) = rest.get(at + 1..at + 1 + DIGITS) else {
                done = at;
                break;
            };
            let sent = digits
                .iter()
                .fold(0, |sent, digit| sent * 10 + u64::from(digit - b'0'));
            self.samples.borrow_mut().push((sent, now - sent));
        }
        rest.drain(..done);
    }
}

/// Measures the time from before the request is written until the subscriber has read the message.
pub(crate) async fn latency(server: &Server, scale: Scale) -> anyhow::Result<Vec<Figure>> {
    let notes = Rc::new(Notes {
        epoch: Instant::now(),
        samples: RefCell::default(),
        buffer: RefCell::new(vec![0; BUFFER].into()),
    });
    let mut requests = subscribers(server, &notes).await?;
    let publishers = publishers(server).await?;
    let messages = WARM_UP + scale.of(5_000);
    let mut begun = 0;
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let meter = server.meter()?;
    for message in 0..messages {
        ticks.tick().await;
        let request = &mut requests[usize::try_from(message)? % STREAMS];
        let publisher = &publishers[usize::try_from(message)? % CONNECTIONS];
        let time = notes.now();
        if message == WARM_UP {
            begun = time;
        }
        let at = request.len() - TEXT_BYTES + 1;
        request[at..at + DIGITS].copy_from_slice(format!("{time:0DIGITS$}").as_bytes());
        write(publisher, request).await?;
    }
    let deadline = Instant::now() + PATIENCE;
    let got = || notes.samples.borrow().len() as u64;
    while got() < messages && Instant::now() < deadline {
        sleep(Duration::from_millis(10)).await;
    }
    ensure!(
        got() == messages,
        "{} of {messages} messages arrived",
        got()
    );
    let cpu = meter.took()?.cpu.div_f64(float(messages));
    let samples = notes.samples.take().into_iter();
    let mut times: Vec<_> = samples
        .filter_map(|(sent, took)| (sent >= begun).then_some(took))
        .collect();
    times.sort_unstable();
    let rows = [
        ("latency p50", 500),
        ("latency p99", 990),
        ("latency p999", 999),
    ];
    let figures = rows.map(|(row, permille)| {
        let value = float(times[times.len() * permille / 1000]) / 1e3;
        Figure {
            cpu: Some(cpu),
            ..Figure::new(row, value, Unit::Microseconds)
        }
    });
    Ok(figures.into())
}

/// Opens the streams, and prepares a request for each that publishes to it.
async fn subscribers(server: &Server, notes: &Rc<Notes>) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut control = Connection::open(server.address).await?;
    let text = text(TEXT_BYTES);
    let mut requests = Vec::new();
    for _ in 0..STREAMS {
        let id = control.connect().await?;
        requests.push(http::publication(&id, "text/plain", &text));
        let stream = Connection::open(server.address)
            .await?
            .subscribe(&id)
            .await?;
        let notes = Rc::clone(notes);
        spawn_local(async move {
            let mut rest = Vec::new();
            let take = |bytes: &[u8]| notes.take(&mut rest, bytes);
            // A stream that ends early shows in the count.
            let _ = read(&stream, &notes.buffer, take).await;
        });
    }
    Ok(requests)
}

/// Opens connections whose answers are read and dropped: that a message arrives is answer enough.
async fn publishers(server: &Server) -> anyhow::Result<Vec<Rc<TcpStream>>> {
    let mut publishers = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = Rc::new(TcpStream::connect(server.address).await?);
        stream.set_nodelay(true)?;
        publishers.push(Rc::clone(&stream));
        spawn_local(async move {
            let buffer = RefCell::new(vec![0; BUFFER].into());
            let _ = read(&stream, &buffer, |_| ()).await;
        });
    }
    Ok(publishers)
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> anyhow::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
