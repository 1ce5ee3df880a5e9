//! A watch whose output is read late, or not at all: every loss is reported.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::support::process::{CODECHAT, Scratch, Serve, codechat};
use crate::support::soon;

const LINES: usize = 20_000;
/// The delay before the output is read: longer than a watch waits for messages after its command.
const LATE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_job_whose_messages_are_read_late_shows_all_of_them() {
    let server = Serve::start(&[]).await;
    let scratch = Scratch::new();
    let ended = scratch.path("ended");
    let script = format!("seq {LINES} | \"$0\" send && touch \"$1\"");
    let words = [&[
        "watch",
        "--linger",
        "200ms",
        "--server",
        &server.url,
        "--",
        "sh",
        "-c",
    ][..]];
    let mut command = codechat(words.concat());
    command.args([script.as_str(), CODECHAT, ended.to_str().unwrap()]);
    let mut watch = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tokio::time::sleep(LATE).await;
    let mut shown = String::new();
    let mut stderr = watch.stderr.take().unwrap();
    soon(stderr.read_to_string(&mut shown)).await.unwrap();
    assert!(soon(watch.wait()).await.unwrap().success());
    let shown = shown
        .lines()
        .filter(|it| it.bytes().all(|b| b.is_ascii_digit()));
    let expected = (1..=LINES).map(|it| it.to_string());
    assert!(shown.eq(expected), "some are missing");
}

#[tokio::test]
async fn messages_that_nobody_reads_are_counted_when_the_watch_is_ended() {
    let server = Serve::start(&[]).await;
    let mut watch = codechat(["watch", "--server", &server.url])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(watch.stderr.take().unwrap()).lines();
    let line = soon(stderr.next_line()).await.unwrap().unwrap();
    let id = line
        .split("--id ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let mut send = server.send(id, &[]);
    let text = format!("{}\n", "x".repeat(1000));
    // Until everything is full: the watch holds what it can, and the server the rest.
    let writes = async {
        loop {
            send.write(&text).await;
        }
    };
    let _ = tokio::time::timeout(LATE, writes).await;
    let pid = watch.id().unwrap().to_string();
    let killed = std::process::Command::new("kill").arg(pid).status();
    assert!(killed.unwrap().success());
    let mut report = None;
    while let Some(line) = soon(stderr.next_line()).await.unwrap() {
        report = report.or(line.contains("not shown: ").then_some(line));
    }
    assert!(
        report
            .unwrap()
            .ends_with("messages, which nobody read in time")
    );
    assert_eq!(soon(watch.wait()).await.unwrap().code(), Some(143));
}
