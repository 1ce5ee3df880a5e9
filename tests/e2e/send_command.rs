//! `codechat send -- COMMAND` publishes the whole run of a command: its start, each line, and its end, whatever ended
//! it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Instant};

use crate::support::{
    PATIENCE, becomes,
    process::{Scratch, Serve},
    stage::Stage,
};

const UNKNOWN: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
/// A shell that prints that it is ready, with its process ID, and then does nothing until it is signalled.
pub(crate) const WAITS: &str = "echo ready $$; while :; do sleep 0.05; done";

/// Returns whether a process has ended, even if nobody has waited for it.
fn is_gone(pid: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat"));
    state.is_ok_and(|it| it.contains(") Z ")) || !Path::new(&format!("/proc/{pid}")).exists()
}

pub(crate) async fn gone(pid: &str) {
    assert!(becomes(|| is_gone(pid)).await, "{pid} does not end");
}

#[tokio::test]
async fn a_command_is_published_from_its_start_to_its_outcome() {
    let mut stage = Stage::set().await;
    let sender = stage.run(&[], "echo one; read line; echo two >&2; exit 0");
    let started = stage.message().await;
    let text = started["message"].as_str().unwrap();
    assert!(text.starts_with("Started sh -c 'echo one;"), "{text}");
    assert_eq!(
        (&started["level"], &started["operation"]),
        (&"info".into(), &"sh".into())
    );
    let one = stage.message().await;
    assert_eq!(
        (&one["message"], &one["level"]),
        (&"one".into(), &"info".into())
    );
    // Its stdin is the test's, which ends here.
    let sent = sender.end().await;
    assert_eq!(
        (sent.code, sent.stdout.as_str(), sent.stderr.as_str()),
        (Some(0), "", "")
    );
    let two = stage.message().await;
    assert_eq!(
        (&two["message"], &two["level"]),
        (&"two".into(), &"warn".into())
    );
    let (watched, last) = stage.done().await;
    assert_eq!((watched.code, &last["outcome"]), (Some(0), &"ok".into()));
    assert_eq!(last["operation"], "sh");
}

