//! The store's metrics, for `GET /metrics`.

use std::sync::atomic::Ordering::Relaxed;

use super::Store;
use crate::metrics::{Counter, head, single};

/// Counters of rare events that indicate trouble.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Requests that were not answered in time.
    pub(super) timeouts: Counter,
    /// Connections that were opened anew, of both kinds.
    pub(super) reconnects: Counter,
    /// Mirrors that joined again.
    pub(super) rejoins: Counter,
    /// Mirrors that had messages which the store had lost.
    pub(super) rewinds: Counter,
}

/// The store's answer: the number of clients, and the nodes that live.
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
                "Whether the store answers, and what it tells arrives.",
                u64::from(inner.is_up()).to_string(),
            ),
            (
                "store_in_flight",
                "gauge",
                "Requests that the store has yet to answer.",
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
                "Connections to the store that were opened again.",
                metrics.reconnects.get().to_string(),
            ),
            (
                "store_rejoins_total",
                "counter",
                "Mirrors that were brought up to date from the store once more.",
                metrics.rejoins.get().to_string(),
            ),
            (
                "store_rewinds_total",
                "counter",
                "Mirrors that had messages which the store had lost.",
                metrics.rewinds.get().to_string(),
            ),
            (
                "store_feed_delay_seconds",
                "gauge",
                "How long the newest word to itself took through the store.",
                delay.to_string(),
            ),
            (
                "mirrors",
                "gauge",
                "Clients of the store that somebody reads or listens to at this server.",
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
