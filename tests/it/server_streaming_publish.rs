//! A publisher may stream for hours: each line is delivered as it comes, exactly once, and a watcher
//! learns where the publisher was cut short.

use std::time::{Duration, Instant};

use codechat::internal::wire::RECONNECT_GRACE;
use serde_json::json;

use crate::support::{
    http::{Connection, stream_of},
    server::Server,
};

const BROKEN_OFF: &str = "Publisher disconnected before it finished.";

#[tokio::test]
async fn lines_are_delivered_while_the_request_is_open() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let mut publisher = server.publisher(&id, &[]).await;
    for number in 0..5 {
        publisher.say_chunk(format!("\"line {number}\"\n")).await;
        assert_eq!(stream.event().await.data, format!("line {number}"));
    }
    // A line may come in pieces, and a piece may hold several lines.
    publisher.say_chunk("{\"mess").await;
    publisher
        .say_chunk("age\":\"in pieces\"}\n\"one\"\n\"two\"")
        .await;
    assert_eq!(stream.data(2).await, ["in pieces", "one"]);
    publisher.say_chunk("").await;
    let answer = publisher.answer().await;
    let last = stream.event().await;
    let expected = json!({
        "id": last.id, "accepted": 8, "subscribers": 1,
        "level": null, "cancel": false, "operation": null,
    });
    assert_eq!((answer.status, answer.json()), (202, expected));
    assert_eq!(last.data, "two");
}

#[tokio::test]
async fn only_a_streaming_body_has_no_time_limit() {
    let body_timeout = Duration::from_millis(100);
    let server = Server::with(|_, options| options.body_timeout = body_timeout).await;
    let id = server.connect().await;
    let mut streaming = server.publisher(&id, &[]).await;
    streaming.say_chunk("\"a\"\n").await;
    let mut slow = Connection::open(server.address).await;
    slow.ask("POST", &stream_of(&id), &["Content-Length: 5"])
        .await;
    slow.say("abc").await;
    slow.answer().await.detail(408);
    streaming.say_chunk("\"b\"\n").await;
    streaming.say_chunk("").await;
    assert_eq!(streaming.answer().await.json()["accepted"], 2);
}

#[tokio::test]
async fn the_refusal_for_a_stopped_stream_differs_from_that_for_an_unknown_one() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let mut publisher = server.publisher(&id, &[]).await;
    publisher.say_chunk("\"a\"\n").await;
    assert_eq!(stream.event().await.data, "a");
    server.stop(&id).await;
    publisher.say_chunk("\"b\"\n").await;
    let answer = publisher.answer().await;
    assert!(answer.detail(404).contains("has ended"));
    let problem = answer.json();
    assert_eq!(problem["type"], "/problems/ended");
    assert_eq!(problem["accepted"], 1);

    let unknown = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
    let answer = server.post(&stream_of(unknown), &[], "a").await;
    assert_eq!(
        (answer.status, &answer.json()["type"]),
        (404, &json!("about:blank"))
    );
}

#[tokio::test]
async fn the_loss_of_a_publisher_without_a_key_is_published_at_once() {
    let server = Server::start().await;
    let id = server.connect().await;
    let target = format!("{}?format=json", stream_of(&id));
    let mut stream = server.stream(&target, &[]).await;
    stream.event().await;
    let mut publisher = server.publisher(&id, &[]).await;
    publisher.say_chunk("\"a\"\n\"half").await;
    assert_eq!(stream.event().await.json()["message"], "a");
    let begin = Instant::now();
    drop(publisher);
    let event = stream.event().await;
    assert!(begin.elapsed() < RECONNECT_GRACE, "{:?}", begin.elapsed());
    assert_eq!((event.name.as_str(), event.seq()), ("debug", 2));
    let object = event.json();
    assert_eq!(
        [&object["message"], &object["level"], &object["system"]],
        [&json!(BROKEN_OFF), &json!("error"), &json!(true)]
    );
}

#[tokio::test]
async fn a_request_that_was_cut_and_repeated_arrives_exactly_once() {
    let server = Server::start().await;
    let (back, gone) = (server.connect().await, server.connect().await);
    let key = ["Idempotency-Key: k"];
    let (mut stream, mut other) = (server.watch(&back).await, server.watch(&gone).await);

    let mut publisher = server.publisher(&back, &key).await;
    publisher.say_chunk("\"1\"\n\"2\"\n\"3").await;
    assert_eq!(stream.data(2).await, ["1", "2"]);
    drop(publisher);
    let mut publisher = server.publisher(&back, &key).await;
    publisher.say_chunk("\"1\"\n\"2\"\n\"3\"\n\"4\"\n").await;
    assert_eq!(stream.data(2).await, ["3", "4"]);
    publisher.say_chunk("").await;
    let answer = publisher.answer().await;
    assert_eq!(
        (answer.status, &answer.json()["accepted"]),
        (202, &json!(4))
    );

    // Interrupted after that one, so its time to come back ends later.
    let begin = Instant::now();
    let mut publisher = server.publisher(&gone, &key).await;
    publisher.say_chunk("\"1\"\n").await;
    assert_eq!(other.data(1).await, ["1"]);
    drop(publisher);
    assert_eq!(other.data(1).await, [BROKEN_OFF]);
    assert!(begin.elapsed() >= RECONNECT_GRACE, "{:?}", begin.elapsed());

    server.publish(&back, "5").await;
    let next = stream.event().await;
    assert_eq!(
        (next.data.as_str(), next.seq()),
        ("5", 5),
        "a publisher that returned is not reported as lost"
    );
}

#[tokio::test]
async fn a_repeat_while_the_first_try_still_hangs_adds_nothing_twice() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let key = ["Idempotency-Key: k"];
    let mut hanging = server.publisher(&id, &key).await;
    hanging.say_chunk("\"1\"\n\"2\"\n").await;
    assert_eq!(stream.data(2).await, ["1", "2"]);
    let mut repeat = server.publisher(&id, &key).await;
    repeat.say_chunk("\"1\"\n\"2\"\n\"3\"\n").await;
    repeat.say_chunk("").await;
    assert_eq!(repeat.answer().await.json()["accepted"], 3);
    hanging.say_chunk("\"3\"\n").await;
    hanging.say_chunk("").await;
    assert_eq!(hanging.answer().await.json()["accepted"], 3);
    server.publish(&id, "4").await;
    assert_eq!(stream.data(2).await, ["3", "4"]);
}

#[tokio::test]
async fn a_streaming_publisher_learns_that_its_channel_ended() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let mut publisher = server.publisher(&id, &[]).await;
    publisher.say_chunk("\"a\"\n").await;
    assert_eq!(stream.data(1).await, ["a"]);
    server.stop(&id).await;
    publisher.say_chunk("\"b\"\n").await;
    let answer = publisher.answer().await;
    answer.detail(404);
    assert_eq!(answer.json()["accepted"], 1);
}
