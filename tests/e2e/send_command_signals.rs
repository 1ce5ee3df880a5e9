//! Requests and signals that `codechat send -- COMMAND` passes on to the command.

use std::time::{Duration, Instant};

use crate::send_command::{WAITS, gone};
use crate::support::{
    http::stream_of,
    process::{CODECHAT, Running, Scratch, Serve},
    stage::Stage,
    terminal::Terminal,
};

#[tokio::test]
async fn a_watchers_cancel_ends_the_command_and_all_that_it_started() {
    let mut stage = Stage::set().await;
    let script = "sleep 600 & echo $!; echo ready $$; wait";
    let sender = stage.run(&[], script);
    stage.line().await;
    let grandchild = stage.line().await;
    let child = stage.ready().await;
    stage.ask(&["--cancel"]).await;
    assert_eq!(sender.end().await.code, Some(143));
    let (watched, last) = stage.done().await;
    assert_eq!(
        (watched.code, &last["outcome"]),
        (Some(3), &"cancelled".into())
    );
    gone(&child).await;
    gone(&grandchild).await;
}

#[tokio::test]
async fn a_command_that_ignores_a_cancel_is_ended_after_a_while() {
    let mut stage = Stage::set().await;
    let script = "trap '' TERM; echo ready $$; sleep 600";
    let sender = stage.run(&[], script);
    stage.line().await;
    let child = stage.ready().await;
    stage.ask(&["--cancel"]).await;
    assert_eq!(sender.end().await.code, Some(137));
    let (_, last) = stage.done().await;
    assert_eq!(last["outcome"], "cancelled");
    gone(&child).await;
}

#[tokio::test]
async fn a_command_is_not_run_if_a_cancel_was_requested_before() {
    let (server, scratch) = (Serve::start(&[]).await, Scratch::new());
    let id = server.http.connect().await;
    let watch = ["watch", "--server", &server.url, "--id", &id, "--cancel"];
    assert_eq!(Running::codechat(watch).end().await.code, Some(0));
    let marker = scratch.path("marker");
    let touch = ["--", "touch", marker.to_str().unwrap()];
    assert_eq!(server.send(&id, &touch).end().await.code, Some(143));
    assert!(!marker.exists());
    assert_eq!(server.send(&id, &touch).end().await.code, Some(0));
    assert!(marker.exists());
}

#[tokio::test]
async fn the_loss_of_a_killed_sender_is_published_within_three_seconds() {
    let mut stage = Stage::set().await;
    let sender = stage.run(&["--operation", "sh"], &format!("{WAITS} 2>&1"));
    stage.line().await;
    let child = stage.ready().await;
    let begin = Instant::now();
    sender.signal("KILL").await;
    let (watched, _) = stage.done().await;
    let after = begin.elapsed();
    assert!(after < Duration::from_secs(3), "{after:?}");
    assert_eq!(watched.code, Some(3));
    let lost = "Publisher disconnected before it finished.";
    assert!(watched.stderr.contains(lost), "{watched:?}");
    // A killed sender cannot end the command that it runs.
    let kill = std::process::Command::new("kill").arg(&child).status();
    assert!(kill.unwrap().success());
}

#[tokio::test]
async fn signals_are_passed_on_once() {
    let mut stage = Stage::set().await;
    let script = format!("trap 'echo interrupted' INT; trap 'exit 9' TERM; {WAITS}");
    let sender = stage.run(&[], &script);
    stage.line().await;
    stage.ready().await;
    sender.signal("INT").await;
    assert_eq!(stage.line().await, "interrupted");
    sender.signal("TERM").await;
    assert_eq!(sender.end().await.code, Some(9));
    let (watched, last) = stage.done().await;
    assert_eq!(
        (watched.code, &last["outcome"]),
        (Some(3), &"cancelled".into())
    );
    assert!(!watched.stdout.contains("interrupted"), "{watched:?}");
}

#[tokio::test]
async fn a_wanted_level_is_in_the_environment_and_a_new_one_is_a_signal() {
    let mut stage = Stage::set().await;
    stage.ask(&["--ask-level", "debug"]).await;
    let script = format!(
        "trap 'echo louder; exit 0' USR1; echo $CODECHAT_WANTED_LEVEL $SSE_CLIENT_ID $CODECHAT_PUBLISH_URL; {WAITS}"
    );
    let sender = stage.run(&["--on-level-signal", "USR1"], &script);
    stage.line().await;
    let (id, url) = (stage.id.clone(), stage.server.url.clone());
    let expected = format!("debug {id} {url}{}", stream_of(&id));
    assert_eq!(stage.line().await, expected);
    stage.ready().await;
    stage.ask(&["--ask-level", "trace"]).await;
    assert_eq!(stage.line().await, "louder");
    assert_eq!(sender.end().await.code, Some(0));
}

#[tokio::test]
async fn ctrl_c_in_a_terminal_reaches_the_command_once() {
    let mut stage = Stage::set().await;
    let script = format!("trap 'echo interrupted' INT; trap 'exit 4' TERM; {WAITS}");
    let send = [CODECHAT, "send", "--server", &stage.server.url];
    let words = ["--id", &stage.id, "--", "sh", "-c", &script];
    let mut sender = Terminal::start(&[&send[..], &words].concat(), (80, 24));
    stage.line().await;
    stage.ready().await;
    sender.keys("\u{3}");
    assert_eq!(stage.line().await, "interrupted");
    let kill = std::process::Command::new("kill")
        .arg(sender.pid().to_string())
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(sender.end().await.0, 4);
    let (watched, last) = stage.done().await;
    assert_eq!(last["outcome"], "cancelled");
    assert!(!watched.stdout.contains("interrupted"), "{watched:?}");
}
