//! `codechat watch -- CMD`: the stream is open before CMD runs, its messages are shown beside CMD's output, and the
//! exit code is CMD's.

use std::{process::Stdio, sync::Arc};

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{
    http::Http,
    port::Port,
    process::{CODECHAT, Ended, Running, Scratch, Serve, clean},
    program::are_here,
    terminal::Terminal,
};

const FILES: usize = 40;

/// An API that works on 40 files, publishes each, and answers at the end.
struct Api {
    url: String,
    /// One file per permit.
    work: Arc<Semaphore>,
}

impl Api {
    async fn start(codechat: Http) -> Self {
        let work = Arc::new(Semaphore::new(0));
        let import = async |State((codechat, work)): State<(Http, Arc<Semaphore>)>,
                            headers: HeaderMap| {
            let id = headers["sse-client-id"].to_str().unwrap().to_owned();
            for number in 1..=FILES {
                work.acquire().await.unwrap().forget();
                let text = format!("Processed file {number} of {FILES}");
                codechat.publish(&id, text).await;
            }
            Json(json!({"imported": FILES}))
        };
        let app = Router::new()
            .route("/import", post(import))
            .with_state((codechat, Arc::clone(&work)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/import", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { url, work }
    }
}

/// Runs `codechat watch` with these words, on this server, to its end.
async fn watch(server: &Serve, words: &[&str]) -> Ended {
    running(server, words).end().await
}

fn running(server: &Serve, words: &[&str]) -> Running {
    Running::codechat([&["watch", "--server", &server.url], words].concat())
}

#[tokio::test]
async fn stdout_has_the_commands_output_and_stderr_the_messages() {
    if !are_here(&["curl", "jq"]) {
        return;
    }
    let server = Serve::start(&[]).await;
    let api = Api::start(server.http).await;
    api.work.add_permits(FILES);
    let script = "\"$0\" watch --server \"$1\" -- \
         curl -s -X POST -H 'Sse-Client-ID: {id}' \"$2\" | jq .; echo \"${PIPESTATUS[@]}\"";
    let mut shell = clean("bash");
    shell.args(["-c", script, CODECHAT, &server.url, &api.url]);
    let ended = Running::start(shell.stdout(Stdio::piped())).end().await;
    assert_eq!(ended.stdout, "{\n  \"imported\": 40\n}\n0 0\n");
    let messages: Vec<_> = ended.stderr.lines().skip(2).collect();
    let files: Vec<_> = (1..=FILES)
        .map(|it| format!("Processed file {it} of {FILES}"))
        .collect();
    assert_eq!(messages, files, "{}", ended.stderr);
}

#[tokio::test]
async fn a_terminal_shows_the_progress_below_the_messages() {
    if !are_here(&["curl", "jq"]) {
        return;
    }
    let server = Serve::start(&[]).await;
    let api = Api::start(server.http).await;
    let script = "\"$0\" watch --server \"$1\" -- \
         curl -s -X POST -H 'Sse-Client-ID: {id}' \"$2\" | jq -c .";
    let words = ["bash", "-c", script, CODECHAT, &server.url, &api.url];
    let mut terminal = Terminal::start(&words, (80, 24));
    api.work.add_permits(12);
    terminal
        .until("a line for progress", |screen| {
            let screen = screen.contents();
            let mut lines = screen.lines().rev().filter(|it| !it.is_empty());
            let progress = lines.next().unwrap_or_default();
            progress.contains("---]  12/40  30 %")
                && progress.contains("elapsed")
                && lines.next() == Some("Processed file 12 of 40")
        })
        .await;
    api.work.add_permits(FILES - 12);
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 0);
    assert!(screen.contains("Processed file 40 of 40\n"), "{screen}");
    assert!(screen.contains("{\"imported\":40}"), "{screen}");
    assert!(screen.contains("40 messages in "), "{screen}");
    assert!(!screen.contains("elapsed"), "{screen}");
}

#[tokio::test]
async fn the_exit_code_is_the_commands() {
    let server = Serve::start(&[]).await;
    for (words, code) in [
        (&["--", "true"][..], 0),
        (&["--", "sh", "-c", "exit 7"], 7),
        (&["--", "sh", "-c", "kill -KILL $$"], 137),
        (&["--", "/nowhere/to/be/found"], 127),
        (&["--", "/"], 126),
    ] {
        let ended = watch(&server, words).await;
        assert_eq!(ended.code, Some(code), "{words:?} {ended:?}");
        assert_eq!(ended.stdout, "", "{words:?}");
    }
    let ended = watch(&server, &["--", "/nowhere/to/be/found"]).await;
    assert!(ended.stderr.contains("cannot run /nowhere"), "{ended:?}");
}

#[tokio::test]
async fn a_command_knows_the_id_and_where_to_publish() {
    if !are_here(&["curl"]) {
        return;
    }
    let server = Serve::start(&[]).await;
    let scratch = Scratch::new();
    let file = scratch.path("id");
    let script = "echo \"$1\"; echo $SSE_CLIENT_ID; cat \"$2\"; echo $CODECHAT_PUBLISH_URL; cat; \
         curl -s -d one $CODECHAT_PUBLISH_URL > /dev/null; \"$0\" send two";
    let file = file.to_str().unwrap();
    let words = [
        "--id-file",
        file,
        "--",
        "sh",
        "-c",
        script,
        CODECHAT,
        "ID={id}={id}",
        file,
    ];
    let mut job = running(&server, &words);
    job.write("stdin is its own\n").await;
    let line = job.says("client ID ").await;
    let id = line.trim_end().rsplit(' ').next().unwrap();
    let ended = job.end().await;
    assert_eq!(
        ended.stdout,
        format!(
            "ID={id}={id}\n{id}\n{id}{}/api/v1/sse/debug/{id}\nstdin is its own\n",
            server.url
        )
    );
    assert!(ended.stderr.ends_with("one\ntwo\n"), "{ended:?}");
}

#[tokio::test]
async fn messages_in_transit_when_the_command_ends_are_shown() {
    let server = Serve::start(&[]).await;
    let script = "seq 20000 | \"$0\" send";
    let ended = watch(&server, &["--", "sh", "-c", script, CODECHAT]).await;
    assert_eq!(ended.code, Some(0));
    let numbers: Vec<_> = ended.stderr.lines().skip(2).collect();
    let expected: Vec<_> = (1..=20000).map(|it| it.to_string()).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn a_watch_waits_for_work_that_the_command_only_started() {
    let server = Serve::start(&[]).await;
    for (outcome, code) in [("ok", 0), ("failed", 3), ("cancelled", 3)] {
        let mut job = running(&server, &["--until-done", "--", "echo", "handed in"]);
        let line = job.says("client ID ").await;
        let id = line.trim_end().rsplit(' ').next().unwrap().to_owned();
        assert_eq!(job.line().await, "handed in\n");
        server.sent(&id, &["--outcome", outcome, "told"]).await;
        let ended = job.end().await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
    let ended = watch(&server, &["--until-done", "--", "false"]).await;
    assert_eq!(ended.code, Some(1), "no operation was published");
}

#[tokio::test]
async fn a_failure_message_or_the_time_limit_ends_the_command() {
    let server = Serve::start(&[]).await;
    let script = "\"$0\" send --level error bad; exec sleep 1000";
    let words = ["--stop-on", "error", "--", "sh", "-c", script, CODECHAT];
    let ended = watch(&server, &words).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let why = "this message means failure (--fail-on, --stop-on): \"bad\"";
    assert!(ended.stderr.contains(why), "{ended:?}");
    let ended = watch(&server, &["--timeout", "500ms", "--", "sleep", "1000"]).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    // A command that does not end is killed, and so is what it started, which holds stdout open.
    let script = "trap '' TERM; sleep 1000 & while true; do sleep 0.1; done";
    let ended = watch(&server, &["--timeout", "500ms", "--", "sh", "-c", script]).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let why = "the time of --timeout is up";
    assert!(ended.stderr.contains(why), "{ended:?}");
}

#[tokio::test]
async fn a_command_continues_after_a_failure_and_the_exit_code_reports_it() {
    let server = Serve::start(&[]).await;
    let script = "\"$0\" send --level error bad; \"$0\" send good; echo answer; exit $1";
    for (code, expected) in [("0", 3), ("7", 7)] {
        let words = [
            "--fail-on",
            "Error",
            "--",
            "sh",
            "-c",
            script,
            CODECHAT,
            code,
        ];
        let ended = watch(&server, &words).await;
        assert_eq!(ended.code, Some(expected), "{ended:?}");
        assert_eq!(ended.stdout, "answer\n");
        for line in [
            "\nbad\n",
            "\ngood\n",
            "this message means failure (--fail-on, --stop-on): \"bad\"",
        ] {
            assert!(ended.stderr.contains(line), "{ended:?}");
        }
    }
    let ended = watch(&server, &["--fail-on", "eror", "--", "true"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let why = "eror is not a level; write error, or /eror/";
    assert!(ended.stderr.contains(why), "{ended:?}");
}

#[tokio::test]
async fn a_hint_says_why_a_command_may_have_sent_nothing() {
    let server = Serve::start(&[]).await;
    let ended = watch(&server, &["--summary", "--", "true"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("does the command send the header Sse-Client-ID?"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("0 messages"), "{ended:?}");
}

#[tokio::test]
async fn a_watch_does_not_wait_for_messages_of_an_interrupted_command() {
    let server = Serve::start(&[]).await;
    // An operation that never ends, so that there is something to wait for.
    let script = "\"$0\" send --operation import begun; echo ready; exec sleep 1000";
    let words = ["--linger", "1h", "--", "sh", "-c", script, CODECHAT];
    let mut job = running(&server, &words);
    assert_eq!(job.line().await, "ready\n");
    job.signal("INT").await;
    let ended = job.end().await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
}

#[tokio::test]
async fn a_signal_is_passed_on_and_a_second_one_ends_command_and_watch() {
    let server = Serve::start(&[]).await;
    let script = "trap 'echo interrupted; exit 9' INT; trap 'echo terminated; exit 8' TERM; \
         echo ready; while true; do sleep 0.05; done";
    for (signal, code, stdout) in [("INT", 9, "interrupted\n"), ("TERM", 8, "terminated\n")] {
        let mut job = running(&server, &["--", "sh", "-c", script]);
        assert_eq!(job.line().await, "ready\n");
        job.signal(signal).await;
        let ended = job.end().await;
        assert_eq!(
            (ended.code, &*ended.stdout),
            (Some(code), stdout),
            "{ended:?}"
        );
    }
    let script = "trap 'echo heard' INT; echo ready; while true; do sleep 0.05; done";
    let mut job = running(&server, &["--", "sh", "-c", script]);
    assert_eq!(job.line().await, "ready\n");
    job.signal("INT").await;
    assert_eq!(job.line().await, "heard\n");
    job.signal("INT").await;
    // Its stdout ends only with the command.
    assert_eq!(job.end().await.code, Some(130));
}

#[tokio::test]
async fn a_stream_that_ends_does_not_end_the_command() {
    let server = Serve::start(&[]).await;
    let mut job = running(&server, &["--", "sh", "-c", "read line; exit 5"]);
    let line = job.says("client ID ").await;
    let id = line.trim_end().rsplit(' ').next().unwrap().to_owned();
    job.says("Starting server communication...").await;
    server.http.stop(&id).await;
    job.says("-- stopped --").await;
    job.write("go\n").await;
    assert_eq!(job.end().await.code, Some(5));
}

#[tokio::test]
async fn without_a_stream_the_command_is_not_run() {
    let scratch = Scratch::new();
    let trace = scratch.path("trace");
    let nobody = Port::keep();
    let gone = nobody.url();
    let touch = ["--", "touch", trace.to_str().unwrap(), "{id}"];
    for (words, code, says) in [
        (&["--server", &gone][..], 1, "nothing answers at"),
        (&["--server", &gone, "--id", "abc"], 2, "--id"),
        (&["--server", &gone, "--print-id"], 2, "--print-id"),
    ] {
        let ended = Running::codechat([&["watch"], words, &touch].concat());
        let ended = ended.end().await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stderr.contains(says), "{ended:?}");
    }
    assert!(!trace.exists());
}
