//! Control requests: a watcher's request reaches the publishers, and a lost publisher is reported.

use std::{
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use codechat::internal::{
    client::control_feed::{ControlFeed, ControlUpdate},
    control::{Cancel, Change, ControlRequest, Requested},
    event::ClientId,
    hub::{CONTROL_STREAMS, ControlEvent},
    message::Level,
};
use serde_json::{Value, json};

use crate::support::{
    cutter::Cutter,
    feed::client,
    http::{Answer, Http, Stream, stream_of},
    server::Server,
    soon,
};

const LOST: &str = "Publisher disconnected before it finished.";
const UNKNOWN: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
/// Time that a publisher may take to come back.
const RECONNECT_GRACE: Duration = Duration::from_secs(2);

fn control_of(id: &str) -> String {
    format!("/api/v1/sse/debug/control/{id}")
}

async fn ask(http: &Http, id: &str, requested: Value) -> Answer {
    http.post(&control_of(id), &[], requested.to_string()).await
}

/// Returns the next event of a control stream.
async fn next_state(stream: &mut Stream) -> Value {
    let event = stream.event().await;
    assert_eq!((event.name.as_str(), event.id.as_str()), ("control", ""));
    event.json()
}

fn state(level: Option<&str>, cancel: bool, operation: Option<&str>) -> Value {
    json!({"subscribers": 0, "level": level, "cancel": cancel, "operation": operation})
}

/// Opens a stream of message objects, after its greeting.
async fn objects(http: &Http, id: &str) -> Stream {
    let mut stream = http
        .stream(&format!("{}?format=json", stream_of(id)), &[])
        .await;
    stream.event().await;
    stream
}

#[tokio::test]
async fn a_control_stream_sends_the_state_at_once_and_after_each_change() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut control = server.stream(&control_of(&id), &[]).await;
    let head = &control.head;
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(head.header("sse-client-id"), Some(id.as_str()));
    assert_eq!(next_state(&mut control).await, state(None, false, None));

    let watcher = server.watch(&id).await;
    assert_eq!(next_state(&mut control).await["subscribers"], 1);
    drop(watcher);
    assert_eq!(next_state(&mut control).await["subscribers"], 0);

    let answer = ask(&server, &id, json!({"level": "debug"})).await;
    let debug = state(Some("debug"), false, None);
    assert_eq!((answer.status, answer.json()), (202, debug.clone()));
    assert_eq!(next_state(&mut control).await, debug);
    ask(&server, &id, json!({"cancel": true, "operation": "build"})).await;
    let both = state(Some("debug"), true, Some("build"));
    assert_eq!(next_state(&mut control).await, both);
    // A request for what is already in force changes nothing.
    ask(&server, &id, json!({"level": "debug"})).await;
    ask(&server, &id, json!({"level": null})).await;
    assert_eq!(
        next_state(&mut control).await,
        state(None, true, Some("build"))
    );

    server.stop(&id).await;
    let end = control.event().await;
    assert_eq!((end.name.as_str(), end.data.as_str()), ("end", "stopped"));
    control.ended().await;
}

#[tokio::test]
async fn a_slow_control_stream_sees_the_newest_state_not_each_change() {
    let server = Server::start().await;
    let id: ClientId = server.connect().await.parse().unwrap();
    let mut control = server.hub.listen(id, None).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(control.poll_event(&mut cx).is_ready());
    assert!(control.poll_event(&mut cx).is_pending());
    for level in [Level::Debug, Level::Trace].into_iter().cycle().take(100) {
        let request = ControlRequest::new().level(Change::Set(level));
        server.hub.request_control(id, request).unwrap();
    }
    let Poll::Ready(ControlEvent::State(state)) = control.poll_event(&mut cx) else {
        panic!("it gets nothing");
    };
    assert_eq!(state.requested.level, Some(Level::Trace));
    assert!(control.poll_event(&mut cx).is_pending());
}

