//! Servers that share a store behave as one, whichever of them a client uses and whichever of them ends.

mod faults;
mod metrics;
mod outages;
mod store;

use std::{
    fs::{self, File},
    net::SocketAddr,
    time::Duration,
};

use tokio::{io::AsyncReadExt, sync::mpsc};

use crate::support::{
    becomes,
    cluster::Cluster,
    http::{Connection, Http, Stream, stream_of},
    nginx::Nginx,
    process::{CODECHAT, Running, Scratch, clean, codechat, opened},
    soon,
};

/// Time limit for what takes long beside other tests on a small machine.
const LONG: Duration = Duration::from_mins(5);

/// Returns what `seq 1 COUNT` prints.
fn seq(count: u32) -> String {
    let lines: Vec<_> = (1..=count).map(|it| format!("{it}\n")).collect();
    lines.concat()
}

/// Returns the texts of the next messages of a stream, each of which must have the next number.
async fn texts(stream: &mut Stream, first: u64, count: u64) -> Vec<String> {
    let mut texts = Vec::new();
    for number in first..first + count {
        let event = stream.event().await;
        assert_eq!(
            (event.name.as_str(), event.seq()),
            ("debug", number),
            "{event:?}"
        );
        texts.push(event.data);
    }
    texts
}

#[tokio::test]
async fn watchers_of_all_servers_see_the_same_order_wherever_messages_are_published() {
    const EACH: u64 = 50;
    let Some(cluster) = Cluster::start(2, &[]).await else {
        return;
    };
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    let (mut here, mut there) = (one.watch(&id).await, other.watch(&id).await);
    let publish = async |at: &Http, name: &str| {
        for number in 0..EACH {
            at.publish(&id, format!("{name} {number}")).await;
        }
    };
    tokio::join!(publish(one, "one"), publish(other, "other"));
    let seen = texts(&mut here, 1, 2 * EACH).await;
    assert_eq!(seen, texts(&mut there, 1, 2 * EACH).await);
    for name in ["one", "other"] {
        let of_one: Vec<_> = seen
            .iter()
            .filter(|it| it.starts_with(&format!("{name} ")))
            .collect();
        let expected: Vec<_> = (0..EACH).map(|it| format!("{name} {it}")).collect();
        assert_eq!(of_one, expected.iter().collect::<Vec<_>>());
    }
    other.stop(&id).await;
    assert_eq!(
        (here.event().await.name, there.event().await.name),
        ("end".into(), "end".into())
    );
}

#[tokio::test]
async fn a_watcher_resumes_at_another_server_where_it_stopped() {
    let Some(cluster) = Cluster::start(2, &["--log-messages", "10"]).await else {
        return;
    };
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    let mut stream = one.watch(&id).await;
    for number in 1..=4 {
        one.publish(&id, number.to_string()).await;
    }
    let mut last = String::new();
    for number in 1..=4u64 {
        let event = stream.event().await;
        assert_eq!(event.seq(), number);
        last = event.id;
    }
    drop(stream);
    for number in 5..=8 {
        other.publish(&id, number.to_string()).await;
    }
    let resume = format!("Last-Event-ID: {last}");
    let mut stream = other.stream(&stream_of(&id), &[&resume]).await;
    assert_eq!(texts(&mut stream, 5, 4).await, ["5", "6", "7", "8"]);

    // The messages dropped from the log meanwhile are reported with their numbers.
    drop(stream);
    for number in 9..=20 {
        one.publish(&id, number.to_string()).await;
    }
    let mut stream = one.stream(&stream_of(&id), &[&resume]).await;
    let gap = stream.event().await;
    assert_eq!(
        (
            gap.name.as_str(),
            gap.json()["from"].as_u64(),
            gap.json()["to"].as_u64()
        ),
        ("gap", Some(5), Some(10))
    );
    assert_eq!(texts(&mut stream, 11, 10).await.len(), 10);

    // A cursor of another channel is reported like one from before a restart.
    let mut stream = other
        .stream(&stream_of(&id), &["Last-Event-ID: 12-1"])
        .await;
    let gap = stream.event().await;
    assert_eq!(
        (gap.name.as_str(), gap.json()["missed"].is_null()),
        ("gap", true)
    );
    assert_eq!(texts(&mut stream, 11, 10).await.len(), 10);
}

