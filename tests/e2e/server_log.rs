//! The server works in the same way whether its log is read or not.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStderr},
};

use crate::support::{
    http::{Connection, Http},
    process::{Serve, codechat},
    soon,
};

/// Far more than a pipe and the queue of lines can hold.
const REQUESTS: usize = 6_000;

/// A server whose log is not read after the lines that say where it listens.
struct Unread {
    child: Child,
    stderr: BufReader<ChildStderr>,
    http: Http,
}

impl Unread {
    async fn start(format: &str) -> Self {
        let listen = ["serve", "--listen", "127.0.0.1:0"];
        let log = ["--log", "debug", "--log-format", format];
        let mut command = codechat([&listen[..], &log].concat());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        soon(stderr.read_line(&mut line)).await.unwrap();
        let (_, rest) = line.split_once("http://").unwrap();
        let (address, _) = rest.split_once(';').unwrap();
        let http = Http {
            address: address.parse().unwrap(),
        };
        soon(stderr.read_line(&mut String::new())).await.unwrap();
        Self {
            child,
            stderr,
            http,
        }
    }

    /// Sends this number of requests, each of which is logged.
    async fn ask(&self, requests: usize) {
        let mut connection = Connection::open(self.http.address).await;
        for _ in 0..requests {
            connection.ask("GET", "/healthz", &[]).await;
            assert_eq!(connection.answer().await.text(), "ok");
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = soon(self.stderr.read_line(&mut line)).await.unwrap();
        assert!(read > 0, "the log ended");
        line
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let mut kill = tokio::process::Command::new("kill");
        kill.args([&format!("-{name}"), &pid]);
        assert!(soon(kill.status()).await.unwrap().success());
    }
}

#[tokio::test]
async fn an_unread_log_does_not_block_the_server_and_counts_dropped_lines() {
    let mut server = Unread::start("json").await;
    server.ask(REQUESTS).await;
    let (mut logged, mut lost) = (0, 0);
    while logged + lost < REQUESTS {
        let line: serde_json::Value = serde_json::from_str(&server.line().await).unwrap();
        if let Some(lines) = line["fields"]["lost"].as_u64() {
            lost += usize::try_from(lines).unwrap();
            assert_eq!(line["level"], "WARN");
        } else if line["fields"]["message"] == "answered" {
            logged += 1;
        }
    }
    assert!(lost > 0, "the pipe was never full");
    assert_eq!(logged + lost, REQUESTS);

    server.ask(1).await;
    assert!(
        server.line().await.contains("answered"),
        "lines are logged again"
    );
}

#[tokio::test]
async fn a_server_with_an_unread_log_can_be_stopped() {
    let mut server = Unread::start("text").await;
    server.ask(REQUESTS).await;
    server.signal("TERM").await;
    let ended = soon(server.child.wait()).await.unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn the_log_has_each_request_but_no_whole_client_id() {
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
