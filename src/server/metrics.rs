//! `GET /metrics`: what has happened, in Prometheus's text format 0.0.4.
//!
//! Numbers are added up where things happen, by relaxed atomics alone, and are brought together when they
//! are asked for. There is no label by client or path, so that the answer neither grows nor names
//! anybody.

use std::fmt::Write;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::App;
use super::request::token::Authorized;
use crate::hub::Stats;

const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The upper bounds of the latency's buckets, in seconds as they are written and in microseconds.
const BOUNDS: [(&str, u64); 13] = [
    ("0.00001", 10),
    ("0.000025", 25),
    ("0.00005", 50),
    ("0.0001", 100),
    ("0.00025", 250),
    ("0.0005", 500),
    ("0.001", 1_000),
    ("0.0025", 2_500),
    ("0.01", 10_000),
    ("0.05", 50_000),
    ("0.25", 250_000),
    ("1", 1_000_000),
    ("5", 5_000_000),
];

/// What the server counts itself; the hub counts the rest.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Bytes of streams, without the framing of HTTP.
    pub(super) bytes: Counter,
    /// Gaps that streams told of.
    pub(super) gaps: Counter,
    /// Subscribers, and seldom others, whose connections were closed since they took no bytes.
    pub(super) stalled: Counter,
    /// How long single messages took, from the request's head to its answer.
    pub(super) publish: Histogram,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Relaxed);
    }
}

#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// One more than there are bounds: what is beyond the last.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, took: Duration) {
        let bucket = BOUNDS.partition_point(|(_, micros)| Duration::from_micros(*micros) < took);
        self.buckets[bucket].fetch_add(1, Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    fn write(&self, name: &str, help: &str, out: &mut String) {
        head(name, "histogram", help, out);
        let mut count = 0;
        for (bucket, bound) in self
            .buckets
            .iter()
            .zip(BOUNDS.map(|it| it.0).iter().chain(&["+Inf"]))
        {
            count += bucket.load(Relaxed);
            let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let sum = Duration::from_nanos(self.nanoseconds.load(Relaxed)).as_secs_f64();
        let _ = writeln!(out, "{name}_sum {sum}\n{name}_count {count}");
    }
}

pub(super) async fn metrics(State(app): State<App>, _: Authorized) -> Response {
    let text = app.metrics.text(app.channels.stats().await);
    let head = [
        (header::CONTENT_TYPE, KIND),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (head, text).into_response()
}

impl Metrics {
    fn text(&self, stats: Stats) -> String {
        let mut out = String::new();
        let counter = |it: &Counter| it.0.load(Relaxed);
        for (name, kind, help, value) in [
            (
                "streams",
                "gauge",
                "Open streams.",
                stats.subscribers as u64,
            ),
            (
                "clients",
                "gauge",
                "Clients that have not ended.",
                stats.channels as u64,
            ),
            (
                "log_memory_bytes",
                "gauge",
                "Memory of all logs.",
                stats.memory as u64,
            ),
            (
                "messages_received_total",
                "counter",
                "Messages taken from publishers.",
                stats.published,
            ),
            (
                "messages_sent_total",
                "counter",
                "Messages put into streams, each time counted.",
                stats.delivered,
            ),
            (
                "stream_bytes_total",
                "counter",
                "Bytes put into streams.",
                counter(&self.bytes),
            ),
            (
                "gaps_total",
                "counter",
                "Gaps told to subscribers.",
                counter(&self.gaps),
            ),
            (
                "stalled_connections_closed_total",
                "counter",
                "Slow subscribers and other connections closed since they took no bytes.",
                counter(&self.stalled),
            ),
        ] {
            let name = format!("codechat_{name}");
            head(&name, kind, help, &mut out);
            let _ = writeln!(out, "{name} {value}");
        }
        let help = "How long single messages took, from the request's head to its answer.";
        self.publish
            .write("codechat_publish_duration_seconds", help, &mut out);
        out
    }
}

fn head(name: &str, kind: &str, help: &str, out: &mut String) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_time_once_and_adds_up_upwards() {
        let histogram = Histogram::default();
        for micros in [1, 10, 11, 700, 10_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut text = String::new();
        histogram.write("x", "X.", &mut text);
        for line in [
            "# TYPE x histogram",
            "x_bucket{le=\"0.00001\"} 2",
            "x_bucket{le=\"0.000025\"} 3",
            "x_bucket{le=\"0.001\"} 4",
            "x_bucket{le=\"5\"} 4",
            "x_bucket{le=\"+Inf\"} 5",
            "x_sum 10.000722",
            "x_count 5",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
    }
}
