//! The limits of all nodes, kept in the store to compare them. A script applies the limits of the node that calls it,
//! so nodes must have the same limits.

use std::collections::{BTreeMap, BTreeSet};

use super::Inner;
use crate::hub::Limits;
use crate::refusal::Refusal;

/// The store's answer: the limits by node, and the inboxes that have a reader.
type LimitsAnswer = (BTreeMap<String, String>, BTreeSet<String>);

/// Returns the flags with their values in the form of the store: `--log-messages=1024 …`.
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
    /// Writes this node's limits to the store, and removes those of dead nodes. At the `start`, warns about nodes with
    /// other limits.
    pub(super) async fn compare_limits(&self, start: bool) {
        match self.limits_of_others().await {
            Ok(others) if start => {
                let here = described(self.hub.limits());
                let differing: BTreeSet<_> =
                    others.iter().flat_map(|it| differing(&here, it)).collect();
                tracing::debug!(
                    differing = differing.len(),
                    "compared the limits of the servers"
                );
                for (limit, here, elsewhere) in differing {
                    tracing::warn!(
                        limit,
                        here,
                        elsewhere,
                        "another server that uses this store has a different limit; start all servers with the same one"
                    );
                }
            }
            Ok(_) => {}
            Err(refusal) => tracing::debug!(%refusal, "cannot compare the limits of the servers"),
        }
    }

    /// Returns the limits of the other live nodes: those whose inboxes have a reader.
    async fn limits_of_others(&self) -> Result<Vec<String>, Refusal> {
        let key = self.scripts.key("limits");
        let inbox = self.scripts.key("to:");
        let mut commands = redis::pipe();
        // Written before the others are read, so that of two nodes that start at the same time, at least one sees the
        // other.
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
        let (mut limits, inboxes): LimitsAnswer = link.query_all(&commands).await?;
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
