//! Effects of a failing store on streams and publishers.

use std::time::Duration;

use super::texts;
use crate::support::{
    becomes,
    cluster::Cluster,
    http::{Connection, Http, Stream, stream_of},
    port::Port,
    redis::Redis,
    soon,
};

pub(super) const STORE: [&str; 4] = ["--store-timeout", "1s", "--store-patience", "20s"];

/// Waits for a gap of unknown size.
pub(super) async fn unknown_gap(stream: &mut Stream) {
    let gap = stream.event().await;
    assert_eq!(
        (gap.name.as_str(), gap.json()["missed"].is_null()),
        ("gap", true),
        "{gap:?}"
    );
}

#[tokio::test]
async fn nothing_is_lost_if_the_feed_breaks_or_the_store_forgets_its_scripts() {
    let Some(cluster) = Cluster::start(2, &STORE).await else {
        return;
    };
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    let mut stream = other.watch(&id).await;
    for number in 1..=30 {
        one.publish(&id, number.to_string()).await;
        match number {
            10 => assert_eq!(cluster.redis.ask("CLIENT KILL TYPE pubsub"), ":2"),
            20 => assert_eq!(cluster.redis.ask("SCRIPT FLUSH"), "+OK"),
            _ => {}
        }
    }
    let expected: Vec<_> = (1..=30).map(|it| it.to_string()).collect();
    assert_eq!(texts(&mut stream, 1, 30).await, expected);
}

#[tokio::test]
async fn losses_of_a_flushed_store_are_reported_and_the_client_continues() {
    let Some(cluster) = Cluster::start(2, &STORE).await else {
        return;
    };
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    let mut stream = other.watch(&id).await;
    one.publish(&id, "before").await;
    assert_eq!(texts(&mut stream, 1, 1).await, ["before"]);
    assert_eq!(cluster.redis.ask("FLUSHALL"), "+OK");
    unknown_gap(&mut stream).await;
    one.publish(&id, "after").await;
    assert_eq!(texts(&mut stream, 1, 1).await, ["after"]);
}

#[tokio::test]
async fn an_empty_restart_of_the_store_is_reported_and_streams_continue() {
    let Some(mut cluster) = Cluster::start(2, &STORE).await else {
        return;
    };
    let id = cluster.nodes[0].http.connect().await;
    let mut stream = cluster.nodes[1].http.watch(&id).await;
    cluster.nodes[0].http.publish(&id, "before").await;
    assert_eq!(texts(&mut stream, 1, 1).await, ["before"]);
    cluster.redis.restart();
    unknown_gap(&mut stream).await;
    let one = &cluster.nodes[0].http;
    soon(async { while one.get("/readyz").await.status != 200 {} }).await;
    one.publish(&id, "after").await;
    assert_eq!(texts(&mut stream, 1, 1).await, ["after"]);
    one.stop(&id).await;
    assert_eq!(stream.event().await.name, "end");
}

#[tokio::test]
async fn while_the_store_is_silent_publishing_is_refused_and_streams_stay_open() {
    let Some(cluster) = Cluster::start(2, &STORE).await else {
        return;
    };
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    let mut stream = other.watch(&id).await;
    cluster.redis.pause();
    let refused = one.post(&stream_of(&id), &[], "x").await;
    assert!(
        refused.detail(503).contains("the store"),
        "{}",
        refused.text()
    );
    assert!(refused.head.header("retry-after").is_some());
    soon(async { while one.get("/readyz").await.status != 503 {} }).await;
    assert_eq!(one.get("/healthz").await.status, 200);
    // A stream of lines waits.
    let mut publisher = one.publisher(&id, &[]).await;
    let streaming = async move {
        publisher.say_chunk("\"1\"\n\"2\"\n").await;
        publisher.say_chunk("").await;
        publisher.answer().await.json()["accepted"].as_u64()
    };
    let waking = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        cluster.redis.go_on();
    };
    let (accepted, ()) = tokio::join!(streaming, waking);
    assert_eq!(accepted, Some(2));
    assert_eq!(
        texts(&mut stream, 1, 2).await,
        ["1", "2"],
        "the refused line was not accepted"
    );
}

#[tokio::test]
async fn a_server_cut_off_from_its_store_closes_its_streams() {
    let Some(mut cluster) = Cluster::start(1, &["--store-patience", "1s"]).await else {
        return;
    };
    let id = cluster.nodes[0].http.connect().await;
    let mut stream = cluster.nodes[0].http.watch(&id).await;
    let control = format!("/api/v1/sse/debug/control/{id}");
    let mut listening = cluster.nodes[0].http.stream(&control, &[]).await;
    assert_eq!(listening.event().await.json()["subscribers"], 1);
    cluster.nodes[0].http.publish(&id, "1").await;
    assert_eq!(texts(&mut stream, 1, 1).await, ["1"]);
    cluster.redis.kill();
    let closed = async { tokio::join!(stream.next_event(), listening.next_event()) };
    assert_eq!(soon(closed).await, (None, None), "no end");
    let one = &cluster.nodes[0].http;
    let refused = one.request("GET", &stream_of(&id), &[], "").await;
    assert!(refused.detail(503).contains("the store"));
    cluster.redis.restart();
    let one = &cluster.nodes[0].http;
    ready(one).await;
    let mut stream = one.watch(&id).await;
    one.publish(&id, "2").await;
    assert_eq!(texts(&mut stream, 1, 1).await, ["2"]);
}

