//! An application that publishes from inside, like `examples/rust/axum.rs`, watched with the real program.

use std::sync::OnceLock;

use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tracing_subscriber::{prelude::*, registry};

use crate::support::{
    http::{Http, Stream, stream::Event, stream_of},
    process::Running,
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
async fn of_two_requests_only_the_one_whose_watcher_asks_gets_detail() {
    let app = App::start().await;
    let (one, mut of_one, first) = app.request(MANY).await;
    let (two, mut of_two, second) = app.request(MANY).await;
    let is_file = |it: &Value| it["progress"].is_object();
    until(&mut of_one, is_file).await;
    until(&mut of_two, is_file).await;
    app.ask(&one, json!({"level": "debug"})).await;
    let detailed = until(&mut of_one, |it| it["level"] == "debug").await;
    assert_eq!(detailed.last().unwrap()["message"], "Reading");
    // Everything else that the other request published has arrived by its outcome.
    app.ask(&two, json!({"cancel": true})).await;
    let others = until(&mut of_two, |it| it["outcome"].is_string()).await;
    assert!(others.iter().all(|it| it["level"] != "debug"), "{others:?}");
    app.ask(&one, json!({"cancel": true})).await;
    let last = until(&mut of_one, |it| it["outcome"].is_string()).await;
    assert_eq!(last.last().unwrap()["outcome"], "cancelled");
    assert_eq!(
        (soon(first).await.unwrap(), soon(second).await.unwrap()),
        (503, 503)
    );
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