#[tokio::test]
async fn watchers_and_publishers_of_a_server_that_shuts_down_continue_at_another() {
    let Some(cluster) = Cluster::start(2, &[]).await else {
        return;
    };
    let addresses = [cluster.nodes[0].http.address, cluster.nodes[1].http.address];
    let Some(balancer) = Nginx::balancing(&addresses).await else {
        return;
    };
    let url = &balancer.url;
    let id = cluster.nodes[0].http.connect().await;
    let watch = ["watch", "--server", url, "--id", &id, "--count", "4"];
    let (watcher, _) = opened(Running::codechat(watch)).await;
    let mut here = cluster.nodes[0].http.watch(&id).await;
    let send = ["send", "--server", url, "--id", &id];
    let mut sender = Running::codechat(send);
    for text in ["one\n", "two\n"] {
        sender.write(text).await;
        while here.event().await.data != text.trim_end() {}
    }
    cluster.nodes[0].process.signal("TERM").await;
    while here.event().await.data != "Server shutting down..." {}
    assert_eq!(here.next_event().await.map(|it| it.name), None, "no end");
    sender.write("three\nfour\n").await;
    assert_eq!(sender.end().await.code, Some(0));
    let seen = watcher.end().await;
    assert_eq!(
        (seen.code, &*seen.stdout),
        (Some(0), "one\ntwo\nthree\nfour\n")
    );
}

#[tokio::test]
async fn a_request_repeated_at_another_server_is_published_once() {
    let Some(cluster) = Cluster::start(2, &[]).await else {
        return;
    };
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    let mut stream = one.watch(&id).await;
    let key = "Idempotency-Key: a";
    let first = one.request("POST", &stream_of(&id), &[key], "x").await;
    let again = other.request("POST", &stream_of(&id), &[key], "x").await;
    assert_eq!(first.json()["id"], again.json()["id"]);

    // Half of a streaming request at this server, all of it at the other one.
    let key = "Idempotency-Key: b";
    let mut broken = one.publisher(&id, &[key]).await;
    broken.say_chunk("\"1\"\n\"2\"\n").await;
    assert_eq!(texts(&mut stream, 1, 3).await, ["x", "1", "2"]);
    drop(broken);
    let mut whole = other.publisher(&id, &[key]).await;
    whole.say_chunk("\"1\"\n\"2\"\n\"3\"\n").await;
    whole.say_chunk("").await;
    let answer = whole.answer().await.json();
    assert_eq!(answer["accepted"], 3);
    assert_eq!(
        texts(&mut stream, 4, 1).await,
        ["3"],
        "and no publisher is reported as lost"
    );
    one.publish(&id, "then").await;
    assert_eq!(texts(&mut stream, 5, 1).await, ["then"]);
}

#[tokio::test]
async fn a_watchers_request_at_one_server_reaches_the_publisher_at_another() {
    let Some(cluster) = Cluster::start(2, &[]).await else {
        return;
    };
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    let control = format!("/api/v1/sse/debug/control/{id}");
    let mut listening = other
        .stream(&format!("{control}?operation=build"), &[])
        .await;
    assert_eq!(listening.event().await.json()["subscribers"], 0);
    let stream = one.watch(&id).await;
    assert_eq!(listening.event().await.json()["subscribers"], 1);
    let json = ["Content-Type: application/json"];
    let wish = r#"{"level":"debug","cancel":true,"operation":"build"}"#;
    let answer = one.request("POST", &control, &json, wish).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let state = listening.event().await.json();
    assert_eq!(
        (&state["level"], &state["cancel"]),
        (&"debug".into(), &true.into())
    );
    // The operation's outcome clears the request to cancel it.
    let outcome = r#"{"message":"","operation":"build","outcome":"cancelled"}"#;
    other.request("POST", &stream_of(&id), &json, outcome).await;
    let state = listening.event().await.json();
    assert_eq!(
        (&state["level"], &state["cancel"]),
        (&"debug".into(), &false.into())
    );
    drop(stream);
    assert_eq!(listening.event().await.json()["subscribers"], 0);
}

/// The number of lines for a slow watcher: more than sockets hold.
const COUNT: u64 = 600;

/// Opens a stream that nobody reads.
async fn slow_watcher(at: SocketAddr, one: &Http, id: &str) -> Connection {
    let mut slow = Connection::open(at).await;
    slow.ask("GET", &stream_of(id), &[]).await;
    assert!(soon(subscribed(one, id)).await);
    slow
}

/// Publishes the lines, and reports when they are held back.
async fn publish_lines(publisher: Connection, held_back: mpsc::Sender<()>) {
    let lines = (1..=COUNT).map(|number| format!("\"{number} {}\"\n", "x".repeat(60_000)));
    let answer = publisher.say_lines(lines, held_back).await;
    assert_eq!(answer.json()["accepted"], COUNT);
}

