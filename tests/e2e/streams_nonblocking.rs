//! A stream that another program has left in `O_NONBLOCK` mode, as node does, loses nothing.

use std::{
    io::{Read, Write, pipe},
    os::fd::AsFd,
    process::Stdio,
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::support::{
    process::{Serve, codechat},
    soon,
};

/// The number of lines: more than a pipe holds.
const LINES: usize = 1000;

/// Sets an open file to nonblocking mode, as node does.
fn unblock(file: impl AsFd) {
    let flags = fcntl_getfl(&file).unwrap();
    fcntl_setfl(&file, flags | OFlags::NONBLOCK).unwrap();
}

fn numbers() -> String {
    let lines = (0..LINES).map(|it| format!("{it} {}\n", "x".repeat(900)));
    lines.collect()
}

/// Returns what `codechat` with these words writes to `stream`, if it is read only when it is full.
async fn slowly_read(words: &[&str], stream: u8, input: Option<String>) -> (Option<i32>, String) {
    let (mut out, into) = pipe().unwrap();
    unblock(&into);
    let mut command = codechat(words);
    command.stdin(if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    command.stdout(Stdio::null()).stderr(Stdio::null());
    if stream == 1 {
        command.stdout(into.try_clone().unwrap());
    } else {
        command.stderr(into.try_clone().unwrap());
    }
    let mut child = command.spawn().unwrap();
    drop(command);
    if let Some(input) = input {
        use tokio::io::AsyncWriteExt;
        let mut stdin = child.stdin.take().unwrap();
        tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
    }
    soon(async {
        while has_room(&into) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(into);
    let reading = tokio::task::spawn_blocking(move || {
        let mut all = String::new();
        out.read_to_string(&mut all).unwrap();
        all
    });
    let all = soon(reading).await.unwrap();
    (soon(child.wait()).await.unwrap().code(), all)
}

fn has_room(pipe: &impl AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut pipe = [PollFd::new(pipe, PollFlags::OUT)];
    poll(&mut pipe, Some(&now)).unwrap() > 0
}

#[tokio::test]
async fn a_watcher_writes_every_message_to_its_stdout() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    publish(&server, &id).await;
    let count = LINES.to_string();
    let words = ["watch", "--server", &server.url, "--id", &id, "-n", &count];
    let (code, all) = slowly_read(&words, 1, None).await;
    assert_eq!((code, all), (Some(0), numbers()));
}

async fn publish(server: &Serve, id: &str) {
    let mut sender = server.send(id, &[]);
    sender.write(numbers()).await;
    assert_eq!(sender.end().await.code, Some(0));
}

#[tokio::test]
async fn a_job_writes_every_message_to_its_stderr() {
    let server = Serve::start(&[]).await;
    let words = ["watch", "--server", &server.url, "--", "sh", "-c"];
    let program = env!("CARGO_BIN_EXE_codechat");
    let script = format!(
        "i=0; while [ $i -lt {LINES} ]; do echo $i {}; i=$((i+1)); done | {program} send",
        "x".repeat(900)
    );
    let (code, all) = slowly_read(&[&words[..], &[&script]].concat(), 2, None).await;
    assert_eq!(code, Some(0));
    assert!(all.ends_with(&numbers()), "{} bytes", all.len());
}

#[tokio::test]
async fn copied_lines_are_complete() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    let words = ["send", "--server", &server.url, "--id", &id, "--tee"];
    let (code, all) = slowly_read(&words, 1, Some(numbers())).await;
    assert_eq!((code, all), (Some(0), numbers()));
    let job = [&words[..], &["--", "cat"]].concat();
    let (code, all) = slowly_read(&job, 1, Some(numbers())).await;
    assert_eq!((code, all), (Some(0), numbers()));
    let job = [&words[..], &["--", "sh", "-c", "cat >&2"]].concat();
    let (code, all) = slowly_read(&job, 2, Some(numbers())).await;
    assert_eq!((code, all), (Some(0), numbers()));
}

#[tokio::test]
async fn an_empty_stdin_is_waited_for() {
    let server = Serve::start(&[]).await;
    let (mut watch, id) = server.watch(&[]).await;
    let (out, mut into) = pipe().unwrap();
    unblock(&out);
    let words = ["send", "--server", &server.url, "--id", &id];
    let mut child = codechat(words).stdin(out).spawn().unwrap();
    for line in ["one\n", "two\n"] {
        // There is nothing to read before the first line is shown, or after it.
        into.write_all(line.as_bytes()).unwrap();
        assert_eq!(watch.line().await, line);
    }
    drop(into);
    assert_eq!(soon(child.wait()).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn help_is_complete() {
    let (mut out, mut into) = pipe().unwrap();
    unblock(&into);
    while into.write(&[b' '; 4096]).is_ok() {}
    let mut command = codechat(["send", "--help"]);
    let mut child = command.stdout(into).spawn().unwrap();
    drop(command);
    let reading = tokio::task::spawn_blocking(move || {
        let mut all = String::new();
        out.read_to_string(&mut all).unwrap();
        all
    });
    let all = soon(reading).await.unwrap();
    assert!(all.trim_end().ends_with(" delivered."), "{all}");
    assert_eq!(soon(child.wait()).await.unwrap().code(), Some(0));
}
