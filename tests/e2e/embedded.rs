//! An application that publishes from inside, like `examples/rust/axum.rs`, watched with the real program.

use std::sync::OnceLock;

use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tracing_subscriber::{prelude::*, registry};

use crate::support::{
    http::{Http, Stream, stream::Event, stream_of},
    process::{Running, Scratch},
    program::are_here,
    soon,
};

#[path = "../../examples/rust/axum.rs"]
#[expect(dead_code, reason = "its main has a port and a log of its own")]
mod example;

/// A number of files that takes longer than any test.
const MANY: u64 = 1_000_000;

struct App {
    http: Http,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl App {
    async fn start() -> Self {
        static LOG: OnceLock<()> = OnceLock::new();
        // Like `example::log`, but without a log of its own.
        LOG.get_or_init(|| registry().with(codechat::tracing_layer()).init());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let signal = async { drop(stopped.await) };
        Self {
            http: Http { address },
            stop: Some(stop),
            task: tokio::spawn(example::run(listener, signal)),
        }
    }

    /// Starts `codechat watch` with a curl that requests `files`. Returns it once it has shown one, and its client ID.
    async fn watched_curl(&self, files: u64) -> (Running, String) {
        let scratch = Scratch::new();
        let id_file = scratch.path("id");
        let server = format!("http://{}", self.http.address);
        let url = format!("{server}/refresh/demo/{files}");
        let id = id_file.to_str().unwrap();
        let watch = [
            "watch",
            "--server",
            &server,
            "--format",
            "json",
            "--id-file",
            id,
        ];
        let curl = ["--", "curl", "-s", "-H", "Sse-Client-ID: {id}", &url];
        let mut watch = Running::codechat([&watch[..], &curl].concat());
        watch.says("Processed file").await;
        let id = std::fs::read_to_string(id_file).unwrap();
        (watch, id.trim().to_owned())
    }

    /// Creates a client; returns its ID, its stream, and the answer to its request for `files`.
    async fn request(&self, files: u64) -> (String, Stream, JoinHandle<u16>) {
        let id = self.http.connect().await;
        let mut stream = self
            .http
            .stream(&format!("{}?format=json", stream_of(&id)), &[])
            .await;
        stream.event().await;
        let (http, header) = (self.http, format!("Sse-Client-ID: {id}"));
        let answer = tokio::spawn(async move {
            let path = format!("/refresh/demo/{files}");
            http.request("GET", &path, &[&header], "").await.status
        });
        (id, stream, answer)
    }

    async fn ask(&self, id: &str, control: Value) {
        let path = format!("/api/v1/sse/debug/control/{id}");
        let answer = self.http.post(&path, &[], control.to_string()).await;
        assert_eq!(answer.status, 202);
    }
}

/// Returns the messages up to the first one that matches.
async fn until(stream: &mut Stream, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut messages = Vec::new();
    loop {
        let message = Event::json(&stream.event().await);
        let is_last = is_it(&message);
        messages.push(message);
        if is_last {
            return messages;
        }
    }
}

#[tokio::test]
async fn a_watched_curl_shows_each_file_in_order_and_how_it_ended() {
    if !are_here(&["curl"]) {
        return;
    }
    let app = App::start().await;
    let server = format!("http://{}", app.http.address);
    let url = format!("{server}/refresh/demo/12");
    let curl = ["curl", "-s", "-H", "Sse-Client-ID: {id}", &url];
    let words = [
        &["watch", "--server", &server, "--format", "json", "--"][..],
        &curl,
    ]
    .concat();
    let ended = Running::codechat(words).end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("done"), "{ended:?}");
    let messages = ended
        .stderr
        .lines()
        .filter_map(|it| serde_json::from_str::<Value>(it).ok());
    let messages: Vec<_> = messages.filter(|it| it["operation"].is_string()).collect();
    let operation = "GET /refresh/{name}/{files}";
    assert!(
        messages.iter().all(|it| it["operation"] == operation),
        "{messages:?}"
    );
    let progress = messages
        .iter()
        .filter_map(|it| it["progress"]["current"].as_u64());
    assert!(progress.eq(1..=12), "{messages:?}");
    let outcomes = messages.iter().filter(|it| it["outcome"].is_string());
    let outcomes: Vec<_> = outcomes.map(|it| it["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["ok"]);
    assert!(
        messages.iter().all(|it| it["level"] != "debug"),
        "{messages:?}"
    );
}

#[tokio::test]
async fn of_two_watched_curls_only_the_asking_one_gets_detail_and_each_can_be_cancelled() {
    if !are_here(&["curl"]) {
        return;
    }
    let app = App::start().await;
    let (mut one, first) = app.watched_curl(MANY).await;
    let (two, second) = app.watched_curl(MANY).await;
    app.ask(&first, json!({"level": "debug"})).await;
    one.says(r#""level":"debug""#).await;
    app.ask(&first, json!({"cancel": true})).await;
    let first = one.end().await;
    // Everything else that the other request published has arrived by its outcome.
    app.ask(&second, json!({"cancel": true})).await;
    let second = two.end().await;
    for ended in [&first, &second] {
        assert_eq!(ended.code, Some(0), "curl's code: {ended:?}");
        assert!(
            ended.stderr.contains(r#""outcome":"cancelled""#),
            "{ended:?}"
        );
    }
    assert!(!second.stderr.contains(r#""level":"debug""#), "{second:?}");
}

#[tokio::test]
async fn a_task_in_the_span_of_a_request_publishes_for_it() {
    let app = App::start().await;
    let (_, mut stream, answer) = app.request(1).await;
    let messages = until(&mut stream, |it| it["message"] == "Checking links").await;
    assert_eq!(
        messages[0]["message"],
        "Started GET /refresh/{name}/{files}"
    );
    assert_eq!(soon(answer).await.unwrap(), 200);
}

#[tokio::test]
async fn a_shutdown_ends_open_streams_and_then_the_application() {
    let mut app = App::start().await;
    let (_, mut stream, answer) = app.request(2).await;
    until(&mut stream, |it| it["outcome"].is_string()).await;
    assert_eq!(soon(answer).await.unwrap(), 200);
    app.stop.take().unwrap().send(()).unwrap();
    until(&mut stream, |it| it["message"] == "Server shutting down...").await;
    stream.ended().await;
    soon(app.task).await.unwrap().unwrap();
}
