//! A thousand clients that send little or nothing do not stop a real one.

use std::time::Instant;

use tokio::{io::AsyncReadExt, net::TcpStream, task::JoinSet};

use crate::support::{
    http::{Connection, stream_of},
    process::Serve,
    soon,
};

/// Opens a thousand connections that send nothing, or a head or a body byte by byte.
async fn crowd(server: &Serve, id: &str) -> Vec<TcpStream> {
    let path = stream_of(id);
    let begins = [
        String::new(),
        format!("GET {path} HTTP/1.1\r\nX: "),
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n"),
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n"
        ),
    ];
    let mut crowd = Vec::new();
    for begin in begins.iter().cycle().take(1000) {
        let mut connection = Connection::open(server.http.address).await;
        connection.say(begin).await;
        crowd.push(connection.socket);
    }
    crowd
}

async fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // It may be reset, which closes it too.
    let _ = soon(socket.read_to_end(&mut rest)).await;
    rest
}

#[tokio::test]
async fn a_thousand_slow_and_silent_clients_do_not_stop_a_real_one() {
    const PATIENCE: &str = "3s";
    let limits = ["--header-timeout", PATIENCE, "--body-timeout", PATIENCE];
    for more in [&[][..], &["--plain-streams"]] {
        let server = Serve::start(&[&limits, more].concat()).await;
        let (slow, id) = (server.http.connect().await, server.http.connect().await);
        let mut stream = server.http.watch(&id).await;
        let mut crowd = crowd(&server, &slow).await;
        let begin = Instant::now();
        for number in 0..50 {
            for socket in crowd.iter_mut().skip(number % 4).step_by(4) {
                // Some have been closed by now.
                let _ = socket.try_write(b"x");
            }
            server.http.publish(&id, number.to_string()).await;
            assert_eq!(stream.event().await.data, number.to_string());
        }
        println!(
            "50 messages beside 1,000 slow clients: {:?}",
            begin.elapsed()
        );
        let mut ends = JoinSet::new();
        for mut socket in crowd {
            ends.spawn(async move { rest(&mut socket).await });
        }
        for answer in ends.join_all().await {
            let answer = String::from_utf8(answer).unwrap();
            let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
            assert!(refused, "{answer}");
        }
        server.http.publish(&id, "then").await;
        assert_eq!(stream.event().await.data, "then");
        drop(stream);
        server.process.signal("TERM").await;
        let ended = server.process.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}
