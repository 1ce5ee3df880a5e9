//! Connections that end early, half-close, send more than they should or nothing at all affect nobody else.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    http::{Connection, stream_of},
    server::Server,
    soon,
};

/// Starts a server for each way of writing streams.
async fn each() -> [Server; 2] {
    let plain = |plain| {
        Server::with(move |_, options| {
            options.plain_streams = plain;
            // Hyper notices a closed connection only by writing.
            options.heartbeat = Duration::from_millis(100);
        })
    };
    [plain(false).await, plain(true).await]
}

async fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // It may be reset, which closes it too.
    let _ = soon(socket.read_to_end(&mut rest)).await;
    rest
}

#[tokio::test]
async fn a_request_may_break_off_at_any_byte() {
    for server in each().await {
        let id = server.connect().await;
        let mut stream = server.watch(&id).await;
        let path = stream_of(&id);
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
        let get = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        for request in [head, get] {
            for end in 0..request.len() - 1 {
                let mut connection = Connection::open(server.address).await;
                connection.say(&request[..end]).await;
            }
        }
        server.stats(|it| it.subscribers == 1).await;
        server.publish(&id, "whole").await;
        assert_eq!(stream.event().await.data, "whole");
    }
}

#[tokio::test]
async fn a_half_closed_connection_is_answered_or_closed_and_leaks_nothing() {
    for server in each().await {
        let id = server.connect().await;
        let path = stream_of(&id);
        let get = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let post = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n");
        for request in [
            get,
            format!("{post}hi"),
            format!("{post}h"),
            post,
            "GET".into(),
        ] {
            let mut connection = Connection::open(server.address).await;
            connection.say(&request).await;
            connection.socket.shutdown().await.unwrap();
            rest(&mut connection.socket).await;
        }
        server.stats(|it| it.subscribers == 0).await;
        server.publish(&id, "after").await;
    }
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_to_be_sent_again() {
    let server = Server::start().await;
    let path = stream_of(&server.connect().await);
    for (kind, body) in [
        ("text/plain", "Content-Length: 9\r\n\r\nhalf"),
        ("application/x-ndjson", "Content-Length: 9\r\n\r\n\"a\"\n"),
        ("text/plain", "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n");
        let mut connection = Connection::open(server.address).await;
        connection.say(head + body).await;
        connection.socket.shutdown().await.unwrap();
        let detail = connection.answer().await.detail(408);
        assert!(detail.starts_with("the body was cut short"), "{detail}");
    }
}

#[tokio::test]
async fn bytes_after_the_request_for_a_stream_do_not_disturb_it() {
    for server in each().await {
        let (id, other) = (server.connect().await, server.connect().await);
        let (path, theirs) = (stream_of(&id), stream_of(&other));
        let mut connection = Connection::open(server.address).await;
        let behind =
            format!("POST {theirs} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nbehind");
        connection
            .say(format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n{behind}"
            ))
            .await;
        let mut stream = connection.into_stream().await;
        stream.event().await;
        server.publish(&id, "on the stream").await;
        assert_eq!(stream.event().await.data, "on the stream");
        server.publish(&other, "their own").await;
        let mut their_stream = server.watch(&other).await;
        assert_eq!(their_stream.event().await.data, "their own");
        server.stop(&id).await;
        assert_eq!(stream.event().await.name, "end");
        stream.ended().await;
    }
}

#[tokio::test]
async fn a_client_that_floods_its_own_stream_affects_no_other() {
    for server in each().await {
        let (id, other) = (server.connect().await, server.connect().await);
        let mut theirs = server.watch(&other).await;
        let mut flood = server.watch(&id).await.connection.socket;
        let junk = vec![b'x'; 1 << 20];
        let flooding = async {
            // It is closed, or not read.
            while flood.write_all(&junk).await.is_ok() {}
            std::future::pending::<()>().await;
        };
        let others = async {
            for number in 0..100 {
                server.publish(&other, number.to_string()).await;
                assert_eq!(theirs.event().await.data, number.to_string());
            }
        };
        tokio::select! {
            () = flooding => {}
            () = others => {}
        }
        drop(flood);
        server.stats(|it| it.subscribers == 1).await;
    }
}

#[tokio::test]
async fn head_neither_opens_nor_ends_anything() {
    const UNKNOWN: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
    for server in each().await {
        let id = server.connect().await;
        for target in [
            "/api/v1/sse/connect".to_owned(),
            format!("/api/v1/sse/debug/stop/{id}"),
            stream_of(&id),
            stream_of(UNKNOWN),
        ] {
            let mut connection = Connection::open(server.address).await;
            connection.ask("HEAD", &target, &[]).await;
            assert_eq!(connection.head().await.status, 405, "{target}");
            let stats = server.hub.stats();
            assert_eq!((stats.channels, stats.subscribers), (1, 0), "{target}");
        }
    }
}
