//! What all nodes do for all: they show that they live, clean up after those that do not, and end idle channels.

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

/// How often a node shows that it lives.
const BEAT: Duration = Duration::from_secs(2);
/// The number of beats without return after which the feed counts as dead, though its connection lives.
const BEATS_MISSED: u64 = 3;
/// The age of a node's newest beat from which it counts as dead, in milliseconds.
const DEAD_AFTER: u64 = 10_000;
/// Notes when a node showed that it lives.
const ALIVE: &str = "#!lua flags=allow-oom\nreturn redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])";
/// How long a dead node's publishers may take to come back elsewhere.
const GRACE: Duration = Duration::from_secs(10);
/// Clients of a bucket that one sweep looks at.
const SWEPT_AT_ONCE: usize = 100;
const SWEEP_OFTEN: Duration = Duration::from_millis(100);
const SWEEP_SELDOM: Duration = Duration::from_secs(30);

/// The beats of this node that are under way through the store into its own inbox.
#[derive(Default)]
pub(super) struct Beats {
    state: Mutex<State>,
    missed: Notify,
}

#[derive(Default)]
struct State {
    /// The number of the newest one that was sent.
    sent: u64,
    /// The number of the newest one that came back.
    came: u64,
    /// When each of those after it was sent.
    under_way: VecDeque<Instant>,
    /// How long the newest one that came back took.
    delay: Duration,
}

/// What the store answers to a beat: when the one before was, the dataset ID, the time, and who is dead.
type Told = (Option<u64>, Option<String>, (u64, u64), Vec<String>);

/// What a beat tells.
struct Pulse {
    /// Whether the one before is so old that this node may have been taken for dead.
    is_back: bool,
    dead: Vec<String>,
}

impl Beats {
    /// The number of the next one; `None` where too many have not come back.
    fn next(&self) -> Option<u64> {
        let mut state = lock(&self.state);
        if state.sent - state.came >= BEATS_MISSED {
            // What is counted anew has yet to be missed.
            state.came = state.sent;
            state.under_way.clear();
            self.missed.notify_one();
            return None;
        }
        state.sent += 1;
        state.under_way.push_back(Instant::now());
        Some(state.sent)
    }

    /// Ready once too many have not come back.
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

    /// Whether the newest one that came back is not much older than the newest that was sent.
    pub(super) fn are_back(&self) -> bool {
        let state = lock(&self.state);
        state.sent - state.came < BEATS_MISSED && state.came > 0
    }

    /// How long the newest one that came back took.
    pub(super) fn delay(&self) -> Duration {
        lock(&self.state).delay
    }
}

impl Inner {
    pub(super) async fn beat(self: Arc<Self>) {
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut burials: HashMap<String, JoinHandle<()>> = HashMap::new();
        loop {
            ticks.tick().await;
            let Some(number) = self.beats.next() else {
                tracing::warn!("what the store tells this server does not arrive; connecting anew");
                self.scripts.link().reconnect();
                continue;
            };
            match self.beat_once(number).await {
                Ok(pulse) => {
                    if pulse.is_back && number > 1 {
                        tokio::spawn(Arc::clone(&self).renew_all());
                    }
                    // One that failed is begun again, and one that lived again may die again.
                    burials.retain(|_, it| !it.is_finished());
                    for node in pulse.dead.into_iter().filter(|it| *it != self.node) {
                        let bury = || tokio::spawn(Arc::clone(&self).bury(node.clone()));
                        burials.entry(node.clone()).or_insert_with(bury);
                    }
                }
                Err(refusal) => tracing::debug!(%refusal, "no beat"),
            }
        }
    }

    /// A node whose newest beat was then, or before, is dead.
    pub(super) fn dead_before(&self) -> UnixMillis {
        self.scripts.link().now().saturating_sub(DEAD_AFTER)
    }

    /// Shows that this node lives.
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
        let (before, dataset, (seconds, micros), dead): Told = link.query_all(&commands).await?;
        if !self.is_leaving.load(Ordering::Relaxed) {
            self.note_alive(now).await?;
        }
        link.set_time(seconds * 1000 + micros / 1000);
        if !link.has_dataset(dataset.as_deref()) {
            // It was flushed: no connection breaks by that.
            link.reconnect();
        }
        Ok(Pulse {
            is_back: before.is_none_or(|it| it <= long_ago),
            dead,
        })
    }

    /// Notes when this node showed that it lives.
    async fn note_alive(&self, at: UnixMillis) -> Result<(), Refusal> {
        // A script, so that a node lives on whose store's memory is spent: that refuses the command alone.
        let alive = Script::new(ALIVE);
        let mut alive = alive.key(self.scripts.key("nodes"));
        alive.arg(at).arg(&self.node);
        let link = self.scripts.link();
        link.run(async |redis| alive.invoke_async::<i64>(redis).await)
            .await
            .map(drop)
    }

    /// Has this node be dead at once, rather than once its beats are missed. Its entry stays: whoever sees that it is
    /// dead waits for its publishers to come back elsewhere, and removes it.
    pub(super) async fn end_beats(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
        if let Err(refusal) = self.note_alive(0).await {
            tracing::debug!(%refusal, "the store is not told that this server leaves");
        }
    }

    async fn bury(self: Arc<Self>, node: String) {
        tracing::info!(node, "another server is gone");
        if let Err(refusal) = self.try_bury(&node).await {
            tracing::debug!(%refusal, node, "what it left behind stays for now");
        }
    }

    /// Takes a dead node out of all channels, and later has its publishers missed that have not come back.
    async fn try_bury(&self, node: &str) -> Result<(), Refusal> {
        let link = self.scripts.link();
        let mut work = Vec::new();
        for bucket in 0..BUCKETS {
            let key = self.scripts.bucket_key(bucket, &format!("at:{node}"));
            let members = redis::cmd("SMEMBERS").arg(key).to_owned();
            let ids: Vec<String> = link.query(&members).await?;
            for id in ids.iter().filter_map(|it| it.parse::<ClientId>().ok()) {
                match self.scripts.drop_node(id, node).await {
                    Ok(dropped) => work.extend(dropped.into_iter().map(|it| (id, it))),
                    // It ended.
                    Err(Refusal::Hub(_)) => {}
                    Err(refusal) => return Err(refusal),
                }
            }
        }
        sleep(GRACE).await;
        let nodes = self.scripts.key("nodes");
        let score = redis::cmd("ZSCORE").arg(&nodes).arg(node).to_owned();
        let seen: Option<u64> = link.query(&score).await?;
        if seen.is_none_or(|it| it > self.dead_before()) {
            // Another server was quicker, or it lives after all: then it joins once more, and its work goes on.
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
        let remove = redis::cmd("ZREM").arg(&nodes).arg(node).to_owned();
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
                tracing::debug!(%refusal, "no sweep");
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