/// Waits until a server can use the store.
pub(super) async fn ready(at: &Http) {
    soon(async { while at.get("/readyz").await.status != 200 {} }).await;
}

#[tokio::test]
async fn a_store_that_keeps_everything_on_disk_restarts_without_loss_or_gap() {
    let Some(redis) = Redis::with(&["--appendonly", "yes", "--appendfsync", "always"]) else {
        return;
    };
    let mut cluster = Cluster::on(redis, 2, &STORE).await.unwrap();
    let id = cluster.nodes[0].http.connect().await;
    let mut stream = cluster.nodes[1].http.watch(&id).await;
    for text in ["1", "2", "3"] {
        cluster.nodes[0].http.publish(&id, text).await;
    }
    let first = stream.event().await;
    cluster.redis.restart();
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    // A stream of lines waits for the store.
    let mut publisher = one.publisher(&id, &[]).await;
    publisher.say_chunk("\"4\"\n\"5\"\n").await;
    publisher.say_chunk("").await;
    assert_eq!(publisher.answer().await.json()["accepted"], 2);
    assert_eq!(texts(&mut stream, 2, 4).await, ["2", "3", "4", "5"]);
    let resume = format!("Last-Event-ID: {}", first.id);
    ready(other).await;
    let mut resumed = other.stream(&stream_of(&id), &[&resume]).await;
    assert_eq!(texts(&mut resumed, 2, 4).await, ["2", "3", "4", "5"]);
}

/// Two servers on a store that has a replica.
pub(super) struct Replicated {
    pub(super) cluster: Cluster,
    replica: Redis,
    _port: Port,
}

impl Replicated {
    pub(super) async fn start(more: &[&str]) -> Option<Self> {
        let port = Port::keep();
        let number = port.address.port().to_string();
        let primary = Redis::with(&["--bind", "127.0.0.1", "--port", &number])?;
        let replica = Redis::with(&["--replicaof", "127.0.0.1", &number]).unwrap();
        let cluster = Cluster::on(primary, 2, &[&STORE, more].concat()).await?;
        Some(Self {
            cluster,
            replica,
            _port: port,
        })
    }

    /// Waits until the replica has `count` messages of a client, and cuts it off.
    pub(super) async fn cut_at(&self, id: &str, count: usize) {
        let log = format!("LLEN codechat:{{{}}}:{id}:log", &id[..2]);
        let has_all = || self.replica.ask(&log) == format!(":{count}");
        assert!(becomes(has_all).await, "no replication");
        // No server listens on port 1: the replica keeps what it has, and receives no more.
        assert!(self.replica.ask("REPLICAOF 127.0.0.1 1").starts_with("+OK"));
    }

    /// Replaces the store by the replica.
    pub(super) fn promote(&mut self) {
        self.take_over();
        self.cluster.redis.kill();
    }

    /// Has the replica take the store's place for new connections.
    pub(super) fn take_over(&self) {
        assert_eq!(self.replica.ask("REPLICAOF NO ONE"), "+OK");
        self.replica.take_over(&self.cluster.redis);
    }
}

#[tokio::test]
async fn messages_missing_from_a_promoted_replica_are_reported_to_each_watcher() {
    let Some(mut store) = Replicated::start(&[]).await else {
        return;
    };
    let cluster = &store.cluster;
    let id = cluster.nodes[0].http.connect().await;
    let mut streams = Vec::new();
    for node in &cluster.nodes {
        streams.push(node.http.watch(&id).await);
    }
    for text in ["1", "2", "3"] {
        cluster.nodes[0].http.publish(&id, text).await;
    }
    store.cut_at(&id, 3).await;
    cluster.nodes[0].http.publish(&id, "4").await;
    let last = cluster.nodes[1].http.publish(&id, "5").await;
    for stream in &mut streams {
        assert_eq!(texts(stream, 1, 5).await, ["1", "2", "3", "4", "5"]);
    }
    store.promote();
    for stream in &mut streams {
        unknown_gap(stream).await;
    }
    let [one, other] = [&store.cluster.nodes[0].http, &store.cluster.nodes[1].http];
    ready(one).await;
    ready(other).await;
    one.publish(&id, "another").await;
    for stream in &mut streams {
        assert_eq!(texts(stream, 4, 1).await, ["another"]);
    }
    // A watcher that resumes after a lost message gets a gap too.
    let resume = format!("Last-Event-ID: {last}");
    let mut resumed = other.stream(&stream_of(&id), &[&resume]).await;
    unknown_gap(&mut resumed).await;
    assert_eq!(texts(&mut resumed, 1, 3).await, ["1", "2", "3"]);
    // A second gap is reported at the place of the loss.
    unknown_gap(&mut resumed).await;
    assert_eq!(texts(&mut resumed, 4, 1).await, ["another"]);
}

