//! The command line says which hosts and origins a server accepts.

use crate::support::{
    http::Connection,
    process::{Running, Serve},
};

const CONNECT: &str = "/api/v1/sse/connect";

#[tokio::test]
async fn hosts_and_origins_are_given_on_the_command_line() {
    let flags = [
        "--allowed-host",
        "chat.example.org,b",
        "--cors-origin",
        "http://localhost:3000",
    ];
    let serve = Serve::start(&flags).await;
    for (host, status) in [("chat.example.org", 200), ("b", 200), ("c", 403)] {
        let mut connection = Connection::open(serve.http.address).await;
        connection
            .say(format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        assert_eq!(connection.answer().await.status, status);
    }
    let answer = serve
        .http
        .request("GET", CONNECT, &["Origin: http://localhost:3000"], "")
        .await;
    assert_eq!(answer.status, 200);
    for (flag, value, says) in [
        ("--allowed-host", "http://a", "a host is a name"),
        ("--cors-origin", "*", "an origin is a scheme"),
    ] {
        let ended = Running::codechat(["serve", flag, value]).end().await;
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
}
