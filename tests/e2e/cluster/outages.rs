//! Outages of the store, or of the connection to it: short ones without a loss, and longer ones.

use super::{
    faults::{Replicated, STORE, ready, unknown_gap},
    texts,
};
use crate::support::{
    becomes,
    cluster::Cluster,
    http::{Stream, stream_of},
    redis::Redis,
    soon,
};

/// Waits for a gap of these numbers.
async fn known_gap(stream: &mut Stream, from: u64, to: u64) {
    let gap = stream.event().await;
    let json = gap.json();
    assert_eq!(
        (&*gap.name, json["from"].as_u64(), json["to"].as_u64()),
        ("gap", Some(from), Some(to))
    );
}

#[tokio::test]
async fn a_store_away_longer_than_the_patience_ends_a_request_with_the_accepted_count() {
    let flags = ["--store-timeout", "300ms", "--store-patience", "1s"];
    let Some(cluster) = Cluster::start(2, &flags).await else {
        return;
    };
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    let mut stream = one.watch(&id).await;
    let mut publisher = one.publisher(&id, &[]).await;
    publisher.say_chunk("\"1\"\n").await;
    assert_eq!(texts(&mut stream, 1, 1).await, ["1"]);
    cluster.redis.pause();
    publisher.say_chunk("\"2\"\n").await;
    let refused = publisher.answer().await;
    assert_eq!(refused.json()["accepted"], 1, "{}", refused.text());
    assert!(refused.detail(503).contains("the store"));
    // The other server has no watcher of this client.
    let refused = other.get(&stream_of(&id)).await;
    assert!(refused.detail(503).contains("the store"));
    cluster.redis.go_on();
    ready(other).await;
    other.publish(&id, "3").await;
    assert_eq!(
        texts(&mut stream, 2, 1).await,
        ["3"],
        "the refused line was not accepted"
    );
}

#[tokio::test]
async fn a_failover_to_a_replica_that_has_everything_goes_unnoticed() {
    let Some(mut store) = Replicated::start(&[]).await else {
        return;
    };
    let id = store.cluster.nodes[0].http.connect().await;
    let mut streams = Vec::new();
    for node in &store.cluster.nodes {
        streams.push(node.http.watch(&id).await);
    }
    store.cluster.nodes[0].http.publish(&id, "1").await;
    for stream in &mut streams {
        assert_eq!(texts(stream, 1, 1).await, ["1"]);
    }
    store.cut_at(&id, 1).await;
    store.promote();
    // A stream of lines waits for the new primary.
    let one = &store.cluster.nodes[0].http;
    let mut publisher = one.publisher(&id, &[]).await;
    publisher.say_chunk("\"2\"\n\"3\"\n").await;
    publisher.say_chunk("").await;
    assert_eq!(publisher.answer().await.json()["accepted"], 2);
    for stream in &mut streams {
        assert_eq!(texts(stream, 2, 2).await, ["2", "3"]);
    }
}

#[tokio::test]
async fn messages_lost_with_an_outdated_primary_are_reported_as_a_gap() {
    let Some(mut store) = Replicated::start(&[]).await else {
        return;
    };
    let id = store.cluster.nodes[0].http.connect().await;
    let mut stream = store.cluster.nodes[0].http.watch(&id).await;
    store.cluster.nodes[0].http.publish(&id, "1").await;
    store.cut_at(&id, 1).await;
    store.take_over();
    // One server still uses the old primary, the other one the new.
    store.cluster.replace(1).await;
    let [one, other] = [&store.cluster.nodes[0].http, &store.cluster.nodes[1].http];
    one.publish(&id, "at the old").await;
    other.publish(&id, "at the new").await;
    assert_eq!(texts(&mut stream, 1, 2).await, ["1", "at the old"]);
    store.cluster.redis.kill();
    unknown_gap(&mut stream).await;
    assert_eq!(texts(&mut stream, 2, 1).await, ["at the new"]);
}

#[tokio::test]
async fn a_server_that_is_too_slow_for_the_stores_output_limit_catches_up() {
    const COUNT: u64 = 30;
    let limit = ["--client-output-buffer-limit", "pubsub", "100kb", "0", "0"];
    let Some(redis) = Redis::with(&limit) else {
        return;
    };
    let flags = [&STORE[..], &["--log-bytes", "16MiB"]].concat();
    let cluster = Cluster::on(redis, 2, &flags).await.unwrap();
    let [one, slow] = [&cluster.nodes[0], &cluster.nodes[1]];
    let id = one.http.connect().await;
    let mut stream = slow.http.watch(&id).await;
    slow.process.pause().await;
    let text = "x".repeat(60_000);
    for _ in 0..COUNT {
        one.http.publish(&id, &text).await;
    }
    let is_cut = || cluster.redis.ask("PUBSUB CHANNELS") == "*1";
    assert!(becomes(is_cut).await, "the limit does not hold");
    slow.process.signal("CONT").await;
    assert_eq!(texts(&mut stream, 1, COUNT).await, vec![text; 30]);
    one.http.publish(&id, "then").await;
    assert_eq!(texts(&mut stream, COUNT + 1, 1).await, ["then"]);
}

#[tokio::test]
async fn watchers_of_a_server_that_shuts_down_come_back_while_their_places_are_kept() {
    let Some(cluster) = Cluster::start(1, &STORE).await else {
        return;
    };
    let one = &cluster.nodes[0];
    let mut streams = Vec::new();
    for _ in 0..16 {
        let id = one.http.connect().await;
        streams.push(one.http.watch(&id).await);
    }
    one.process.signal("TERM").await;
    for stream in &mut streams {
        let farewell = soon(stream.block()).await.expect("no last message");
        let retry = farewell.lines().find_map(|it| it.strip_prefix("retry: "));
        let retry: u64 = retry.expect("no retry").parse().unwrap();
        assert!((1000..=2000).contains(&retry), "{retry}");
    }
}

#[tokio::test]
async fn a_client_stopped_while_notices_are_down_ends_after_a_gap() {
    let Some(cluster) = Cluster::start(2, &STORE).await else {
        return;
    };
    let [one, other] = [&cluster.nodes[0], &cluster.nodes[1]];
    let id = one.http.connect().await;
    let mut stream = other.http.watch(&id).await;
    one.http.publish(&id, "1").await;
    assert_eq!(texts(&mut stream, 1, 1).await, ["1"]);
    other.process.pause().await;
    assert_eq!(cluster.redis.ask("CLIENT KILL TYPE pubsub"), ":2");
    for text in ["2", "3"] {
        one.http.publish(&id, text).await;
    }
    one.http.stop(&id).await;
    other.process.signal("CONT").await;
    known_gap(&mut stream, 2, 3).await;
    assert_eq!(stream.event().await.name, "end");
    assert!(soon(stream.next_event()).await.is_none());
}
