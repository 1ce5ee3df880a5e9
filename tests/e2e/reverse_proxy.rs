//! Behind nginx as Debian configures it, with a plain `proxy_pass`: events arrive at once, heartbeats keep a stream
//! open, resuming works, and a watcher that disconnects is noticed.

use std::time::Duration;

use codechat::internal::message::Message;

use crate::support::{http::stream_of, nginx::Nginx, server::Server};

/// Starts nginx before a server. Its timeout for a silent upstream is less than the default minute, to keep the tests
/// short.
async fn nginx_before(server: &Server) -> Option<Nginx> {
    let address = server.address;
    let location = format!("location / {{ proxy_pass http://{address}; proxy_read_timeout 1s; }}");
    Nginx::with(&location).await
}

/// Starts a server whose heartbeat is short enough for this nginx.
async fn server(plain_streams: bool) -> Server {
    Server::with(|_, options| {
        options.heartbeat = Duration::from_millis(200);
        options.plain_streams = plain_streams;
    })
    .await
}

#[tokio::test]
async fn events_arrive_at_once_and_heartbeats_keep_the_stream_open() {
    for plain_streams in [false, true] {
        let server = server(plain_streams).await;
        let Some(nginx) = nginx_before(&server).await else {
            return;
        };
        let id = nginx.http.connect().await;
        let mut stream = nginx.http.watch(&id).await;
        for text in ["one", "two", "", "line\nline"] {
            let message = Message::text(text);
            server
                .hub
                .publish(id.parse().unwrap(), message, None)
                .unwrap();
            assert_eq!(stream.event().await.data, text);
        }
        nginx.http.publish(&id, "through it").await;
        assert_eq!(stream.event().await.data, "through it");
        // For longer than nginx waits for a silent server.
        for _ in 0..10 {
            assert_eq!(stream.block().await.as_deref(), Some(":\n\n"));
        }
        nginx.http.publish(&id, "still open").await;
        assert_eq!(stream.event().await.data, "still open");
        nginx.http.stop(&id).await;
        assert_eq!(stream.event().await.name, "end");
        stream.ended().await;
    }
}

#[tokio::test]
async fn a_stream_resumes_and_a_watcher_that_disconnects_is_noticed() {
    let server = server(false).await;
    let Some(nginx) = nginx_before(&server).await else {
        return;
    };
    let id = nginx.http.connect().await;
    let mut stream = nginx.http.watch(&id).await;
    let seen = nginx.http.publish(&id, "seen").await;
    assert_eq!(stream.event().await.id, seen);
    drop(stream);
    server.stats(|it| it.subscribers == 0).await;
    nginx.http.publish(&id, "missed").await;
    nginx.http.publish(&id, "missed too").await;
    let cursor = format!("Last-Event-ID: {seen}");
    let mut stream = nginx.http.stream(&stream_of(&id), &[&cursor]).await;
    assert_eq!(stream.block().await.as_deref(), Some(": resumed\n\n"));
    assert_eq!(stream.data(2).await, ["missed", "missed too"]);
}

#[tokio::test]
async fn a_stream_without_heartbeats_is_cut() {
    let server = Server::start().await;
    let Some(nginx) = nginx_before(&server).await else {
        return;
    };
    let id = nginx.http.connect().await;
    let stream = nginx.http.watch(&id).await;
    // Heartbeats prevent this: nginx closes the connection of a silent server.
    server.stats(|it| it.subscribers == 0).await;
    drop(stream);
}
