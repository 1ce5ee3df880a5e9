//! `send --if-watched` has no effect if nobody watches.

use crate::support::{
    port::Port,
    process::{Ended, Running, Serve},
    stage::Stage,
};

const UNKNOWN: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";

fn assert_silent(ended: &Ended) {
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(0), "", "")
    );
}

/// Returns the ways to name no client: no ID, an unknown one, an ended one, and a server that does not run.
async fn ways(server: &Serve, nobody: &Port) -> Vec<Vec<String>> {
    let ended = server.http.connect().await;
    server.http.stop(&ended).await;
    let away = nobody.url();
    let ways = [
        &["--server", &server.url][..],
        &["--server", &server.url, "--id", UNKNOWN],
        &["--server", &server.url, "--id", &ended],
        &["--server", &away],
        &["--server", &away, "--id", UNKNOWN],
    ];
    let words = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect();
    ways.into_iter().map(words).collect()
}

/// Starts `codechat send --if-watched` with these words.
fn send(to: &[String], more: &[&str]) -> Running {
    let to: Vec<_> = to.iter().map(String::as_str).collect();
    Running::codechat([&["send", "--if-watched"], &to[..], more].concat())
}

#[tokio::test]
async fn without_a_client_a_message_is_ignored_and_lines_are_read_and_copied() {
    let (server, nobody) = (Serve::start(&[]).await, Port::keep());
    for to in ways(&server, &nobody).await {
        assert_silent(&send(&to, &["-m", "Step 1"]).end().await);
        assert_silent(&send(&to, &["--outcome", "ok"]).end().await);
        let mut lines = send(&to, &["--tee"]);
        // More than a pipe holds.
        let text = "x\n".repeat(200_000);
        lines.write(&text).await;
        let ended = lines.end().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{to:?}");
        assert!(
            ended.stdout == text,
            "{} of {}",
            ended.stdout.len(),
            text.len()
        );
    }
    let to_all = [nobody.url()];
    let to_all = [&["--server".to_owned()], &to_all[..]].concat();
    assert_silent(&send(&to_all, &["--all", "Step 1"]).end().await);
}

#[tokio::test]
async fn without_a_client_a_command_runs_as_if_started_directly() {
    let (server, nobody) = (Serve::start(&[]).await, Port::keep());
    for to in ways(&server, &nobody).await {
        let mut sender = send(&to, &["--", "sh", "-c", "read line; echo $line; exit 7"]);
        sender.write("typed\n").await;
        let ended = sender.end().await;
        assert_eq!(
            (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
            (Some(7), "typed\n", ""),
            "{to:?}"
        );
    }
    let ended = send(&[], &["--", "nowhere-to-be-found"]).end().await;
    assert_eq!(ended.code, Some(127), "{ended:?}");
}

#[tokio::test]
async fn with_a_client_if_watched_has_no_effect() {
    let mut stage = Stage::set().await;
    let to = ["--server", &stage.server.url, "--id", &stage.id].map(str::to_owned);
    let message = ["--operation", "sh", "-m", "Step 1"];
    assert_silent(&send(&to, &message).end().await);
    assert_eq!(stage.line().await, "Step 1");
    assert_silent(&send(&to, &["--", "sh", "-c", "echo two"]).end().await);
    stage.line().await;
    assert_eq!(stage.line().await, "two");
    assert_eq!(stage.done().await.1["outcome"], "ok");
}
