//! How streams live and end: heartbeats, idleness, broadcasts, shutdown.

use std::time::{Duration, Instant};

use crate::support::{
    http::{Connection, stream_of},
    server::Server,
    soon,
};

const NEVER: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_quiet_stream_has_heartbeats() {
    let heartbeat = Duration::from_millis(50);
    let server = Server::with(|_, options| options.heartbeat = heartbeat).await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let begin = Instant::now();
    for _ in 0..3 {
        assert_eq!(stream.block().await.as_deref(), Some(":\n\n"));
    }
    assert!(begin.elapsed() >= heartbeat * 2, "{:?}", begin.elapsed());
    server.publish(&id, "between").await;
    assert_eq!(stream.event().await.data, "between");
}

#[tokio::test]
async fn an_idle_channel_ends_and_heartbeats_do_not_keep_it() {
    let server = Server::with(|limits, options| {
        limits.idle_timeout = Duration::from_millis(200);
        options.heartbeat = Duration::from_millis(20);
    })
    .await;
    let never_used = server.connect().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let event_id = server.publish(&id, "the last").await;
    assert_eq!(stream.event().await.data, "the last");
    let end = stream.event().await;
    assert_eq!((end.name.as_str(), end.data.as_str()), ("end", "idle"));
    assert_eq!(end.id, event_id);
    stream.ended().await;
    server.stats(|it| it.channels == 0 && it.memory == 0).await;
    for id in [never_used, id] {
        server.post(&stream_of(&id), &[], "late").await.detail(404);
        let cursor = ["Last-Event-ID: 1-1"];
        assert_eq!(
            server
                .request("GET", &stream_of(&id), &cursor, "")
                .await
                .status,
            204
        );
    }
}

#[tokio::test]
async fn a_stream_with_messages_is_not_cut_for_its_age() {
    let idle_timeout = Duration::from_millis(300);
    let server = Server::with(|limits, _| limits.idle_timeout = idle_timeout).await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let begin = Instant::now();
    let mut ticks = tokio::time::interval(idle_timeout / 10);
    while begin.elapsed() < idle_timeout * 3 {
        ticks.tick().await;
        server.publish(&id, "tick").await;
        assert_eq!(stream.event().await.data, "tick");
    }
}

#[tokio::test]
async fn a_broadcast_reaches_every_channel_watched_or_not() {
    let server = Server::start().await;
    let (watched, unwatched, stopped) = (
        server.connect().await,
        server.connect().await,
        server.connect().await,
    );
    server.stop(&stopped).await;
    let mut streams = [server.watch(&watched).await, server.watch(&watched).await];
    let target = "/api/v1/sse/broadcast?level=warn&event=notice";
    let answer = server.post(target, &[], "to all").await;
    assert_eq!(
        (answer.status, answer.json()),
        (202, serde_json::json!({"clients": 2}))
    );
    for stream in &mut streams {
        let event = stream.event().await;
        assert_eq!(
            (event.name.as_str(), event.data.as_str()),
            ("notice", "to all")
        );
    }
    assert_eq!(server.watch(&unwatched).await.event().await.data, "to all");
    let key = ["Idempotency-Key: once"];
    for _ in ["once", "again"] {
        let answer = server.post("/api/v1/sse/broadcast", &key, "keyed").await;
        assert_eq!(answer.json()["clients"], 2);
    }
    server.publish(&watched, "after").await;
    assert_eq!(
        streams[0].data(2).await,
        ["keyed", "after"],
        "once, as the key says"
    );
}

#[tokio::test]
async fn a_shutdown_sends_a_last_message_and_ends_every_stream() {
    let mut server = Server::with(|_, options| options.grace = NEVER).await;
    let (first, second) = (server.connect().await, server.connect().await);
    let mut text = server.watch(&first).await;
    let last = server.publish(&first, "the last").await;
    let target = format!("{}?format=json", stream_of(&second));
    let mut json = server.stream(&target, &[]).await;
    json.event().await;
    server.shut_down();
    assert_eq!(text.event().await.data, "the last");
    let block = text.block().await.unwrap();
    let (retry, farewell) = block.split_once('\n').unwrap();
    let retry: u32 = retry.strip_prefix("retry: ").unwrap().parse().unwrap();
    assert!((1000..=5000).contains(&retry), "{retry}");
    let expected = format!("id: {last}\nevent: debug\ndata: Server shutting down...\n\n");
    assert_eq!(farewell, expected);
    text.ended().await;
    let farewell = json.event().await.json();
    assert_eq!(farewell["message"], "Server shutting down...");
    assert_eq!(farewell["system"], true);
    json.ended().await;
    // All clients are gone, so it need not wait for its grace to end.
    drop((text, json));
    server.down().await;
}

#[tokio::test]
async fn within_the_grace_new_requests_get_503_and_after_it_all_are_cut() {
    let grace = Duration::from_millis(700);
    let mut server = Server::with(|_, options| {
        options.grace = grace;
        options.stall_timeout = NEVER;
    })
    .await;
    let id = server.connect().await;
    // This client reads nothing, not even the last message.
    let mut stuck = Connection::open(server.address).await;
    stuck.ask("GET", &stream_of(&id), &[]).await;
    server.stats(|it| it.subscribers == 1).await;
    for _ in 0..1000 {
        server.publish(&id, "x".repeat(60_000)).await;
    }
    let begin = Instant::now();
    server.shut_down();
    let path = &*stream_of(&id);
    for (method, target) in [
        ("GET", path),
        ("POST", path),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
    ] {
        let refused = server.request(method, target, &[], "x").await;
        assert!(refused.detail(503).contains("shutting down"));
        let retry = refused.head.header("retry-after").unwrap();
        assert!(retry.parse::<u32>().unwrap() > 0, "{retry}");
    }
    server.down().await;
    let took = begin.elapsed();
    assert!((grace..grace * 4).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_streaming_publisher_is_refused_at_a_shutdown() {
    let mut server = Server::start().await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    let mut publisher = server.publisher(&id, &[]).await;
    publisher.say_chunk("\"one\"\n").await;
    assert_eq!(stream.event().await.data, "one");
    server.shut_down();
    assert_eq!(stream.event().await.data, "Server shutting down...");
    publisher.say_chunk("\"two\"\n").await;
    let answer = publisher.answer().await;
    answer.detail(503);
    assert_eq!(answer.json()["accepted"], 1);
    drop((stream, publisher));
    soon(server.down()).await;
}

#[tokio::test]
async fn health_is_ok_and_other_paths_are_404() {
    let server = Server::start().await;
    let health = server.get("/healthz").await;
    assert_eq!((health.status, health.text()), (200, "ok"));
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.text()), (200, "ready"));
    for path in ["/nowhere", "/api/v1/sse/clients", "/api/v1/sse/debug/a/b"] {
        server.get(path).await.detail(404);
    }
}

#[tokio::test]
async fn the_head_of_a_stream_describes_the_clients_past() {
    for plain in [false, true] {
        let server = Server::with(|_, options| options.plain_requests = plain).await;
        let id = server.connect().await;
        let past = async || {
            let stream = server.stream(&stream_of(&id), &[]).await;
            stream.head.header("sse-client-past").unwrap().to_owned()
        };
        assert_eq!(past().await, "new");
        server.publish(&id, "hello").await;
        assert_eq!(past().await, "known");
        server.stop(&id).await;
        let ended = past().await;
        assert!(ended.starts_with("ended; reason=stopped; at=@"), "{ended}");
        assert_eq!(past().await, "new");
    }
}
