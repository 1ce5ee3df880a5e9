//! Tasks that every node does on behalf of all: sending beats, cleaning up after dead nodes, and ending idle channels.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::Script;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::Inner;
use super::scripts::BUCKETS;
use crate::event::{ClientId, UnixMillis};
use crate::hub::BROKEN_OFF;
use crate::lock::lock;
use crate::message::{Level, Message};
use crate::refusal::Refusal;

/// Interval of a node's beats.
const BEAT: Duration = Duration::from_secs(2);
/// The number of beats that may be missing before the feed counts as broken although its connection is open.
const BEATS_MISSED: u64 = 3;
/// The age of its newest beat at which a node counts as dead, in milliseconds.
const DEAD_AFTER: u64 = 10_000;
/// The time that is stored as the newest beat of a node that has shut down.
const LEFT: UnixMillis = 0;
/// The script that stores the time of a node's beat.
const ALIVE: &str = "#!lua flags=allow-oom\nreturn redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])";
/// How long the publishers of a dead node have to reconnect to another one.
const GRACE: Duration = Duration::from_secs(10);
/// Upper bound of the clients in a bucket that one sweep checks.
const SWEPT_AT_ONCE: usize = 100;
const SWEEP_OFTEN: Duration = Duration::from_millis(100);
const SWEEP_SELDOM: Duration = Duration::from_secs(30);

/// The beats that this node has sent through the store to its own inbox.
#[derive(Default)]
pub(super) struct Beats {
    state: Mutex<State>,
    missed: Notify,
}

#[derive(Default)]
struct State {
    /// The number of the newest beat that was sent.
    sent: u64,
    /// The number of the newest beat that returned.
    came: u64,
    /// When each beat after `came` was sent.
    under_way: VecDeque<Instant>,
    /// How long the newest beat that returned took.
    delay: Duration,
}

/// The store's answer to a beat: the time of the previous beat, the dataset ID, the store's time, and the dead nodes.
type BeatAnswer = (Option<u64>, Option<String>, (u64, u64), Vec<String>);

/// The outcome of a beat.
struct Pulse {
    /// Whether the previous beat is so old that other nodes may have considered this node dead.
    is_back: bool,
    dead: Vec<String>,
}

impl Beats {
    /// Returns the number of the next beat; `None` if too many have not returned.
    fn next(&self) -> Option<u64> {
        let mut state = lock(&self.state);
        if state.sent - state.came >= BEATS_MISSED {
            // The counting restarts.
            state.came = state.sent;
            state.under_way.clear();
            self.missed.notify_one();
            return None;
        }
        state.sent += 1;
        state.under_way.push_back(Instant::now());
        Some(state.sent)
    }

    /// Waits until too many beats have not returned.
    pub(super) async fn missed(&self) {
        self.missed.notified().await;
    }

    pub(super) fn came(&self, number: u64) {
        let mut state = lock(&self.state);
        while state.came < number
            && let Some(sent) = state.under_way.pop_front()
        {
            state.came += 1;
            state.delay = sent.elapsed();
        }
    }

    /// Returns whether beats return without much delay.
    pub(super) fn are_back(&self) -> bool {
        let state = lock(&self.state);
        state.sent - state.came < BEATS_MISSED && state.came > 0
    }

    /// Returns how long the newest beat that returned took.
    pub(super) fn delay(&self) -> Duration {
        lock(&self.state).delay
    }
}

impl Inner {
    pub(super) async fn beat(self: Arc<Self>) {
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut cleanups: HashMap<String, JoinHandle<()>> = HashMap::new();
        loop {
            ticks.tick().await;
            let Some(number) = self.beats.next() else {
                tracing::warn!("notices from the store do not arrive; reconnecting");
                self.scripts.link().reconnect();
                continue;
            };
            match self.beat_once(number).await {
                Ok(pulse) => {
                    if pulse.is_back && number > 1 {
                        tokio::spawn(Arc::clone(&self).renew_all());
                    }
                    // A cleanup that failed is tried again, and a node that came back may die again.
                    cleanups.retain(|_, it| !it.is_finished());
                    for node in pulse.dead.into_iter().filter(|it| *it != self.node) {
                        let clean_up =
                            || tokio::spawn(Arc::clone(&self).clean_up_after(node.clone()));
                        cleanups.entry(node.clone()).or_insert_with(clean_up);
                    }
                }
                Err(refusal) => tracing::debug!(%refusal, "cannot send a beat to the store"),
            }
        }
    }

    /// Returns the newest possible time of a dead node's last beat.
    pub(super) fn dead_before(&self) -> UnixMillis {
        self.scripts.link().now().saturating_sub(DEAD_AFTER)
    }