#[tokio::test]
async fn every_publish_answer_carries_the_request_until_the_outcome() {
    let server = Server::start().await;
    let id = server.connect().await;
    ask(
        &server,
        &id,
        json!({"cancel": true, "operation": "build", "level": "trace"}),
    )
    .await;
    let requested = |answer: &Answer| {
        let answer = answer.json();
        json!([answer["level"], answer["cancel"], answer["operation"]])
    };
    let wanted = json!(["trace", true, "build"]);
    let key = ["Idempotency-Key: k"];
    let first = server.post(&stream_of(&id), &key, "a").await;
    assert_eq!(requested(&first), wanted);
    let lines = ["Content-Type: application/x-ndjson"];
    let answer = server.post(&stream_of(&id), &lines, "\"b\"\n").await;
    assert_eq!(requested(&answer), wanted);

    let outcome = |operation: &str| format!("{}?operation={operation}&outcome=ok", stream_of(&id));
    let other = server.post(&outcome("test"), &[], "").await;
    assert_eq!(requested(&other), wanted, "another operation's outcome");
    let own = server.post(&outcome("build"), &[], "").await;
    assert_eq!(requested(&own), json!(["trace", false, null]));
    // A repeated request adds nothing, but its answer still has the current state.
    let repeated = server.post(&stream_of(&id), &key, "a").await;
    assert_eq!(repeated.json()["id"], first.json()["id"]);
    assert_eq!(requested(&repeated), json!(["trace", false, null]));

    ask(&server, &id, json!({"cancel": true})).await;
    let any = server.post(&outcome("test"), &[], "").await;
    assert_eq!(
        requested(&any)[1],
        false,
        "it named no operation, so any outcome clears it"
    );
}

