//! The limits of all nodes, kept in the store. The scripts apply those of the node that calls them, so nodes with
//! different limits undo each other's work.

use std::collections::{BTreeMap, BTreeSet};

use super::Inner;
use crate::hub::Limits;
use crate::refusal::Refusal;

/// The store's answer: every node's limits, and the inboxes that are read.
type Told = (BTreeMap<String, String>, BTreeSet<String>);

/// Returns the flags with their values, as they are kept in the store: `--log-messages=1024 …`.
fn described(limits: &Limits) -> String {
    format!(
        "--log-messages={} --log-bytes={} --max-subscribers={} --max-clients={} --idle-timeout={:?}",
        limits.log.messages,
        limits.log.bytes,
        limits.subscribers,
        limits.clients,
        limits.idle_timeout,
    )
}

/// Returns the flags whose values differ, each with its value here and there.
fn differing<'a>(here: &'a str, there: &'a str) -> Vec<(&'a str, &'a str, &'a str)> {
    let pairs = |text: &'a str| text.split(' ').filter_map(|it| it.split_once('='));
    let there: BTreeMap<_, _> = pairs(there).collect();
    // Flags that only one version knows are not compared.
    pairs(here)
        .filter_map(|(flag, value)| Some((flag, value, *there.get(flag)?)))
        .filter(|(_, here, there)| here != there)
        .collect()
}

impl Inner {
    /// Notes this node's limits in the store, and removes those of nodes that no longer live. At the `start`, warns of
    /// nodes with other limits.
    pub(super) async fn compare_limits(&self, start: bool) {
        match self.others_limits().await {
            Ok(others) if start => {
                let here = described(self.hub.limits());
                let differing: BTreeSet<_> =
                    others.iter().flat_map(|it| differing(&here, it)).collect();
                tracing::debug!(differing = differing.len(), "limits are compared");
                for (limit, here, elsewhere) in differing {
                    tracing::warn!(
                        limit,
                        here,
                        elsewhere,
                        "another server that uses this store has another limit; start all with the same"
                    );
                }
            }
            Ok(_) => {}
            Err(refusal) => tracing::debug!(%refusal, "limits are not compared"),
        }
    }

    /// Returns the limits of the other nodes that live: those whose inboxes are read.
    async fn others_limits(&self) -> Result<Vec<String>, Refusal> {
        let key = self.scripts.key("limits");
        let inbox = self.scripts.key("to:");
        let mut commands = redis::pipe();
        // Before reading the others': of two nodes that start at once, one sees the other.
        commands
            .cmd("HSET")
            .arg(&key)
            .arg(&self.node)
            .arg(described(self.hub.limits()))
            .ignore();
        commands.cmd("HGETALL").arg(&key);
        commands
            .cmd("PUBSUB")
            .arg("CHANNELS")
            .arg(format!("{inbox}*"));
        let link = self.scripts.link();
        let (mut limits, inboxes): Told = link.query_all(&commands).await?;
        limits.remove(&self.node);
        let lives = |node: &String| inboxes.contains(&format!("{inbox}{node}"));
        let (alive, gone): (Vec<_>, Vec<_>) = limits.into_iter().partition(|it| lives(&it.0));
        if !gone.is_empty() {
            let mut forget = redis::cmd("HDEL");
            forget
                .arg(&key)
                .arg(gone.iter().map(|it| &it.0).collect::<Vec<_>>());
            link.query::<i64>(&forget).await?;
        }
        Ok(alive.into_iter().map(|it| it.1).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_differ_are_named_with_both_values() {
        let usual = Limits::default();
        let other = Limits {
            clients: 7,
            idle_timeout: std::time::Duration::from_millis(1500),
            ..usual
        };
        let (here, there) = (described(&other), described(&usual));
        assert_eq!(differing(&here, &here), []);
        assert_eq!(
            differing(&here, &there),
            [
                ("--max-clients", "7", "100000"),
                ("--idle-timeout", "1.5s", "900s"),
            ]
        );
        assert_eq!(differing(&here, "--max-clients=7 --new=1"), []);
    }
}