#[tokio::test]
async fn a_command_that_fails_is_published_with_its_exit_code_or_signal() {
    for (script, code, expected) in [
        ("exit 7", 7, "exit code 7"),
        ("kill -KILL $$", 137, "signal 9"),
    ] {
        let stage = Stage::set().await;
        assert_eq!(stage.run(&[], script).end().await.code, Some(code));
        let (watched, last) = stage.done().await;
        assert_eq!(
            (watched.code, &last["outcome"]),
            (Some(3), &"failed".into())
        );
        let text = last["message"].as_str().unwrap();
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn a_command_that_cannot_be_run_fails_with_a_shells_code_and_a_reason() {
    let scratch = Scratch::new();
    let file = |name: &str, text: &str, mode| {
        let path = scratch.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let no_program = file("text", "echo hi\n", 0o755);
    let no_interpreter = file("script", "#!/nowhere/to/be/found\n", 0o755);
    let no_permission = file("data", "#!/bin/sh\n", 0o644);
    for (command, code, expected) in [
        ("nowhere-to-be-found", 127, "no directory in PATH"),
        ("/nowhere/to/be/found", 127, "No such file"),
        ("", 127, "run '': it has no name"),
        ("/", 126, "it is a directory"),
        (&no_program, 126, "such as #!/bin/sh"),
        (&no_interpreter, 126, "the interpreter"),
        (&no_permission, 126, "chmod +x /"),
    ] {
        let stage = Stage::set().await;
        let sent = stage.server.send(&stage.id, &["--", command]).end().await;
        assert_eq!(sent.code, Some(code), "{command}");
        assert!(sent.stderr.contains("cannot run"), "{sent:?}");
        assert!(sent.stderr.contains(expected), "{sent:?}");
        let (watched, last) = stage.done().await;
        assert_eq!(
            (watched.code, &last["outcome"]),
            (Some(3), &"failed".into())
        );
    }
}

#[tokio::test]
async fn no_command_is_run_for_an_unknown_client() {
    let (server, scratch) = (Serve::start(&[]).await, Scratch::new());
    let marker = scratch.path("marker");
    let marker = marker.to_str().unwrap();
    let sent = server.send(UNKNOWN, &["--", "touch", marker]).end().await;
    assert_eq!(sent.code, Some(1));
    assert!(sent.stderr.contains("no client with this ID"), "{sent:?}");
    for more in [
        &["words", "--", "touch", marker][..],
        &["--outcome", "ok", "--", "touch", marker],
        &["--on-level-signal", "KILL", "--", "touch", marker],
    ] {
        let sent = server.send(UNKNOWN, more).end().await;
        assert_eq!(sent.code, Some(2), "{more:?}");
    }
    assert!(!Path::new(marker).exists());
}

#[tokio::test]
async fn an_unfinished_line_is_shown_while_the_command_waits() {
    let mut stage = Stage::set().await;
    let mut sender = stage.run(
        &["--tee"],
        "printf 'Name? '; read name; echo \"Hello $name\"",
    );
    stage.line().await;
    assert_eq!(stage.line().await, "Name? ");
    sender.write("you\n").await;
    assert_eq!(stage.line().await, "Hello you");
    let sent = sender.end().await;
    assert_eq!(
        (sent.code, sent.stdout.as_str()),
        (Some(0), "Name? Hello you\n")
    );
}

#[tokio::test]
async fn a_command_with_a_terminal_of_its_own_detects_it() {
    let mut stage = Stage::set().await;
    let script = "test -t 1 && test -t 2 && stty size <&1; printf '\\033[31mred\\033[0m\\n' >&2";
    let sender = stage.run(&["--pty"], script);
    stage.line().await;
    assert_eq!(stage.line().await, "24 80");
    assert_eq!(stage.line().await, "\u{1b}[31mred\u{1b}[0m");
    assert_eq!(sender.end().await.code, Some(0));
}

#[tokio::test]
async fn a_background_process_of_a_command_does_not_delay_its_end() {
    let mut stage = Stage::set().await;
    let begin = Instant::now();
    let sent = stage.run(&[], "sleep 600 & echo $!").end().await;
    assert!(begin.elapsed() < PATIENCE);
    assert_eq!(sent.code, Some(0));
    assert!(sent.stderr.contains("holds its output"), "{sent:?}");
    stage.line().await;
    let left = stage.line().await;
    assert!(!is_gone(&left), "it continues to run");
    let kill = std::process::Command::new("kill").arg(left).status();
    assert!(kill.unwrap().success());
    assert_eq!(stage.done().await.1["outcome"], "ok");
}

#[tokio::test]
async fn a_command_that_closes_its_output_is_waited_for() {
    let mut stage = Stage::set().await;
    let mut sender = stage.run(&[], "echo closing; exec >&- 2>&-; read line; exit 5");
    stage.line().await;
    assert_eq!(stage.line().await, "closing");
    sender.write("go on\n").await;
    assert_eq!(sender.end().await.code, Some(5));
    assert_eq!(stage.done().await.1["outcome"], "failed");
}

#[tokio::test]
async fn a_command_continues_without_its_watcher_and_undelivered_lines_are_counted() {
    let (mut stage, scratch) = (Stage::set().await, Scratch::new());
    let marker = scratch.path("marker");
    let script = format!("echo one; read line; seq 1000; touch {}", marker.display());
    let mut sender = stage.run(&[], &script);
    stage.line().await;
    assert_eq!(stage.line().await, "one");
    stage.server.http.stop(&stage.id).await;
    sender.write("go on\n").await;
    let sent = sender.end().await;
    assert_eq!(sent.code, Some(0));
    let counted = "1001 lines were read but not delivered";
    assert!(sent.stderr.contains(counted), "{sent:?}");
    assert!(marker.exists());
}

#[tokio::test]
async fn a_server_that_hangs_holds_back_no_command_and_dropped_lines_are_reported() {
    /// More than can be kept.
    const LINES: usize = 600_000;
    let (mut stage, scratch) = (Stage::set().await, Scratch::new());
    let marker = scratch.path("marker");
    let script = format!(
        "echo one; read line; seq {LINES}; touch {}; read line; echo last",
        marker.display()
    );
    let mut sender = stage.run(&[], &script);
    stage.line().await;
    assert_eq!(stage.line().await, "one");
    stage.server.process.pause().await;
    sender.write("go on\n").await;
    assert!(becomes(|| marker.exists()).await, "it is held back");
    stage.server.process.signal("CONT").await;
    sender.write("go on\n").await;
    // The last line may be dropped too, if it comes before the server is known to be back.
    let (mut shown, mut dropped) = (0, 0);
    loop {
        let line = stage.line().await;
        if line.starts_with("Finished") {
            break;
        }
        match line.split_once(" lines were dropped here, while the server was away") {
            Some((count, _)) => dropped += count.parse::<usize>().unwrap(),
            None => shown += 1,
        }
    }
    assert!(dropped > 0, "nothing had to be dropped");
    assert_eq!(shown + dropped, LINES + 1);
    let sent = sender.end().await;
    assert_eq!(sent.code, Some(0));
    let expected = format!("{dropped} lines were dropped while the server was away");
    assert!(sent.stderr.contains(&expected), "{sent:?}");
}

#[tokio::test]
async fn undelivered_lines_are_given_up_after_a_command_without_changing_its_exit_code() {
    for code in [0, 7] {
        let mut stage = Stage::set().await;
        let script = format!("echo one; read line; seq 1000; exit {code}");
        let mut sender = stage.run(&["--give-up-after", "1ms"], &script);
        stage.line().await;
        assert_eq!(stage.line().await, "one");
        stage.server.process.signal("KILL").await;
        sender.write("go on\n").await;
        let sent = sender.end().await;
        assert_eq!(sent.code, Some(code));
        let counted =
            "1001 lines were read but not delivered: the server accepted nothing for 1ms: ";
        assert!(sent.stderr.contains(counted), "{sent:?}");
        assert!(!sent.stderr.contains("the command goes on"), "{sent:?}");
    }
}

#[tokio::test]
async fn a_silent_command_keeps_its_client_from_being_idle() {
    let server = Serve::start(&["--idle-timeout", "1s"]).await;
    let id = server.http.connect().await;
    let script = "echo ready; read line; echo done";
    let mut sender = server.send(&id, &["--tee", "--", "sh", "-c", script]);
    assert_eq!(sender.line().await, "ready\n");
    // When a later one has ended, the time of this one was over too.
    let later = server.http.connect().await;
    assert_eq!(server.http.watch(&later).await.event().await.data, "idle");
    sender.write("go on\n").await;
    assert_eq!(sender.end().await.code, Some(0));
}
