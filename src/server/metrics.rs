//! `GET /metrics`: counters, in Prometheus's text format.
//!
//! There are no labels for clients or paths, so that the answer neither grows nor reveals IDs.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::App;
use super::request::token::Authorized;
use crate::hub::Stats;
use crate::metrics::{Counter, Histogram, head, single};

const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Counters of the server; the hub has its own.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Bytes of streams, without the framing of HTTP.
    pub(super) bytes: Counter,
    /// Gaps that streams reported.
    pub(super) gaps: Counter,
    /// Connections, mostly those of subscribers, that were closed because they took no bytes.
    pub(super) stalled: Counter,
    /// Durations of single messages, from the request's head to its answer.
    pub(super) publish: Histogram,
}

pub(super) async fn metrics(State(app): State<App>, _: Authorized) -> Response {
    let mut text = app.metrics.text(app.channels.stats().await);
    app.channels.write_metrics(&mut text);
    let head = [
        (header::CONTENT_TYPE, KIND),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (head, text).into_response()
}

impl Metrics {
    fn text(&self, stats: Stats) -> String {
        let mut out = String::new();
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
                "Memory of all logs and idempotency keys.",
                stats.memory as u64,
            ),
            (
                "messages_received_total",
                "counter",
                "Messages accepted from publishers.",
                stats.published,
            ),
            (
                "messages_sent_total",
                "counter",
                "Messages written to streams, counted once per stream.",
                stats.delivered,
            ),
            (
                "stream_bytes_total",
                "counter",
                "Bytes written to streams.",
                self.bytes.get(),
            ),
            (
                "gaps_total",
                "counter",
                "Gaps reported to subscribers.",
                self.gaps.get(),
            ),
            (
                "stalled_connections_closed_total",
                "counter",
                "Connections closed because they took no bytes, mostly those of slow subscribers.",
                self.stalled.get(),
            ),
        ] {
            single(&format!("codechat_{name}"), kind, help, value, &mut out);
        }
        let help = "How long single messages took, from the request's head to its answer.";
        let name = "codechat_publish_duration_seconds";
        head(name, "histogram", help, &mut out);
        self.publish.write(name, "", &mut out);
        out
    }
}
