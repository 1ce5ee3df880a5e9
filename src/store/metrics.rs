//! The store's metrics, for `GET /metrics`.

use std::sync::atomic::Ordering::Relaxed;

use super::Store;
use crate::metrics::{Counter, head, single};

/// Counters of rare events that may indicate problems.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Requests that were not answered in time.
    pub(super) timeouts: Counter,
    /// Connections that were reopened: for requests, and for notices.
    pub(super) reconnects: Counter,
    /// Mirrors that joined again.
    pub(super) rejoins: Counter,
    /// Mirrors that held messages which the store had lost.
    pub(super) rewinds: Counter,
}

/// The store's answer: the number of clients, and the live nodes.
type Counted = (Option<usize>, Vec<String>);

impl Store {
    /// Returns the number of channels, or the last known one while the store does not answer. Updates the number of
    /// nodes, too.
    pub async fn count(&self) -> usize {
        let inner = &self.inner;
        let mut commands = redis::pipe();
        commands.cmd("GET").arg(inner.scripts.key("clients"));
        commands
            .cmd("ZRANGEBYSCORE")
            .arg(inner.scripts.key("nodes"))
            .arg(format!("({}", inner.dead_before()))
            .arg("+inf");
        let counted = inner.scripts.link().query_all::<Counted>(&commands).await;
        if let Ok((channels, nodes)) = counted {
            inner.counted.store(channels.unwrap_or(0), Relaxed);
            inner.nodes.store(nodes.len(), Relaxed);
        }
        inner.counted.load(Relaxed)
    }

    /// Appends the store's metrics. [`Store::count`] updates those that are not this node's own.
    pub fn write_metrics(&self, out: &mut String) {
        let inner = &self.inner;
        let link = inner.scripts.link();
        let metrics = link.metrics();
        let delay = inner.beats.delay().as_secs_f64();
        for (name, kind, help, value) in [
            (
                "store_up",
                "gauge",
                "Whether the store answers and its notices arrive.",
                u64::from(inner.is_up()).to_string(),
            ),
            (
                "store_in_flight",
                "gauge",
                "Requests that the store has not answered yet.",
                link.in_flight().to_string(),
            ),
            (
                "store_timeouts_total",
                "counter",
                "Requests that the store did not answer within --store-timeout.",
                metrics.timeouts.get().to_string(),
            ),
            (
                "store_reconnects_total",
                "counter",
                "Connections to the store that were reopened.",
                metrics.reconnects.get().to_string(),
            ),
            (
                "store_rejoins_total",
                "counter",
                "Mirrors that were reloaded from the store.",
                metrics.rejoins.get().to_string(),
            ),
            (
                "store_rewinds_total",
                "counter",
                "Mirrors that held messages which the store had lost.",
                metrics.rewinds.get().to_string(),
            ),
            (
                "store_feed_delay_seconds",
                "gauge",
                "How long this server's latest heartbeat took through the store and back.",
                delay.to_string(),
            ),
            (
                "mirrors",
                "gauge",
                "Clients of the store that have a subscriber or a control stream at this server.",
                inner.mirrors.count().to_string(),
            ),
            (
                "nodes",
                "gauge",
                "Servers that use the store.",
                inner.nodes.load(Relaxed).to_string(),
            ),
        ] {
            single(&format!("codechat_{name}"), kind, help, value, out);
        }
        let name = "codechat_store_request_seconds";
        let help = "How long requests to the store took, by the script that they ran.";
        head(name, "histogram", help, out);
        for script in inner.scripts.all() {
            let label = format!("script=\"{}\"", script.name);
            script.took.write(name, &label, out);
        }
    }
}