#[tokio::test]
async fn malformed_control_requests_and_unknown_clients_are_refused() {
    let server = Server::start().await;
    let id = server.connect().await;
    for (body, named) in [
        (r#"{"levle":"debug"}"#, "levle"),
        (r#"{"level":"loud"}"#, "loud"),
        (r#"{"operation":"a"}"#, "cancel"),
        ("{}", "nothing"),
        ("", "not a control request"),
    ] {
        let answer = server.post(&control_of(&id), &[], body).await;
        assert!(answer.detail(400).contains(named), "{body}");
    }
    let long = format!("{{\"level\":\"{}\"}}", "x".repeat(5000));
    server.post(&control_of(&id), &[], long).await.detail(413);
    let unnamed = format!("{}?operation=", control_of(&id));
    server.get(&unnamed).await.detail(400);

    server.get(&control_of(UNKNOWN)).await.detail(404);
    ask(&server, UNKNOWN, json!({"cancel": true}))
        .await
        .detail(404);
    server.stop(&id).await;
    let ended = server.get(&control_of(&id)).await;
    assert_eq!(
        (ended.status, &ended.json()["type"]),
        (404, &json!("/problems/ended"))
    );
    ask(&server, &id, json!({"cancel": true})).await.detail(404);
}

#[tokio::test]
async fn control_streams_are_bounded_and_count_neither_as_subscribers_nor_as_activity() {
    let idle = Duration::from_millis(400);
    let server = Server::with(|limits, _| limits.idle_timeout = idle).await;
    let id = server.connect().await;
    let mut streams = Vec::new();
    for _ in 0..CONTROL_STREAMS {
        streams.push(server.stream(&control_of(&id), &[]).await);
    }
    let refused = server.get(&control_of(&id)).await;
    assert!(refused.detail(429).contains("control streams"));
    assert_eq!(server.hub.stats().subscribers, 0);
    let mut last = streams.pop().unwrap();
    next_state(&mut last).await;
    let end = last.event().await;
    assert_eq!((end.name.as_str(), end.data.as_str()), ("end", "idle"));
}

#[tokio::test]
async fn a_quiet_control_stream_has_heartbeats_and_a_last_event_at_shutdown() {
    let heartbeat = Duration::from_millis(50);
    let mut server = Server::with(|_, options| options.heartbeat = heartbeat).await;
    let id = server.connect().await;
    let target = format!("{}?operation=build", control_of(&id));
    let mut control = server.stream(&target, &[]).await;
    next_state(&mut control).await;
    assert_eq!(soon(control.block()).await.unwrap(), ":\n\n");
    server.shut_down();
    let farewell = control.event().await;
    assert_eq!(farewell.data, "Server shutting down...");
    control.ended().await;
    drop(control);
    assert_eq!(
        server.hub.stats().published,
        0,
        "the end of the server is not the loss of a publisher"
    );
    server.down().await;
}

#[tokio::test]
async fn the_loss_of_an_operations_control_stream_is_published_once_within_three_seconds() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut watcher = objects(&server, &id).await;
    ask(&server, &id, json!({"cancel": true, "operation": "build"})).await;
    let target = format!("{}?operation=build", control_of(&id));
    let mut control = server.stream(&target, &[]).await;
    let second = server.stream(&target, &[]).await;
    next_state(&mut control).await;
    // An interrupted batch of its own belongs to the same publisher.
    let mut batch = server.publisher(&id, &["Idempotency-Key: k"]).await;
    let line = json!({"message": "compiling", "operation": "build"});
    batch.say_chunk(format!("{line}\n")).await;
    assert_eq!(watcher.event().await.json()["message"], "compiling");
    let begin = Instant::now();
    drop((control, batch));
    drop(second);
    let lost = watcher.event().await.json();
    let after = begin.elapsed();
    assert!(
        after >= RECONNECT_GRACE && after < Duration::from_secs(3),
        "{after:?}"
    );
    let said = [
        &lost["message"],
        &lost["level"],
        &lost["operation"],
        &lost["system"],
    ];
    assert_eq!(
        said,
        [&json!(LOST), &json!("error"), &json!("build"), &json!(true)]
    );
    let answer = server.post(&stream_of(&id), &[], "next").await.json();
    assert_eq!(
        answer["cancel"], false,
        "a lost publisher need not be cancelled"
    );
    assert_eq!(watcher.event().await.json()["message"], "next");
}

#[tokio::test]
async fn a_publisher_that_reconnects_in_time_or_sent_its_outcome_is_not_lost() {
    let server = Server::start().await;
    let id = server.connect().await;
    let mut watcher = objects(&server, &id).await;
    let target = |operation: &str| format!("{}?operation={operation}", control_of(&id));
    let mut back = server.stream(&target("back"), &[]).await;
    next_state(&mut back).await;
    drop(back);
    let mut back = server.stream(&target("back"), &[]).await;
    next_state(&mut back).await;
    let mut done = server.stream(&target("done"), &[]).await;
    next_state(&mut done).await;
    let outcome = format!("{}?operation=done&outcome=ok", stream_of(&id));
    server.post(&outcome, &[], "").await;
    drop(done);
    // It is interrupted after both of them, and so reported after them.
    let mut gone = server.stream(&target("gone"), &[]).await;
    next_state(&mut gone).await;
    drop(gone);
    assert_eq!(watcher.event().await.json()["outcome"], "ok");
    assert_eq!(watcher.event().await.json()["operation"], "gone");
    server.publish(&id, "next").await;
    assert_eq!(watcher.event().await.json()["message"], "next");
    drop(back);
    assert_eq!(watcher.event().await.json()["operation"], "back");
}

/// Returns the next state that a feed reports.
async fn requested(feed: &mut ControlFeed) -> Requested {
    loop {
        match soon(feed.next())
            .await
            .expect("it is over")
            .expect("it fails")
        {
            ControlUpdate::State(state) => return state.requested,
            ControlUpdate::Lost => {}
        }
    }
}

#[tokio::test]
async fn a_control_feed_resumes_after_a_cut_and_ends_with_the_client() {
    let server = Server::start().await;
    let id = server.connect().await;
    // Enough for the head and the first event; the second connection is not cut.
    let mut cutter = Cutter::start(server.address, vec![1000]).await;
    let client = client(&cutter.url);
    let id = id.parse().unwrap();
    let mut feed = client.listen(id, Some(&"a build & more".parse().unwrap()));
    assert_eq!(requested(&mut feed).await, Requested::default());
    let direct = Http {
        address: server.address,
    };
    let mut heard = None;
    for level in ["debug", "trace"].iter().cycle() {
        ask(&direct, &id.to_string(), json!({ "level": level })).await;
        heard = Some(soon(feed.next()).await.unwrap().unwrap());
        if heard == Some(ControlUpdate::Lost) {
            break;
        }
    }
    assert_eq!(heard, Some(ControlUpdate::Lost));
    cutter.accepted().await;
    cutter.accepted().await;
    assert!(
        requested(&mut feed).await.level.is_some(),
        "the current state"
    );
    let cancel = ControlRequest::new().cancel(Change::Set(Cancel::new()));
    client.request_control(id, &cancel).await.unwrap();
    assert!(requested(&mut feed).await.cancel.is_some());
    client.stop(id).await.unwrap();
    while soon(feed.next()).await.is_some() {}

    let mut unknown = client.listen(UNKNOWN.parse().unwrap(), None);
    let error = soon(unknown.next()).await.unwrap().unwrap_err();
    assert!(
        error.to_string().contains("no client with this ID"),
        "{error}"
    );
}
