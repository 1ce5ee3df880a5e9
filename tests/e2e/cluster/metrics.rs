//! The metrics of servers that share a store.

use std::str::FromStr;

use super::{faults::unknown_gap, texts};
use crate::support::{
    cluster::Cluster,
    http::{Connection, Http, stream_of},
    soon,
};

/// Returns one of the metrics, whose name is given without `codechat_`.
async fn number<T: FromStr>(at: &Http, name: &str) -> T {
    let text = at.get("/metrics").await.text().to_owned();
    let line = text
        .lines()
        .find_map(|it| it.strip_prefix(&format!("codechat_{name} ")));
    let number = line.and_then(|it| it.parse().ok());
    number.unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// Waits until a metric has a wanted value.
async fn becomes(at: &Http, name: &str, wanted: impl Fn(u64) -> bool) {
    soon(async { while !wanted(number(at, name).await) {} }).await;
}

#[tokio::test]
async fn the_metrics_count_a_servers_use_of_its_store() {
    let Some(cluster) = Cluster::start(1, &[]).await else {
        return;
    };
    let one = &cluster.nodes[0].http;
    becomes(one, "store_up", |it| it == 1).await;
    becomes(one, "nodes", |it| it == 1).await;
    assert_eq!(number::<u64>(one, "mirrors").await, 0);
    let delay: f64 = number(one, "store_feed_delay_seconds").await;
    assert!(delay > 0.0 && delay < 10.0, "{delay}");

    let id = one.connect().await;
    let mut stream = one.watch(&id).await;
    one.publish(&id, "1").await;
    assert_eq!(texts(&mut stream, 1, 1).await, ["1"]);
    for (name, value) in [
        ("clients", 1),
        ("mirrors", 1),
        ("store_reconnects_total", 0),
        ("store_rejoins_total", 0),
        ("store_rewinds_total", 0),
        ("store_timeouts_total", 0),
        ("store_request_seconds_count{script=\"publish_plain\"}", 1),
        ("store_request_seconds_count{script=\"join\"}", 1),
    ] {
        assert_eq!(number::<u64>(one, name).await, value, "{name}");
    }

    cluster.redis.ask("CLIENT KILL TYPE pubsub");
    becomes(one, "store_reconnects_total", |it| it == 1).await;
    cluster.redis.ask("CLIENT KILL TYPE normal");
    becomes(one, "store_reconnects_total", |it| it == 2).await;
    becomes(one, "store_rejoins_total", |it| it > 0).await;
    assert_eq!(number::<u64>(one, "store_rewinds_total").await, 0);

    cluster.redis.ask("FLUSHALL");
    unknown_gap(&mut stream).await;
    assert_eq!(number::<u64>(one, "store_rewinds_total").await, 1);
    drop(stream);
    becomes(one, "mirrors", |it| it == 0).await;
}

#[tokio::test]
async fn all_servers_report_the_same_clients_and_a_silent_store_is_down() {
    let Some(cluster) = Cluster::start(2, &["--store-timeout", "200ms"]).await else {
        return;
    };
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    let _stream = one.watch(&id).await;
    for node in [one, other] {
        becomes(node, "nodes", |it| it == 2).await;
        assert_eq!(number::<u64>(node, "clients").await, 1);
    }
    assert_eq!(number::<u64>(one, "mirrors").await, 1);
    assert_eq!(number::<u64>(other, "mirrors").await, 0);

    // Its figures are the last known ones.
    cluster.redis.pause();
    becomes(one, "store_up", |it| it == 0).await;
    assert!(number::<u64>(one, "store_timeouts_total").await > 0);
    assert_eq!(number::<u64>(one, "clients").await, 1);
    assert_eq!(number::<u64>(one, "nodes").await, 2);
    cluster.redis.go_on();
    becomes(one, "store_up", |it| it == 1).await;
}

#[tokio::test]
async fn a_server_that_shut_down_is_no_longer_counted() {
    let Some(mut cluster) = Cluster::start(2, &[]).await else {
        return;
    };
    let left = cluster.nodes.pop().unwrap();
    let one = &cluster.nodes[0].http;
    becomes(one, "nodes", |it| it == 2).await;
    left.process.signal("TERM").await;
    assert_eq!(left.process.end().await.code, Some(0));
    assert_eq!(number::<u64>(one, "nodes").await, 1);
}

#[tokio::test]
async fn lines_that_arrive_during_a_request_to_the_store_form_the_next_batch() {
    const LINES: u64 = 200;
    let Some(cluster) = Cluster::start(1, &["--store-timeout", "30s"]).await else {
        return;
    };
    let one = &cluster.nodes[0].http;
    let id = one.connect().await;
    let mut stream = one.watch(&id).await;
    let mut publisher = one.publisher(&id, &[]).await;
    publisher.say_chunk("\"1\"\n").await;
    assert_eq!(texts(&mut stream, 1, 1).await, ["1"]);
    cluster.redis.pause();
    for number in 2..=LINES {
        publisher.say_chunk(format!("\"{number}\"\n")).await;
    }
    cluster.redis.go_on();
    publisher.say_chunk("").await;
    assert_eq!(publisher.answer().await.json()["accepted"], LINES);
    let expected: Vec<_> = (2..=LINES).map(|it| it.to_string()).collect();
    assert_eq!(texts(&mut stream, 2, LINES - 1).await, expected);
    let name = "store_request_seconds_count{script=\"publish\"}";
    let questions: u64 = number(one, name).await;
    assert!(questions < LINES / 10, "{questions}");
}

#[tokio::test]
async fn a_watcher_that_leaves_during_its_join_is_counted_nowhere() {
    let Some(cluster) = Cluster::start(2, &["--store-timeout", "10s"]).await else {
        return;
    };
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    cluster.redis.pause();
    let mut leaving = Connection::open(other.address).await;
    leaving.ask("GET", &stream_of(&id), &[]).await;
    // By these answers, the server has seen what other connections did before.
    for _ in 0..10 {
        other.get("/healthz").await;
    }
    drop(leaving);
    for _ in 0..10 {
        other.get("/healthz").await;
    }
    cluster.redis.go_on();
    becomes(other, "mirrors", |it| it == 0).await;
    let answer = one
        .post(&stream_of(&id), &["Accept: application/json"], "x")
        .await;
    assert_eq!(answer.json()["subscribers"], 0);
}
