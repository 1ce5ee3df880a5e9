//! An application over loopback: the same routes without codechat, with its layers, and with a client that is watched.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use axum::{Router, routing::get};
use codechat::{ClientId, HttpOptions, Hub, Limits, Publisher, ScopeLayer, ServerUrl};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime,
    task::JoinSet,
};
use tracing::{dispatcher::set_default, info};

use crate::calls::log;
use crate::table::{Bound, median, row};

const CONNECTIONS: usize = 8;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1500);

pub(crate) fn rows() {
    let hub = Hub::new(Limits::default());
    let id = hub.connect().unwrap();
    let publisher = Publisher::new(&hub);
    let plain = App::start(None, "/quiet");
    let idle = App::start(Some(publisher.clone()), "/quiet");
    let rates = interleaved(&[&idle, &plain]);
    row(
        "requests/s, nobody watches",
        rates[0],
        rates[1],
        Bound::RatioAtLeast(0.98),
    );
    let plain = App::start(None, "/ten");
    let watched = App::start(Some(publisher), "/ten").of(id);
    let rates = interleaved(&[&watched, &plain]);
    row(
        "requests/s, watched, ten events each",
        rates[0],
        rates[1],
        Bound::RatioAtLeast(0.8),
    );
    away();
}

/// Measures requests whose messages go to a server over HTTP that is reachable, or not.
fn away() {
    let hub = Hub::new(Limits::default());
    let id = hub.connect().unwrap();
    let (there, nobody) = (served(&hub), unused());
    let with = |address: SocketAddr| {
        let url: ServerUrl = format!("http://{address}").parse().unwrap();
        let publisher = Publisher::http(url, HttpOptions::new()).unwrap();
        App::start(Some(publisher), "/ten").of(id)
    };
    let (here, away) = (with(there), with(nobody));
    let (mut with_server, mut without) = (Vec::new(), Vec::new());
    let before = resident();
    for _ in 0..ROUNDS {
        with_server.push(here.p99());
        without.push(away.p99());
    }
    let grown = resident().saturating_sub(before);
    row(
        "request's p99 with the server away, µs",
        median(without),
        median(with_server),
        Bound::RatioAtMost(1.05),
    );
    row(
        "memory of both publishers, MiB",
        mib(grown),
        0.0,
        Bound::AtMost(10.0),
    );
}

/// Returns the requests per second of each application, measured one after the other: the middle of several rounds.
fn interleaved(apps: &[&App]) -> Vec<f64> {
    let mut rates = vec![Vec::new(); apps.len()];
    for _ in 0..ROUNDS {
        for (app, rates) in apps.iter().zip(&mut rates) {
            rates.push(app.rate());
        }
    }
    rates.into_iter().map(median).collect()
}

struct App {
    address: SocketAddr,
    request: Vec<u8>,
}

impl App {
    /// Serves an application in a thread of its own, with codechat's layers if there is a publisher.
    fn start(publisher: Option<Publisher>, path: &str) -> Self {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let _log = set_default(&log(publisher.is_some()));
            let mut app = Router::new()
                .route("/quiet", get(async || "done"))
                .route("/ten", get(ten));
            if let Some(publisher) = publisher {
                app = app.layer(ScopeLayer::new(publisher));
            }
            current_thread().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self {
            address: receiver.recv().unwrap(),
            request: format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into(),
        }
    }

    /// Makes its requests watched ones.
    fn of(mut self, id: ClientId) -> Self {
        self.request.truncate(self.request.len() - 2);
        let header = format!("Sse-Client-ID: {id}\r\n\r\n");
        self.request.extend_from_slice(header.as_bytes());
        self
    }

    /// Returns the requests per second over some kept connections.
    fn rate(&self) -> f64 {
        let start = Instant::now();
        let counts = current_thread().block_on(async {
            let mut tasks = JoinSet::new();
            for _ in 0..CONNECTIONS {
                let mut connection = Connection::open(self).await;
                tasks.spawn(async move {
                    let mut count = 0_u32;
                    while start.elapsed() < ROUND {
                        connection.request().await;
                        count += 1;
                    }
                    count
                });
            }
            tasks.join_all().await
        });
        f64::from(counts.iter().sum::<u32>()) / start.elapsed().as_secs_f64()
    }

    /// Returns the 99th percentile of the time of a request over one connection, in microseconds.
    fn p99(&self) -> f64 {
        let mut times = current_thread().block_on(async {
            let mut connection = Connection::open(self).await;
            let mut times = Vec::new();
            let start = Instant::now();
            while start.elapsed() < ROUND {
                let before = Instant::now();
                connection.request().await;
                times.push(before.elapsed().as_secs_f64() * 1e6);
            }
            times
        });
        times.sort_by(f64::total_cmp);
        times[times.len() * 99 / 100]
    }
}

async fn ten() -> &'static str {
    for number in 0..10 {
        info!(number, "Processed a file");
    }
    "done"
}

struct Connection {
    socket: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(app: &App) -> Self {
        let socket = TcpStream::connect(app.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self {
            socket,
            request: app.request.clone(),
            answer: Vec::new(),
        }
    }

    async fn request(&mut self) {
        self.socket.write_all(&self.request).await.unwrap();
        self.answer.clear();
        while !self.answer.ends_with(b"\r\n\r\ndone") {
            let read = self.socket.read_buf(&mut self.answer).await.unwrap();
            assert!(read > 0, "the application closed the connection");
        }
    }
}

/// Serves this hub in a thread of its own; returns its address.
pub(crate) fn served(hub: &Hub) -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    let hub = hub.clone();
    thread::spawn(move || {
        current_thread().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let options = codechat::ServerOptions::new(codechat::Access::open());
            codechat::serve(vec![listener], hub, options, std::future::pending()).await;
        });
    });
    receiver.recv().unwrap()
}

/// Returns an address where nothing listens.
fn unused() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

pub(crate) fn current_thread() -> runtime::Runtime {
    let mut builder = runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Returns this process's memory, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = status.split(' ').nth(1).unwrap();
    pages.parse::<usize>().unwrap() * 4096
}

#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
