//! A bug in one request fails that request and nothing else.

use codechat::internal::frames::FRAMES;
use codechat::internal::{
    event::Event,
    hub::{Frames, Hub, Limits},
    server::{Access, ServerOptions},
};

use crate::support::{http::stream_of, server::Server};

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
    let server = Server::of(
        Hub::with_frames(Limits::default(), BUGGY),
        ServerOptions::new(Access::open()),
    )
    .await;
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
        // Streaming publishers that failed may have been reported.
        if stream.event().await.data == "it goes on" {
            break;
        }
    }
}

#[tokio::test]
async fn a_panic_in_a_stream_ends_that_stream_alone() {
    for plain_streams in [false, true] {
        let mut options = ServerOptions::new(Access::open());
        options.plain_streams = plain_streams;
        let server = Server::of(Hub::with_frames(Limits::default(), BUGGY), options).await;
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
