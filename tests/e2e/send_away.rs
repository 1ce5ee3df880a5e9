//! A server that cannot be reached stops no command, and every form of `send` reports it and retries in the same way.

use serde_json::Value;

use crate::support::{
    becomes,
    process::{CODECHAT, Ended, Running, Scratch, Serve},
    scripted::{Reply, Scripted},
    stage::Stage,
    terminal::Terminal,
};

const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
const JSON: &[&str] = &["Content-Type: application/json"];

/// The number of lines that a command writes while the server is away: more than are kept.
const LINES: usize = 6000;

/// Runs a command whose server goes away in the middle, until all lines are written.
async fn run_while_away(stage: &mut Stage, signal: &str) -> (Running, Scratch) {
    let scratch = Scratch::new();
    let marker = scratch.path("marker");
    let script = format!(
        "echo before; read line; yes $(printf %01000d 0) | head -n {LINES}; touch {}; read line; echo after",
        marker.display()
    );
    let mut sender = stage.run(&[], &script);
    stage.line().await;
    assert_eq!(stage.line().await, "before");
    if signal == "STOP" {
        stage.server.process.pause().await;
    } else {
        stage.server.process.signal(signal).await;
    }
    sender.write("go on\n").await;
    assert!(becomes(|| marker.exists()).await, "it was held back");
    (sender, scratch)
}

/// Asserts that the stream has the lines that were kept, then the number of dropped ones, before the command writes
/// more; then the rest.
async fn assert_drop_is_reported(mut stage: Stage, mut sender: Running) {
    let mut held = 0;
    let notice = loop {
        let message = stage.message().await;
        let text = message["message"].as_str().unwrap_or_default();
        if text.starts_with("000") {
            held += 1;
        } else if !message["message"].is_null() {
            break message;
        }
    };
    let expected = format!(
        "{} lines were dropped here, while the server was away",
        LINES - held
    );
    assert!(held > 1500, "{held} of {LINES} held");
    assert_eq!(
        (&notice["message"], &notice["level"], &notice["operation"]),
        (
            &Value::from(expected.as_str()),
            &"warn".into(),
            &"sh".into()
        )
    );
    sender.write("end\n").await;
    let sent = sender.end().await;
    assert_eq!(stage.line().await, "after");
    assert_eq!(stage.done().await.1["outcome"], "ok");
    assert_eq!(sent.code, Some(0));
    let counted = expected.replace(" here,", "");
    assert!(sent.stderr.contains(&counted), "{sent:?}");
    assert_eq!(
        sent.stderr.matches("not delivered yet").count(),
        0,
        "once: {sent:?}"
    );
}

#[tokio::test]
async fn a_command_continues_without_its_server_and_dropped_lines_are_reported() {
    let mut stage = Stage::set().await;
    let address = stage.server.http.address.to_string();
    let (mut sender, _scratch) = run_while_away(&mut stage, "KILL").await;
    let again = Serve::of(Running::codechat(["serve", "--listen", &address])).await;
    drop(std::mem::replace(&mut stage.server, again));
    sender.says("not delivered yet (").await;
    sender.says("delivered: the server is back").await;
    assert_drop_is_reported(stage, sender).await;
}

#[tokio::test]
async fn a_command_runs_on_if_its_server_hangs() {
    let mut stage = Stage::set().await;
    let (mut sender, _scratch) = run_while_away(&mut stage, "STOP").await;
    sender.says("not delivered yet (no answer)").await;
    stage.server.process.signal("CONT").await;
    sender.says("delivered: the server is back").await;
    assert_drop_is_reported(stage, sender).await;
}

/// Runs `codechat send` with a server that gives these replies; returns its end.
async fn sent(replies: [Reply; 2], words: &[&str]) -> (Ended, Scripted) {
    let server = Scripted::start(replies).await;
    let to = ["send", "--server", &server.url];
    let mut sender = Running::codechat([&to, words].concat());
    if words.len() < 3 {
        sender.write("a\n").await;
    }
    (sender.end().await, server)
}

#[tokio::test]
async fn every_form_of_send_is_retried_in_the_same_way() {
    let published =
        r#"{"id":"1-9","accepted":1,"subscribers":1,"level":null,"cancel":false,"operation":null}"#;
    let broadcast = r#"{"clients":3}"#;
    for (words, answer) in [
        (&["--id", ID, "a"][..], published),
        (&["--all", "a", "b"], broadcast),
        (&["--id", ID], published),
    ] {
        let taken = Reply::answer("202 Accepted", JSON, answer);
        let (ended, mut server) = sent([Reply::raw(""), taken], words).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let lines: Vec<_> = ended.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines[0].starts_with("codechat: not delivered yet ("),
            "{lines:?}"
        );
        assert_eq!(lines[1], "codechat: delivered: the server is back");
        let first = server.asked().await;
        let key = first.header("idempotency-key");
        assert!(key.is_some(), "{first:?}");
        assert_eq!(server.asked().await.header("idempotency-key"), key);

        let busy = || Reply::problem("503 Service Unavailable", &[], "not now");
        let words = [&["--give-up-after", "1ms"], words].concat();
        let server = Scripted::start([busy()]).await;
        let to = ["send", "--server", &server.url];
        let mut sender = Running::codechat([&to[..], &words].concat());
        if words.len() < 5 {
            sender.write("a\n").await;
        }
        let ended = sender.end().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let reason = "the server accepted nothing for 1ms: 503 not now";
        assert!(ended.stderr.contains(reason), "{ended:?}");
    }
}

#[tokio::test]
async fn on_a_terminal_the_report_is_on_a_row_of_its_own() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    let scratch = Scratch::new();
    let go_on = scratch.path("go_on");
    let script = format!(
        "printf half; until [ -e {} ]; do sleep 0.05; done; printf ' more'; sleep 600",
        go_on.display()
    );
    let to = [CODECHAT, "send", "--server", &server.url, "--id", &id];
    let words = [&to[..], &["--tee", "--", "sh", "-c", &script]].concat();
    let mut sender = Terminal::start(&words, (100, 24));
    let mut stream = server.http.watch(&id).await;
    assert!(stream.event().await.data.starts_with("Started sh"));
    assert_eq!(stream.event().await.data, "half");
    server.process.signal("KILL").await;
    std::fs::write(&go_on, "").unwrap();
    let is_apart = |screen: &vt100::Screen| {
        let rows: Vec<_> = screen.rows(0, 100).collect();
        rows[0].trim_end() == "half more" && rows[1].starts_with("codechat: not delivered yet (")
    };
    sender.until("a row of its own", is_apart).await;
}

#[tokio::test]
async fn a_signal_ends_the_retries_of_one_message() {
    let busy = Reply::problem("503 Service Unavailable", &[], "not now");
    let server = Scripted::start([busy]).await;
    let words = ["send", "--server", &server.url, "--id", ID, "a"];
    let mut sender = Running::codechat(words);
    sender.says("not delivered yet (503 not now)").await;
    sender.signal("INT").await;
    sender
        .says("the message was not delivered: interrupted")
        .await;
    assert_eq!(sender.end().await.code, Some(130));
}