#[tokio::test]
async fn a_slow_watcher_gets_a_gap_for_messages_lost_before_it_read_them() {
    /// The number of messages: more than sockets hold.
    const COUNT: u64 = 600;
    let Some(mut store) =
        Replicated::start(&["--log-bytes", "64MiB", "--stall-timeout", "1m"]).await
    else {
        return;
    };
    let [one, other] = [&store.cluster.nodes[0].http, &store.cluster.nodes[1].http];
    let id = one.connect().await;
    // It sends its request and reads nothing.
    let mut slow = Connection::open(other.address).await;
    slow.ask("GET", &stream_of(&id), &[]).await;
    let mut quick = other.watch(&id).await;
    let mut publisher = one.publisher(&id, &[]).await;
    for _ in 0..COUNT {
        let line = format!("\"{}\"\n", "x".repeat(60_000));
        publisher.say_chunk(line).await;
    }
    publisher.say_chunk("").await;
    assert_eq!(publisher.answer().await.json()["accepted"], COUNT);
    store.cut_at(&id, 600).await;
    one.publish(&id, "lost").await;
    assert_eq!(texts(&mut quick, 1, COUNT + 1).await[600], "lost");
    store.promote();
    unknown_gap(&mut quick).await;
    let one = &store.cluster.nodes[0].http;
    ready(one).await;
    one.publish(&id, "another").await;
    assert_eq!(texts(&mut quick, COUNT + 1, 1).await, ["another"]);

    let mut slow = slow.into_stream().await;
    slow.event().await;
    texts(&mut slow, 1, COUNT).await;
    unknown_gap(&mut slow).await;
    assert_eq!(texts(&mut slow, COUNT + 1, 1).await, ["another"]);
}

#[tokio::test]
async fn a_watcher_that_resumes_at_an_unwatched_server_gets_a_gap_for_losses() {
    let Some(mut store) = Replicated::start(&[]).await else {
        return;
    };
    let one = &store.cluster.nodes[0].http;
    let id = one.connect().await;
    let mut stays = one.watch(&id).await;
    let mut leaves = one.watch(&id).await;
    for text in ["1", "2", "3"] {
        one.publish(&id, text).await;
    }
    let read = leaves.event().await;
    drop(leaves);
    store.cut_at(&id, 3).await;
    one.publish(&id, "4").await;
    assert_eq!(texts(&mut stays, 1, 4).await, ["1", "2", "3", "4"]);
    store.promote();
    unknown_gap(&mut stays).await;
    let [one, other] = [&store.cluster.nodes[0].http, &store.cluster.nodes[1].http];
    ready(one).await;
    ready(other).await;
    one.publish(&id, "another").await;
    let resume = format!("Last-Event-ID: {}", read.id);
    let mut resumed = other.stream(&stream_of(&id), &[&resume]).await;
    assert_eq!(texts(&mut resumed, 2, 2).await, ["2", "3"]);
    unknown_gap(&mut resumed).await;
    assert_eq!(texts(&mut resumed, 4, 1).await, ["another"]);
}

#[tokio::test]
async fn a_store_out_of_memory_refuses_messages_and_can_still_be_read() {
    let bounds = ["--maxmemory", "8mb", "--maxmemory-policy", "noeviction"];
    let Some(redis) = Redis::with(&bounds) else {
        return;
    };
    let cluster = Cluster::on(redis, 2, &STORE).await.unwrap();
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    one.publish(&id, "kept").await;
    let text = "x".repeat(60_000);
    let mut others = Vec::new();
    let refused = soon(async {
        loop {
            // A log holds ten of them, so that no message is dropped to make room for another.
            let opened = one.get("/api/v1/sse/connect").await;
            if opened.status != 200 {
                break opened;
            }
            let filled = opened.json()["clientId"].as_str().unwrap().to_owned();
            others.push(filled.clone());
            for _ in 0..10 {
                let answer = one.post(&stream_of(&filled), &[], &text).await;
                if answer.status != 200 && answer.status != 202 {
                    return answer;
                }
            }
        }
    });
    let refused = refused.await;
    let detail = refused.detail(429);
    assert!(
        detail.contains("store") && detail.contains("maxmemory"),
        "{detail}"
    );
    assert!(refused.head.header("retry-after").is_some());
    // Servers report that they are alive, or others would consider them dead.
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let alive = format!("ZCOUNT codechat:nodes {} +inf", now.as_millis());
    assert!(
        becomes(|| cluster.redis.ask(&alive) == ":2").await,
        "no sign of life"
    );
    // A new subscription, and a server whose connections break.
    let mut stream = other.watch(&id).await;
    assert_eq!(texts(&mut stream, 1, 1).await, ["kept"]);
    cluster.redis.ask("CLIENT KILL TYPE normal");
    ready(one).await;
    ready(other).await;
    let mut again = one.watch(&id).await;
    assert_eq!(texts(&mut again, 1, 1).await, ["kept"]);
    for filled in others {
        other.stop(&filled).await;
    }
    one.publish(&id, "more").await;
    assert_eq!(texts(&mut stream, 2, 1).await, ["more"]);
}
