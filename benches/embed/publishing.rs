//! Events published to a hub in the process, and to a server over HTTP.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use codechat::{HttpOptions, Hub, Limits, Position, Publisher, Scope};
use futures_util::StreamExt;
use tracing::{Dispatch, debug, dispatcher::with_default, info};
use tracing_subscriber::{prelude::*, registry};

use crate::application::{current_thread, served};
use crate::table::{Bound, median, row};

/// Events per round.
const EVENTS: u32 = 300_000;
const ROUNDS: usize = 3;

pub(crate) fn rows() {
    arming();
    to_hub();
    to_server();
}

macro_rules! ten {
    ($($it:tt)*) => {{
        $($it)* $($it)* $($it)* $($it)* $($it)* $($it)* $($it)* $($it)* $($it)* $($it)*
    }};
}

/// Emits an event from each of two thousand callsites.
fn two_thousand() {
    ten!(ten!(ten!(debug!("x"););););
    ten!(ten!(ten!(debug!("y"););););
}

/// Measures the cost of the first watched request: it makes `tracing` ask the layer about every callsite again.
fn arming() {
    // The callsites ask only layers that exist.
    let layer = layer();
    with_default(&layer, two_thousand);
    let times = (0..101).map(|_| {
        let start = Instant::now();
        tracing_core::callsite::rebuild_interest_cache();
        start.elapsed().as_secs_f64() * 1e3
    });
    let time = median(times.collect());
    row("arming 2,000 callsites, ms", time, 0.0, Bound::AtMost(0.5));
}

/// Returns the layer alone, without a log.
fn layer() -> Dispatch {
    Dispatch::new(registry().with(codechat::tracing_layer()))
}

fn to_hub() {
    let mut rates = Vec::new();
    let mut tails = Vec::new();
    for _ in 0..ROUNDS {
        let hub = Hub::new(Limits::default());
        let id = hub.connect().unwrap();
        let mut feed = hub.feed(id, Position::Start).unwrap();
        let reader = thread::spawn(move || {
            current_thread().block_on(async { while feed.next().await.is_some() {} });
        });
        let scope = Publisher::new(&hub).scope(id);
        let (rate, times) = with_default(&layer(), || scope.in_scope(emit));
        rates.push(rate);
        tails.push(times);
        assert!(hub.stop(id));
        reader.join().unwrap();
    }
    row(
        "events/s to a hub, one reader",
        median(rates),
        0.0,
        Bound::AtLeast(700_000.0),
    );
    row(
        "event to a hub, p99.9, µs",
        median(tails),
        0.0,
        Bound::AtMost(20.0),
    );
}

/// Emits events. Returns how many per second, and the 99.9th percentile of the time of one, in microseconds.
fn emit() -> (f64, f64) {
    let start = Instant::now();
    for number in 0..EVENTS {
        info!(number, "Processed a file");
    }
    let rate = f64::from(EVENTS) / start.elapsed().as_secs_f64();
    let mut times: Vec<f64> = (0..EVENTS)
        .map(|number| {
            let start = Instant::now();
            info!(number, "Processed a file");
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (rate, times[times.len() / 1000 * 999])
}

fn to_server() {
    let hub = Hub::new(Limits::default());
    let address = served(&hub);
    let (mut calls, mut delivered, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let url = format!("http://{address}").parse().unwrap();
        let publisher = Publisher::http(url, HttpOptions::new()).unwrap();
        let scope = publisher.scope(hub.connect().unwrap());
        calls.push(call(&scope));
        delivered.push(deliver(&publisher, &scope));
        let id = hub.connect().unwrap().to_string();
        sent.push(send(&format!("http://{address}"), &id));
    }
    row(
        "event to a server, the caller's time, ns",
        median(calls),
        0.0,
        Bound::AtMost(500.0),
    );
    let (delivered, sent) = (median(delivered), median(sent));
    row(
        "events/s to a server",
        delivered,
        0.0,
        Bound::AtLeast(300_000.0),
    );
    row(
        "events/s to a server, beside `codechat send`",
        delivered,
        sent,
        Bound::RatioAtLeast(0.5),
    );
}

/// Returns the time that one event takes its caller, in nanoseconds.
fn call(scope: &Scope) -> f64 {
    const COUNT: u32 = 20_000;
    with_default(&layer(), || {
        scope.in_scope(|| {
            let start = Instant::now();
            for number in 0..COUNT {
                info!(number, "Processed a file");
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(COUNT)
        })
    })
}

/// Returns the messages per second that the server accepts; the queue never gets full.
fn deliver(publisher: &Publisher, scope: &Scope) -> f64 {
    let flush = || current_thread().block_on(publisher.flush(Duration::from_mins(1)));
    flush().unwrap();
    let before = publisher.stats();
    let start = Instant::now();
    for number in 0..EVENTS {
        if number % 128 == 0 {
            while publisher.stats().pending > 800 {
                thread::yield_now();
            }
        }
        scope.info(number);
    }
    flush().unwrap();
    let after = publisher.stats();
    assert_eq!(
        after.accepted - before.accepted,
        u64::from(EVENTS),
        "{after:?}"
    );
    f64::from(EVENTS) / start.elapsed().as_secs_f64()
}

/// Returns the same for `codechat send`.
fn send(url: &str, id: &str) -> f64 {
    let lines: Vec<_> = (0..EVENTS).map(|it| it.to_string()).collect();
    let lines = lines.join("\n");
    let start = Instant::now();
    let mut send = Command::new(env!("CARGO_BIN_EXE_codechat"))
        .args(["send", "--server", url, "--id", id])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    send.stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    assert!(send.wait().unwrap().success());
    f64::from(EVENTS) / start.elapsed().as_secs_f64()
}
