//! A bug at one request is that request's failure and nobody else's; the log tells of requests without
//! what names them.

use codechat::internal::{
    event::Event,
    hub::{Frames, Hub, Limits},
    server::{FRAMES, ServerOptions},
};

use crate::support::{http::stream_of, process::Serve, server::Server};

/// Encoders with a bug.
const BUGGY: Frames = Frames {
    text: |event: &Event| {
        assert!(event.message.text != "text bug", "a bug");
        (FRAMES.text)(event)
    },
    json: |event: &Event| {
        assert!(event.message.text != "json bug", "a bug");
        (FRAMES.json)(event)
    },
};

#[tokio::test]
async fn a_panic_in_a_handler_is_a_500_for_that_request_alone() {
    let server = Server::of(Hub::new(Limits::default(), BUGGY), ServerOptions::default()).await;
    let id = server.connect().await;
    let mut stream = server.watch(&id).await;
    for _ in 0..3 {
        let answer = server.post(&stream_of(&id), &[], "text bug").await;
        assert!(answer.detail(500).contains("bug"));
        server
            .post("/api/v1/sse/broadcast", &[], "text bug")
            .await
            .detail(500);
        let lines = ["Content-Type: application/x-ndjson"];
        server
            .post(&stream_of(&id), &lines, "\"text bug\"\n")
            .await
            .detail(500);
    }
    server.publish(&id, "it goes on").await;
    loop {
        // Streaming publishers that failed may have been told of.
        if stream.event().await.data == "it goes on" {
            break;
        }
    }
}

#[tokio::test]
async fn a_panic_in_a_stream_ends_that_stream_alone() {
    for plain_streams in [false, true] {
        let options = ServerOptions {
            plain_streams,
            ..ServerOptions::default()
        };
        let server = Server::of(Hub::new(Limits::default(), BUGGY), options).await;
        let id = server.connect().await;
        let mut well = server.watch(&id).await;
        let target = format!("{}?format=json", stream_of(&id));
        let mut ill = server.stream(&target, &[]).await;
        ill.event().await;
        server.publish(&id, "json bug").await;
        assert_eq!(well.event().await.data, "json bug");
        server.stats(|it| it.subscribers == 1).await;
        server.publish(&id, "it goes on").await;
        assert_eq!(well.event().await.data, "it goes on");
    }
}

#[tokio::test]
async fn the_log_tells_of_each_request_but_not_whose_it_is() {
    let mut serve = Serve::start(&["--log", "debug", "--log-format", "json"]).await;
    let id = serve.http.connect().await;
    serve.http.publish(&id, "a secret message").await;
    let line = serve.process.says("\"method\":\"POST\"").await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let fields = &line["fields"];
    assert_eq!(fields["route"], "/api/v1/sse/debug/{id}");
    assert_eq!(fields["status"], 202);
    assert_eq!(fields["client"], id[..8]);
    assert!(fields["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(fields["took"].is_string());
    serve
        .http
        .get(&format!("/elsewhere/{id}?id={id}"))
        .await
        .detail(404);
    serve.process.says("\"none\"").await;
    serve.process.signal("TERM").await;
    let log = serve.process.end().await.stderr;
    assert!(
        !log.contains(&id[9..]) && !log.contains("a secret"),
        "{log}"
    );
}
