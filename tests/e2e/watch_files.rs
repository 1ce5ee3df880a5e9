//! The files that `codechat watch` writes and reads: who may read them, symbolic links, and pipes that do not block
//! anything else.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::net::unix::pipe;

use crate::support::process::{Running, Scratch, Serve};
use crate::support::soon;

const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[tokio::test]
async fn only_the_user_can_read_an_id_file_and_a_recording() {
    let server = Serve::start(&[]).await;
    let scratch = Scratch::new();
    let (id_file, record) = (scratch.path("id"), scratch.path("record"));
    let files = [
        "--id-file",
        id_file.to_str().unwrap(),
        "--record",
        record.to_str().unwrap(),
    ];
    let (watcher, id) = server.watch(&[&files[..], &["-n", "1"]].concat()).await;
    server.sent(&id, &["x"]).await;
    watcher.end().await;
    assert_eq!((mode(&id_file), mode(&record)), (0o600, 0o600));
    assert_eq!(std::fs::read_to_string(id_file).unwrap(), id);
}

#[tokio::test]
async fn an_id_file_is_written_through_a_link_and_keeps_its_mode() {
    let server = Serve::start(&[]).await;
    let scratch = Scratch::new();
    let (link, file) = (scratch.path("link"), scratch.path("file"));
    std::os::unix::fs::symlink("file", &link).unwrap();
    for expected in [0o600, 0o640] {
        let goals = ["--id-file", link.to_str().unwrap(), "-n", "1"];
        let (watcher, id) = server.watch(&goals).await;
        server.sent(&id, &["x"]).await;
        watcher.end().await;
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), id);
        assert_eq!(mode(&file), expected);
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    }
}

#[tokio::test]
async fn a_pipe_without_a_peer_does_not_block_signals() {
    let server = Serve::start(&[]).await;
    let scratch = Scratch::new();
    let path = scratch.path("pipe");
    fifo(&path);
    let path = path.to_str().unwrap();
    for option in ["--id-file", "--record", "--replay"] {
        let watch = ["watch", "--server", &server.url, "--id", ID, option, path];
        let watcher = if option == "--replay" {
            Running::codechat(["watch", option, path, "--timeout", "200ms"])
        } else {
            let mut watcher = Running::codechat(watch);
            watcher.says("client ID").await;
            watcher.signal("TERM").await;
            watcher
        };
        let ended = watcher.end().await;
        let code = if option == "--replay" { 4 } else { 143 };
        assert_eq!(ended.code, Some(code), "{option}: {ended:?}");
    }
}

#[tokio::test]
async fn a_recording_can_be_written_to_and_read_from_a_pipe() {
    let server = Serve::start(&[]).await;
    let scratch = Scratch::new();
    let path = scratch.path("pipe");
    fifo(&path);
    let path = path.to_str().unwrap();
    let goals = ["--record", path, "-n", "2"];
    let receiver = pipe::OpenOptions::new().open_receiver(path).unwrap();
    let (watcher, id) = server.watch(&goals).await;
    server.sent(&id, &["one"]).await;
    server.sent(&id, &["two"]).await;
    let mut lines = BufReader::new(receiver).lines();
    let mut recorded = String::new();
    while !recorded.contains("\"two\"") {
        let line = soon(lines.next_line()).await.unwrap().unwrap();
        recorded.extend([&line, "\n"]);
    }
    drop(lines);
    assert_eq!(watcher.end().await.stdout, "one\ntwo\n");

    let replay = Running::codechat(["watch", "--speed", "max", "--replay", path]);
    let mut sender = loop {
        // Refused until the other side is open.
        match pipe::OpenOptions::new().open_sender(path) {
            Ok(sender) => break sender,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    sender.write_all(recorded.as_bytes()).await.unwrap();
    drop(sender);
    assert_eq!(replay.end().await.stdout, "one\ntwo\n");
}

#[tokio::test]
async fn a_flood_of_comments_does_not_block_signals() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let flood = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = socket.read(&mut [0; 4096]).await;
                let head =
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n";
                let _ = socket.write_all(head.as_bytes()).await;
                let comments = ":\n".repeat(20_000);
                while socket.write_all(comments.as_bytes()).await.is_ok() {}
            });
        }
    });
    let mut watcher = Running::codechat(["watch", "--server", &url, "--id", ID]);
    assert_eq!(watcher.line().await, "one\n");
    watcher.signal("TERM").await;
    assert_eq!(watcher.end().await.code, Some(143));
    let timed = ["watch", "--server", &url, "--id", ID, "--timeout", "200ms"];
    assert_eq!(Running::codechat(timed).end().await.code, Some(4));
    flood.abort();
}
