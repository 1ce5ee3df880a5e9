//! An application that publishes to a server, `examples/rust/worker.rs`, and what its watcher sees.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Once,
};

use serde_json::Value;

use crate::support::{
    port::Port,
    process::{CODECHAT, Ended, Running, Scratch, Serve, clean},
};

/// Returns the path of the example. Builds it, since `cargo test --test e2e` builds no examples.
fn example() -> PathBuf {
    static BUILT: Once = Once::new();
    let profile = Path::new(CODECHAT).parent().unwrap();
    BUILT.call_once(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--quiet", "--example", "worker"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        build.arg("--target-dir").arg(profile.parent().unwrap());
        assert!(build.status().unwrap().success(), "it is not built");
    });
    profile.join("examples/worker")
}

/// Starts a worker on these jobs, with these variables in its environment.
async fn work(jobs: &str, environment: &[(&str, &str)]) -> Running {
    let mut command = clean(example());
    command.envs(environment.iter().copied());
    let mut worker = Running::start(command.stdout(Stdio::piped()));
    worker.write(jobs).await;
    worker
}

async fn ended(jobs: &str, environment: &[(&str, &str)]) -> Ended {
    work(jobs, environment).await.end().await
}

fn json(lines: &str) -> Vec<Value> {
    let lines = lines.lines();
    lines
        .filter_map(|it| serde_json::from_str(it).ok())
        .collect()
}

#[tokio::test]
async fn a_job_is_shown_from_its_start_to_its_outcome() {
    let server = Serve::start(&[]).await;
    let (watcher, id) = server.watch(&["--format", "json", "--until-done"]).await;
    let job = format!("{id} demo 12\n");
    let worker = ended(&job, &[("CODECHAT_SERVER", &server.url)]).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    let watcher = watcher.end().await;
    assert_eq!(watcher.code, Some(0), "{watcher:?}");
    let mut messages = json(&watcher.stdout);
    messages.retain(|it| it["operation"] == "import");
    let texts: Vec<_> = messages
        .iter()
        .filter_map(|it| it["message"].as_str())
        .collect();
    assert_eq!(texts.len(), 14, "{texts:?}");
    assert_eq!(
        (texts[0], texts[12]),
        ("Started import", "Processed file 12 of demo")
    );
    assert_eq!(messages[13]["outcome"], "ok");
}

#[tokio::test]
async fn the_loss_of_a_killed_worker_is_published() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    let job = format!("{id} demo 1000000\n");
    let worker = work(&job, &[("CODECHAT_SERVER", &server.url)]).await;
    // Its control stream is open by then.
    while watcher.line().await != "Processed file 40 of demo\n" {}
    worker.signal("KILL").await;
    watcher
        .says("Publisher disconnected before it finished.")
        .await;
}

#[tokio::test]
async fn an_unusable_environment_is_reported_as_an_error() {
    let missing = ("CODECHAT_TOKEN_FILE", "/nowhere/token");
    for (environment, says) in [
        (("CODECHAT_SERVER", "ftp://host"), "CODECHAT_SERVER"),
        (missing, "/nowhere/token: no such file"),
        (("CODECHAT_TOKEN", "two words"), "token"),
    ] {
        let worker = ended("", &[environment]).await;
        assert_ne!(worker.code, Some(0), "{worker:?}");
        assert!(worker.stderr.contains(says), "{worker:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_reported_once_and_delays_no_job() {
    let nobody = Port::keep();
    let jobs = format!("{} demo 5\n", uuid::Uuid::new_v4()).repeat(3);
    let worker = ended(&jobs, &[("CODECHAT_SERVER", &nobody.url())]).await;
    let log = &worker.stderr;
    assert_eq!(
        log.matches("messages wait for the server").count(),
        1,
        "{log}"
    );
    assert_eq!(log.matches("Processed file 5 of demo").count(), 3, "{log}");
    // The start and the outcome of each job are messages too.
    assert!(
        log.contains("messages that could not be sent in time: 21"),
        "{log}"
    );
    // The client's library logs each failed try of a control stream.
    assert!(!log.contains("eventsource_client"), "{log}");
}

#[tokio::test]
async fn a_wrong_token_is_reported_once() {
    let scratch = Scratch::new();
    let token = scratch.path("token");
    std::fs::write(&token, "right").unwrap();
    let server = Serve::start(&["--token-file", token.to_str().unwrap()]).await;
    let jobs = format!("{} demo 30\n", uuid::Uuid::new_v4()).repeat(2);
    let wrong = [
        ("CODECHAT_SERVER", &*server.url),
        ("CODECHAT_TOKEN", "wrong"),
    ];
    let worker = ended(&jobs, &wrong).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    let log = &worker.stderr;
    assert_eq!(
        log.matches("nothing is published any more").count(),
        1,
        "{log}"
    );
}

#[tokio::test]
async fn nothing_is_published_if_the_environment_says_so() {
    let job = format!("{} demo 1\n", uuid::Uuid::new_v4());
    let off = [
        ("CODECHAT_PUBLISH", "off"),
        ("CODECHAT_SERVER", "http://127.0.0.1:9"),
    ];
    let worker = ended(&job, &off).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
}
