//! A server that receives a signal to end informs its clients, waits for them no longer than its grace, and ends at
//! once at a second signal.

use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::{net::TcpStream, task::JoinSet};

use crate::support::{
    http::{Connection, Stream, stream_of},
    process::Serve,
};

const STREAMS: usize = 1000;
const CLIENTS: usize = 50;
const PUBLISHERS: usize = 10;
const FAREWELL: &str = "Server shutting down...";

/// Reads a stream to its end; returns the data of the last event.
async fn last_words(mut stream: Stream) -> String {
    let mut last = String::new();
    while let Some(event) = stream.next_event().await {
        last = event.data;
    }
    last
}

/// Publishes line after line until the server answers; returns the answer's status.
async fn publish_on(mut publisher: Connection) -> u16 {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            // The answer has priority: after it, the server may be gone and accept no more lines.
            biased;
            readable = publisher.socket.readable() => {
                readable.unwrap();
                return publisher.answer().await.status;
            }
            _ = ticks.tick() => {}
        }
        publisher.say_chunk("\"on and on\"\n").await;
    }
}

/// Sends one line and then nothing more; returns the answer's status.
async fn publish_once(mut publisher: Connection) -> u16 {
    publisher.say_chunk("\"once\"\n").await;
    publisher.answer().await.status
}

/// Opens a subscriber that reads nothing, of a client with many messages.
async fn stuck_subscriber(server: &Serve) -> Connection {
    let id = server.http.connect().await;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = SockAddr::from(server.http.address);
    socket.connect(&address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut stuck = Connection::of(TcpStream::from_std(socket.into()).unwrap());
    stuck.ask("GET", &stream_of(&id), &[]).await;
    for _ in 0..200 {
        server.http.publish(&id, "x".repeat(60_000)).await;
    }
    stuck
}

#[tokio::test]
async fn a_thousand_streams_and_ten_publishers_end_within_the_grace_of_a_shutdown() {
    let server = Serve::start(&["--grace", "10s"]).await;
    let mut ids = Vec::new();
    for _ in 0..CLIENTS {
        ids.push(server.http.connect().await);
    }
    let (mut streams, mut publishers) = (JoinSet::new(), JoinSet::new());
    for id in ids.iter().cycle().take(STREAMS) {
        streams.spawn(last_words(server.http.watch(id).await));
    }
    for (number, id) in ids.iter().take(PUBLISHERS).enumerate() {
        let publisher = server.http.publisher(id, &[]).await;
        if number % 2 == 0 {
            publishers.spawn(publish_on(publisher));
        } else {
            publishers.spawn(publish_once(publisher));
        }
    }
    // Both kinds are running.
    for id in &ids[..PUBLISHERS] {
        server.http.watch(id).await.event().await;
    }

    let begin = Instant::now();
    server.process.signal("TERM").await;
    let ended = server.process.end().await;
    let took = begin.elapsed();
    println!("{STREAMS} streams and {PUBLISHERS} publishers: gone after {took:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // One second, and more for a slow machine.
    assert!(took < Duration::from_secs(5), "{took:?}");
    for last in streams.join_all().await {
        assert_eq!(last, FAREWELL);
    }
    assert_eq!(publishers.join_all().await, [503; PUBLISHERS]);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert!(
        !ended.stderr.contains("cutting connections"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_after_the_grace() {
    let server = Serve::start(&["--grace", "700ms", "--stall-timeout", "1h"]).await;
    let _stuck = stuck_subscriber(&server).await;
    let begin = Instant::now();
    server.process.signal("TERM").await;
    let ended = server.process.end().await;
    let took = begin.elapsed();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stderr.contains("cutting connections"),
        "{}",
        ended.stderr
    );
    assert!(took >= Duration::from_millis(700), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_second_signal_ends_the_server_at_once() {
    for second in ["TERM", "INT"] {
        let mut server = Serve::start(&["--grace", "1h", "--stall-timeout", "1h"]).await;
        let _stuck = stuck_subscriber(&server).await;
        server.process.signal("TERM").await;
        server.process.says("shutting down").await;
        server.process.signal(second).await;
        let ended = server.process.end().await;
        assert!(ended.stderr.contains("ending at once"), "{ended:?}");
    }
}