    /// Sends a beat.
    async fn beat_once(&self, number: u64) -> Result<Pulse, Refusal> {
        let link = self.scripts.link();
        let now = link.now();
        let nodes = self.scripts.key("nodes");
        let long_ago = self.dead_before();
        let mut commands = redis::pipe();
        commands.cmd("ZSCORE").arg(&nodes).arg(&self.node);
        let inbox = self.scripts.key(&format!("to:{}", self.node));
        commands
            .cmd("PUBLISH")
            .arg(inbox)
            .arg(format!("beat {number}"))
            .ignore();
        commands.cmd("GET").arg(self.scripts.key("store"));
        commands.cmd("TIME");
        commands
            .cmd("ZRANGEBYSCORE")
            .arg(&nodes)
            .arg("-inf")
            .arg(long_ago);
        let (before, dataset, (seconds, micros), dead): BeatAnswer =
            link.query_all(&commands).await?;
        if !self.is_leaving.load(Ordering::Relaxed) {
            self.note_alive(now).await?;
        }
        link.set_time(seconds * 1000 + micros / 1000);
        if !link.has_dataset(dataset.as_deref()) {
            // The store was flushed, which does not break connections.
            link.reconnect();
        }
        Ok(Pulse {
            is_back: before.is_none_or(|it| it <= long_ago),
            dead,
        })
    }

    /// Stores the time of this node's beat.
    async fn note_alive(&self, at: UnixMillis) -> Result<(), Refusal> {
        // As a script, because a store whose memory is full refuses the plain command.
        let alive = Script::new(ALIVE);
        let mut alive = alive.key(self.scripts.key("nodes"));
        alive.arg(at).arg(&self.node);
        let link = self.scripts.link();
        link.run(async |redis| alive.invoke_async::<i64>(redis).await)
            .await
            .map(drop)
    }

    /// Makes this node count as dead at once. Its entry stays in the store until another node has given its publishers
    /// time to reconnect, and removes it.
    pub(super) async fn end_beats(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
        if let Err(refusal) = self.note_alive(LEFT).await {
            tracing::debug!(%refusal, "cannot report to the store that this server is leaving");
        }
    }

    async fn clean_up_after(self: Arc<Self>, node: String) {
        tracing::info!(node, "another server has ended, or does not respond");
        if let Err(refusal) = self.try_clean_up_after(&node).await {
            tracing::debug!(%refusal, node, "cannot clean up after the other server yet");
        }
    }

    /// Returns the time of a node's newest beat.
    async fn last_beat(&self, node: &str) -> Result<Option<UnixMillis>, Refusal> {
        let nodes = self.scripts.key("nodes");
        let score = redis::cmd("ZSCORE").arg(nodes).arg(node).to_owned();
        self.scripts.link().query(&score).await
    }

    /// Removes a dead node from all channels. Later, reports the loss of its publishers that have not reconnected.
    async fn try_clean_up_after(&self, node: &str) -> Result<(), Refusal> {
        let link = self.scripts.link();
        // If it has shut down, its readers get time to resume at other nodes; meanwhile, publishers wait for them.
        let wait = match self.last_beat(node).await? {
            Some(LEFT) => self.stall_timeout,
            _ => Duration::ZERO,
        };
        sleep(wait).await;
        let mut work = Vec::new();
        for bucket in 0..BUCKETS {
            let key = self.scripts.bucket_key(bucket, &format!("at:{node}"));
            let members = redis::cmd("SMEMBERS").arg(key).to_owned();
            let ids: Vec<String> = link.query(&members).await?;
            for id in ids.iter().filter_map(|it| it.parse::<ClientId>().ok()) {
                match self.scripts.drop_node(id, node).await {
                    Ok(dropped) => work.extend(dropped.into_iter().map(|it| (id, it))),
                    // The channel has ended.
                    Err(Refusal::Hub(_)) => {}
                    Err(refusal) => return Err(refusal),
                }
            }
        }
        sleep(GRACE.saturating_sub(wait)).await;
        if self
            .last_beat(node)
            .await?
            .is_none_or(|it| it > self.dead_before())
        {
            // Another server has cleaned up already, or the node is alive after all: then it joins again, and its work
            // continues.
            return Ok(());
        }
        for (id, (name, operation)) in work {
            let message = Message {
                operation,
                ..Message::system(Some(Level::Error), BROKEN_OFF)
            };
            match self.scripts.gone(id, &name, &message).await {
                Ok(()) | Err(Refusal::Hub(_)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let nodes = self.scripts.key("nodes");
        let remove = redis::cmd("ZREM").arg(nodes).arg(node).to_owned();
        link.query::<i64>(&remove).await.map(drop)
    }

    /// Ends idle channels, often enough that none outlives the idle timeout by more than an eighth.
    pub(super) async fn sweep(self: Arc<Self>) {
        let timeout = self.hub.limits().idle_timeout;
        let every = (timeout / 8).clamp(SWEEP_OFTEN, SWEEP_SELDOM);
        let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let since = self.scripts.link().now().saturating_sub(timeout);
            if let Err(refusal) = self.sweep_once(since).await {
                tracing::debug!(%refusal, "cannot check the store for idle clients");
            }
        }
    }

    async fn sweep_once(&self, since: UnixMillis) -> Result<(), Refusal> {
        let mut commands = redis::pipe();
        for bucket in 0..BUCKETS {
            let open = self.scripts.bucket_key(bucket, "open");
            let command = commands
                .cmd("ZRANGEBYSCORE")
                .arg(open)
                .arg("-inf")
                .arg(since);
            command.arg("LIMIT").arg(0).arg(SWEPT_AT_ONCE);
        }
        let buckets: Vec<Vec<String>> = self.scripts.link().query_all(&commands).await?;
        for id in buckets.iter().flatten().filter_map(|it| it.parse().ok()) {
            match self.scripts.end_if_idle(id, since).await {
                Ok(()) | Err(Refusal::Hub(_)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
