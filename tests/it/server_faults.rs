//! A fault of one client is noticed, affects only that client, and frees its resources.

use std::time::Duration;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::net::TcpStream;

use crate::support::{
    http::{Connection, Stream, stream_of},
    server::Server,
    soon,
};

const NEVER: Duration = Duration::from_hours(1);
const LARGE: usize = 60_000;

/// Opens a subscriber that reads nothing until it is asked to, and whose system buffers little.
async fn slow_subscriber(server: &Server, id: &str) -> Connection {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&SockAddr::from(server.address)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let socket = TcpStream::from_std(socket.into()).unwrap();
    let before = server.hub.stats().subscribers;
    let mut connection = Connection::of(socket);
    connection.ask("GET", &stream_of(id), &[]).await;
    server.stats(|it| it.subscribers == before + 1).await;
    connection
}

/// Returns a large message that contains its number.
fn large(number: u64) -> String {
    format!("{number} {}", "x".repeat(LARGE))
}

/// Reads on to the message with this number; every message must arrive or be reported missing, once, in order. Returns
/// how many were missing.
async fn read_to(stream: &mut Stream, last: u64) -> u64 {
    let (mut next, mut missed) = (1, 0);
    while next <= last {
        let event = stream.event().await;
        if event.name == "gap" {
            let gap = event.json();
            assert_eq!(gap["from"], next);
            let to = gap["to"].as_u64().unwrap();
            assert_eq!(gap["missed"], to + 1 - next);
            assert_eq!(event.seq(), to);
            missed += to + 1 - next;
            next = to + 1;
        } else if event.seq() > 0 {
            assert_eq!(event.seq(), next);
            let number = event.data.split(' ').next();
            assert_eq!(number, Some(next.to_string().as_str()));
            next += 1;
        }
    }
    missed
}

#[tokio::test]
async fn a_watcher_that_vanished_is_noticed_and_its_resources_are_freed() {
    let server = Server::with(|limits, _| {
        limits.idle_timeout = Duration::from_millis(300);
    })
    .await;
    for how in ["closed", "reset"] {
        let id = server.connect().await;
        let mut stream = server.watch(&id).await;
        server.publish(&id, "x".repeat(LARGE)).await;
        stream.event().await;
        assert!(server.hub.stats().memory > LARGE);
        if how == "reset" {
            let socket = SockRef::from(&stream.connection.socket);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(stream);
        server.stats(|it| it.subscribers == 0).await;
        server.stats(|it| (it.channels, it.memory) == (0, 0)).await;
    }
}

#[tokio::test]
async fn a_slow_subscriber_delays_nobody_and_gets_exact_gaps() {
    const COUNT: u64 = 200;
    let server = Server::with(|limits, options| {
        limits.log.messages = 10;
        options.stall_timeout = NEVER;
    })
    .await;
    let id = server.connect().await;
    let slow = slow_subscriber(&server, &id).await;
    let mut quick = server.watch(&id).await;
    for number in 1..=COUNT {
        server.publish(&id, large(number)).await;
        assert_eq!(quick.event().await.seq(), number);
    }
    let mut slow = slow.into_stream().await;
    let lost = read_to(&mut slow, COUNT).await;
    assert!(lost > 0, "it was not slow enough to miss anything");
    server.publish(&id, "201 then").await;
    assert_eq!(slow.event().await.data, "201 then");
}

#[tokio::test]
async fn a_streaming_publisher_waits_for_a_slow_subscriber_which_then_misses_nothing() {
    const COUNT: u64 = 200;
    let server = Server::with(|limits, options| {
        limits.log.messages = 10;
        options.stall_timeout = NEVER;
    })
    .await;
    let id = server.connect().await;
    let slow = slow_subscriber(&server, &id).await;
    let publisher = server.publisher(&id, &[]).await;
    let (held_back, mut held) = tokio::sync::mpsc::channel(1);
    let publishing = async move {
        let lines = (1..=COUNT).map(|number| format!("\"{}\"\n", large(number)));
        let answer = publisher.say_lines(lines, held_back).await;
        assert_eq!(answer.json()["accepted"], COUNT);
    };
    let reading = async move {
        soon(held.recv()).await.expect("the publisher is held back");
        let mut slow = slow.into_stream().await;
        assert_eq!(read_to(&mut slow, COUNT).await, 0);
    };
    tokio::join!(publishing, reading);
}

#[tokio::test]
async fn a_subscriber_that_never_reads_is_closed_and_no_longer_waited_for() {
    const COUNT: u64 = 200;
    let server = Server::with(|limits, options| {
        limits.log.messages = 10;
        options.stall_timeout = Duration::from_millis(300);
    })
    .await;
    let id = server.connect().await;
    let stuck = slow_subscriber(&server, &id).await;
    let mut publisher = server.publisher(&id, &[]).await;
    for number in 1..=COUNT {
        publisher
            .say_chunk(format!("\"{}\"\n", large(number)))
            .await;
    }
    publisher.say_chunk("").await;
    assert_eq!(publisher.answer().await.json()["accepted"], COUNT);
    server.stats(|it| it.subscribers == 0).await;
    drop(stuck);
}

#[tokio::test]
async fn a_subscriber_that_reads_slowly_is_not_taken_for_one_that_never_does() {
    const COUNT: u64 = 100;
    let stall_timeout = Duration::from_millis(500);
    let server = Server::with(|limits, options| {
        limits.log.messages = 10;
        options.stall_timeout = stall_timeout;
    })
    .await;
    let id = server.connect().await;
    let slow = slow_subscriber(&server, &id).await;
    let mut publisher = server.publisher(&id, &[]).await;
    let publishing = async {
        for number in 1..=COUNT {
            publisher
                .say_chunk(format!("\"{}\"\n", large(number)))
                .await;
        }
        publisher.say_chunk("").await;
        assert_eq!(publisher.answer().await.status, 202);
    };
    let reading = async {
        let mut slow = slow.into_stream().await;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let mut next = 1;
        slow.event().await;
        while next <= COUNT {
            ticks.tick().await;
            assert_eq!(slow.event().await.seq(), next);
            next += 1;
        }
    };
    tokio::join!(publishing, reading);
}

#[tokio::test]
async fn a_head_that_does_not_arrive_is_not_waited_for() {
    let header_timeout = Duration::from_millis(200);
    let server = Server::with(|_, options| options.header_timeout = header_timeout).await;
    for begin in ["", "GET /healthz HTTP/1.1\r\nHost: x\r\n"] {
        let mut connection = Connection::open(server.address).await;
        connection.say(begin).await;
        connection.closed().await;
    }
    let mut connection = Connection::open(server.address).await;
    connection.ask("GET", "/healthz", &[]).await;
    assert_eq!(connection.answer().await.status, 200);
    // Nor is the head of a later request.
    connection.closed().await;
}