#[tokio::test]
async fn a_slow_watcher_at_another_server_loses_nothing_and_holds_back_its_publisher() {
    let Some(cluster) = Cluster::start(2, &["--log-messages", "10", "--stall-timeout", "1m"]).await
    else {
        return;
    };
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    let slow = slow_watcher(other.address, one, &id).await;
    let publisher = one.publisher(&id, &[]).await;
    let (held_back, mut held) = mpsc::channel(1);
    let publishing = publish_lines(publisher, held_back);
    let reading = async move {
        soon(held.recv()).await.expect("the publisher is held back");
        let mut slow = slow.into_stream().await;
        slow.event().await;
        for number in 1..=COUNT {
            let event = slow.event().await;
            assert_eq!((event.name.as_str(), event.seq()), ("debug", number));
        }
    };
    tokio::time::timeout(LONG, async { tokio::join!(publishing, reading) })
        .await
        .unwrap();
}

/// Reads a stream until its connection breaks. Returns the ID of the last complete event.
async fn last_of_broken(mut stream: Connection) -> String {
    let mut bytes = Vec::new();
    // It may end with an error.
    let _ = soon(stream.socket.read_to_end(&mut bytes)).await;
    let text = String::from_utf8_lossy(&bytes);
    let (whole, _cut) = text.rsplit_once("\n\n").expect("no event");
    let mut ids = whole.lines().filter_map(|it| it.strip_prefix("id: "));
    ids.next_back().expect("no ID").to_owned()
}

#[tokio::test]
async fn a_slow_watcher_of_a_server_that_shuts_down_resumes_elsewhere_without_a_gap() {
    let flags = [
        "--log-messages",
        "10",
        "--stall-timeout",
        "10s",
        "--grace",
        "1s",
    ];
    let Some(mut cluster) = Cluster::start(3, &flags).await else {
        return;
    };
    let left = cluster.nodes.remove(0);
    let [one, other] = [&cluster.nodes[0].http, &cluster.nodes[1].http];
    let id = one.connect().await;
    let slow = slow_watcher(left.http.address, one, &id).await;
    let publisher = one.publisher(&id, &[]).await;
    let (held_back, mut held) = mpsc::channel(1);
    let publishing = publish_lines(publisher, held_back);
    let reading = async {
        soon(held.recv()).await.expect("the publisher is held back");
        left.process.signal("TERM").await;
        assert_eq!(left.process.end().await.code, Some(0));
        let last = last_of_broken(slow).await;
        let (seq, _time) = last.split_once('-').unwrap();
        let seq: u64 = seq.parse().unwrap();
        assert!(seq < COUNT);
        let resume = format!("Last-Event-ID: {last}");
        let mut stream = other.stream(&stream_of(&id), &[&resume]).await;
        texts(&mut stream, seq + 1, COUNT - seq).await;
    };
    tokio::time::timeout(LONG, async { tokio::join!(publishing, reading) })
        .await
        .unwrap();
}

/// Waits until a client has a subscriber.
async fn subscribed(at: &Http, id: &str) -> bool {
    loop {
        let receipt = at
            .request(
                "POST",
                &stream_of(id),
                &["Content-Type: application/x-ndjson"],
                "",
            )
            .await;
        if receipt.json()["subscribers"] == 1 {
            return true;
        }
    }
}

#[tokio::test]
async fn every_line_arrives_once_and_in_order_while_each_server_is_killed_in_turn() {
    const COUNT: u32 = 200_000;
    // nginx may find no server for many seconds: the log holds all lines.
    const LOG: [&str; 4] = ["--log-messages", "200001", "--log-bytes", "64MiB"];
    let Some(mut cluster) = Cluster::start(3, &LOG).await else {
        return;
    };
    let addresses: Vec<_> = cluster.nodes.iter().map(|it| it.http.address).collect();
    let Some(nginx) = Nginx::balancing(&addresses).await else {
        return;
    };
    let scratch = Scratch::new();
    let (input, output) = (scratch.path("in"), scratch.path("out"));
    fs::write(&input, seq(COUNT)).unwrap();
    let mut watch = codechat([
        "watch",
        "--server",
        &nginx.url,
        "--until",
        &format!("^{COUNT}$"),
    ]);
    let (watcher, id) = opened(Running::start(watch.stdout(File::create(&output).unwrap()))).await;
    let mut shell = clean("sh");
    let script = "\"$0\" send --server \"$1\" --id \"$2\" < \"$3\"";
    shell
        .args(["-c", script, CODECHAT, &nginx.url, &id])
        .arg(&input);
    let sender = Running::start(&mut shell);
    for index in 0..3 {
        let before = fs::metadata(&output).unwrap().len();
        let grows = becomes(|| fs::metadata(&output).unwrap().len() > before + 50_000);
        assert!(grows.await, "no more lines arrive");
        cluster.replace(index).await;
    }
    let sent = sender.end_within(LONG).await;
    assert_eq!(sent.code, Some(0), "{sent:?}");
    let end = watcher.end_within(LONG).await;
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(
        fs::read_to_string(&output).unwrap() == seq(COUNT),
        "{end:?}"
    );
}
