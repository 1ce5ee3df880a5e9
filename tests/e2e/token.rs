//! The commands read a token from a file or from the environment, and do not print it.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio};

use crate::support::{
    process::{CODECHAT, Running, Scratch, Serve, clean, codechat, opened},
    soon,
};

const SECRET: &str = "hvs.Wq8-T0p_s3cret~42";
const CONNECT: &str = "/api/v1/sse/connect";

fn token_file(scratch: &Scratch, name: &str, token: &str, mode: u32) -> PathBuf {
    let path = scratch.path(name);
    std::fs::write(&path, token).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[tokio::test]
async fn serve_watch_and_send_take_the_token_and_show_it_nowhere() {
    let scratch = Scratch::new();
    let file = token_file(&scratch, "token", &format!("{SECRET}\n"), 0o600);
    let file = file.to_str().unwrap();
    let mut serve = Serve::start(&["--token-file", file, "--log", "trace"]).await;
    let (mut watcher, id) = serve.watch(&["--token-file", file]).await;
    serve.sent(&id, &["--token-file", file, "by file"]).await;
    assert_eq!(watcher.line().await, "by file\n");
    let mut by_variable = codechat(["send", "--server", &serve.url, "--id", &id, "by variable"]);
    let by_variable = by_variable
        .env("CODECHAT_TOKEN", SECRET)
        .stdout(Stdio::piped());
    assert_eq!(Running::start(by_variable).end().await.code, Some(0));
    assert_eq!(watcher.line().await, "by variable\n");
    let mut lines = serve.send(&id, &["--token-file", file]);
    lines.write("a line\n").await;
    assert_eq!(lines.end().await.code, Some(0));
    assert_eq!(watcher.line().await, "a line\n");

    for arguments in [
        &["send", "--id", &id, "hello"][..],
        &["send", "--all", "hello"],
        &["watch"],
    ] {
        let mut command = codechat(arguments);
        command
            .env("CODECHAT_SERVER", &serve.url)
            .env("CODECHAT_TOKEN", "wrong-one");
        let ended = Running::start(command.stdout(Stdio::piped())).end().await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("401"), "{}", ended.stderr);
        assert!(ended.stderr.contains("--token-file"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("wrong-one"), "{}", ended.stderr);
    }

    for process in [&serve.process, &watcher] {
        let words = std::fs::read_to_string(format!("/proc/{}/cmdline", process.pid())).unwrap();
        assert!(!words.contains(SECRET));
    }
    watcher.signal("TERM").await;
    let watcher = watcher.end().await;
    assert!(!format!("{watcher:?}").contains(SECRET));
    serve.process.says("client stopped").await;
    serve.process.signal("TERM").await;
    let log = serve.process.end().await.stderr;
    for secret in [SECRET, "wrong-one", &id[9..]] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn a_token_that_everybody_can_read_gets_a_warning_that_says_how_to_fix_it() {
    let scratch = Scratch::new();
    let open = token_file(&scratch, "open", SECRET, 0o644);
    let closed = token_file(&scratch, "closed", SECRET, 0o640);
    let listen = ["serve", "--listen", "127.0.0.1:0", "--token-file"];
    let serve = Running::codechat([&listen[..], &[open.to_str().unwrap()]].concat());
    let warning = format!("to fix it: chmod 600 {}", open.display());
    let mut serve = serve;
    let line = serve.says("warning").await;
    assert!(line.contains(&warning), "{line}");
    serve.says("listening on").await;

    let mut serve = Running::codechat([&listen[..], &[closed.to_str().unwrap()]].concat());
    serve.says("listening on").await;
    serve.signal("TERM").await;
    assert!(!serve.end().await.stderr.contains("warning"));
}

#[tokio::test]
async fn an_invalid_token_is_an_error_that_does_not_quote_it() {
    let scratch = Scratch::new();
    for (name, text, says) in [
        ("empty", " \n", "is empty"),
        ("words", "hunter2 hunter3", "one word"),
        ("lines", "hunter2\nhunter3\n", "one word"),
        ("foreign", "hunter2\u{e9}", "one word"),
    ] {
        let file = token_file(&scratch, name, text, 0o600);
        for verb in [
            &["serve", "--listen", "127.0.0.1:0"][..],
            &["watch"],
            &["send", "--all", "x"],
        ] {
            let ended =
                Running::codechat([verb, &["--token-file", file.to_str().unwrap()]].concat());
            let ended = ended.end().await;
            assert_eq!(ended.code, Some(1), "{verb:?} {name}");
            assert!(ended.stderr.contains(says), "{}", ended.stderr);
            assert!(!ended.stderr.contains("hunter"), "{}", ended.stderr);
        }
    }
    let ended = Running::codechat(["serve", "--token-file", "/dev/zero"])
        .end()
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .stderr
            .contains("/dev/zero: it is over the limit of 4096 bytes"),
        "{}",
        ended.stderr
    );
    let ended = Running::codechat(["serve", "--token-file", "/nowhere/token"])
        .end()
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .stderr
            .contains("cannot read the token file /nowhere/token: no such file"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_token_can_be_read_from_a_pipe() {
    let scratch = Scratch::new();
    let pipe = scratch.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let path = pipe.to_str().unwrap();
    let mut serve = Running::codechat(["serve", "--listen", "127.0.0.1:0", "--token-file", path]);
    soon(tokio::fs::write(&pipe, SECRET)).await.unwrap();
    serve.says("listening on").await;
}

#[tokio::test]
async fn a_server_beyond_loopback_needs_a_token_or_no_auth() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:2428"] {
        let ended = Running::codechat(["serve", "--listen", address])
            .end()
            .await;
        assert_eq!(ended.code, Some(1));
        for way in ["--token-file", "--no-auth", "ssh -L"] {
            assert!(ended.stderr.contains(way), "{}", ended.stderr);
        }
    }
    let scratch = Scratch::new();
    let file = token_file(&scratch, "token", SECRET, 0o600);
    let file = file.to_str().unwrap();
    for (flags, status) in [(&["--no-auth"][..], 200), (&["--token-file", file], 401)] {
        let args = [&["serve", "--listen", "0.0.0.0:0"], flags].concat();
        let mut serve = Serve::of(Running::codechat(args)).await;
        serve.process.says("not encrypted").await;
        let mut http = serve.http;
        http.address.set_ip([127, 0, 0, 1].into());
        assert_eq!(http.get(CONNECT).await.status, status);
    }
    let both = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--no-auth",
        "--token-file",
        file,
    ];
    let ended = Running::codechat(both).end().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("leave out one"), "{}", ended.stderr);
}

#[tokio::test]
async fn the_line_that_serve_prints_works_with_the_token() {
    let scratch = Scratch::new();
    let file = token_file(&scratch, "my token", SECRET, 0o600);
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let file = file.to_str().unwrap();
    let mut process = Running::codechat([&serve[..], &["--token-file", file]].concat());
    let line = process.says("listening on").await;
    assert!(line.contains(&format!(" --token-file '{file}'")), "{line}");
    // The line is run as in a shell, with this program in place of the installed one.
    let (_, words) = line.split_once("run: codechat ").unwrap();
    let mut shell = clean("bash");
    shell.args(["-c", &format!("exec \"$0\" {}", words.trim()), CODECHAT]);
    opened(Running::start(shell.stdout(Stdio::piped()))).await;

    let mut command = codechat(serve);
    command.env("CODECHAT_TOKEN", SECRET).stdout(Stdio::piped());
    let mut process = Running::start(&mut command);
    let line = process.says("listening on").await;
    assert!(
        line.contains("run: CODECHAT_TOKEN=… codechat watch --server http://"),
        "{line}"
    );
    assert!(!line.contains(SECRET), "{line}");
}
