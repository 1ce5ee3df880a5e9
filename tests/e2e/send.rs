//! `codechat send` delivers its input: words, or each line as it is read.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use codechat::internal::event::ClientId;

use crate::support::{
    process::{Running, Serve},
    scripted::{Reply, Scripted},
    stage::Stage,
};

const LONG: usize = 64 * 1024;

#[tokio::test]
async fn words_are_one_message_with_the_given_options() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&["--format", "json"]).await;
    server.sent(&id, &["two", "words"]).await;
    let options = [
        "--level",
        "warn",
        "--operation",
        "refresh",
        "--progress",
        "3/120",
        "--event",
        "build",
    ];
    server
        .sent(&id, &[&options[..], &["all of it"]].concat())
        .await;
    server.sent(&id, &["--outcome", "ok"]).await;
    let mut objects = Vec::new();
    for _ in 0..3 {
        let mut object: serde_json::Value = serde_json::from_str(&watcher.line().await).unwrap();
        let members = object.as_object_mut().unwrap();
        assert!(members.remove("id").is_some() && members.remove("time").is_some());
        objects.push(object);
    }
    let expected = [
        serde_json::json!({"message": "two words"}),
        serde_json::json!({
            "message": "all of it", "level": "warn", "operation": "refresh",
            "progress": {"current": 3, "total": 120}, "event": "build",
        }),
        serde_json::json!({"message": "", "outcome": "ok"}),
    ];
    assert_eq!(objects, expected);
}

#[tokio::test]
async fn invalid_utf_8_is_replaced_in_words_and_in_lines() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    let words = ["send", "--server", &server.url, "--id", &id].map(OsStr::new);
    let words = [&words[..], &[OsStr::from_bytes(b"gr\xfcn")]].concat();
    assert_eq!(Running::codechat(words).end().await.code, Some(0));
    assert_eq!(watcher.line().await, "gr\u{fffd}n\n");
}

#[tokio::test]
async fn each_line_is_delivered_as_it_is_read() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    let mut sender = server.send(&id, &["--tee"]);
    for number in 0..5 {
        let line = format!("line {number}\n");
        sender.write(&line).await;
        assert_eq!(watcher.line().await, line);
        assert_eq!(sender.line().await, line, "tee");
    }
    sender.write("without an end").await;
    let ended = sender.end().await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "without an end")
    );
    assert_eq!(watcher.line().await, "without an end\n");
}

#[tokio::test]
async fn an_unfinished_line_is_shown_and_an_overwritten_one_in_versions() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    let mut sender = server.send(&id, &[]);
    sender.write("Working... ").await;
    assert_eq!(watcher.line().await, "Working... \n");
    sender.write("done\n").await;
    assert_eq!(watcher.line().await, "done\n");
    for percent in 0..=100 {
        sender.write(format!("\r{percent} %")).await;
    }
    let first = watcher.line().await;
    assert!(first.ends_with(" %\n"), "{first}");
    sender.write("\nlast\n").await;
    let mut versions = Vec::new();
    loop {
        let line = watcher.line().await;
        if line == "last\n" {
            break;
        }
        versions.push(line);
    }
    assert_eq!(versions.last().unwrap(), "100 %\n");
    assert!(versions.len() < 20, "{versions:?}");
}

#[tokio::test]
async fn an_outage_and_its_end_are_reported_once() {
    let gone = || Reply::raw("");
    let json = ["Content-Type: application/json"];
    let taken =
        r#"{"id":"1-9","accepted":1,"subscribers":1,"level":null,"cancel":false,"operation":null}"#;
    let taken = || Reply::answer("202 Accepted", &json, taken);
    let server = Scripted::start([gone(), gone(), gone(), taken()]).await;
    let id = ClientId::random().to_string();
    let ended = Running::codechat(["send", "--id", &id, "--server", &server.url, "hello"])
        .end()
        .await;
    assert_eq!(ended.code, Some(0));
    let lines: Vec<_> = ended.stderr.lines().collect();
    let [begin, end] = lines[..] else {
        panic!("{ended:?}");
    };
    assert!(begin.contains("not delivered yet ("), "{begin}");
    assert_eq!(end, "codechat: delivered: the server is back");
}

#[tokio::test]
async fn one_message_is_given_up_after_the_same_time_as_lines() {
    let gone = || Reply::raw("");
    for words in [
        &["--id", "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b"][..],
        &["--all"],
    ] {
        let server = Scripted::start((0..50).map(|_| gone())).await;
        let send = [
            "send",
            "--server",
            &server.url,
            "--give-up-after",
            "1ms",
            "hello",
        ];
        let ended = Running::codechat([&send[..], words].concat()).end().await;
        assert_eq!(ended.code, Some(1));
        let reason = "the server accepted nothing for 1ms: ";
        assert!(ended.stderr.contains(reason), "{ended:?}");
    }
}

#[tokio::test]
async fn bytes_are_dropped_only_with_a_report() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&["--format", "json"]).await;
    let mut sender = server.send(&id, &[]);
    let long = "é".repeat(LONG);
    let input = [
        b"\n".as_slice(),
        b"cr\r\n",
        b"two\r\r\n",
        b"a\rb\n",
        b"\xff\xc3(\n",
        b"\"quoted\" {\"message\":1}\n",
        long.as_bytes(),
        b"\n\nlast",
    ];
    sender.write(input.concat()).await;
    assert_eq!(sender.end().await.code, Some(0));
    let mut texts = Vec::new();
    loop {
        let object: serde_json::Value = serde_json::from_str(&watcher.line().await).unwrap();
        texts.push(object["message"].as_str().unwrap().to_owned());
        if texts.last().unwrap() == "last" {
            break;
        }
    }
    let expected = [
        "",
        "cr",
        "two",
        "b",
        "\u{fffd}\u{fffd}(",
        "\"quoted\" {\"message\":1}",
    ];
    assert_eq!(texts[..6], expected);
    let pieces = &texts[6..texts.len() - 2];
    assert!(pieces.len() >= 2 && pieces.iter().all(|it| it.len() <= LONG));
    assert_eq!(pieces.concat(), long);
    assert_eq!(texts[texts.len() - 2], "");
}

#[tokio::test]
async fn lines_have_the_level_of_the_option() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&["--format", "json"]).await;
    let mut sender = server.send(&id, &["--level", "error"]);
    sender.write("a\n").await;
    assert!(watcher.line().await.contains(r#""level":"error""#));
    assert_eq!(sender.end().await.code, Some(0));
}

#[tokio::test]
async fn a_broadcast_of_words_reaches_all_watchers() {
    let server = Serve::start(&[]).await;
    let (mut first, _) = server.watch(&[]).await;
    let (mut second, _) = server.watch(&[]).await;
    let all = ["send", "--server", &server.url, "--all"];
    let ended = Running::codechat([&all[..], &["to", "all"]].concat())
        .end()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(first.line().await, "to all\n");
    assert_eq!(second.line().await, "to all\n");
    let ended = Running::codechat(all).end().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--all"), "{ended:?}");
}

#[tokio::test]
async fn a_secret_in_the_servers_address_is_refused_and_not_printed() {
    for server in ["http://user:hunter2@host", "http://host/?token=hunter2"] {
        let ended = Running::codechat(["send", "--all", "x", "--server", server])
            .end()
            .await;
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains("--token-file"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn reading_stdin_ends_if_a_watcher_cancels() {
    let mut stage = Stage::set().await;
    let mut sender = stage.server.send(&stage.id, &["--operation", "sh"]);
    sender.write("one\n").await;
    assert_eq!(stage.line().await, "one");
    stage.ask(&["--cancel"]).await;
    sender.write("two\n").await;
    assert_eq!(stage.line().await, "two");
    sender.says("read no further").await;
    let (watched, last) = stage.done().await;
    assert_eq!(
        (watched.code, &last["outcome"]),
        (Some(3), &"cancelled".into())
    );
    assert_eq!(sender.end().await.code, Some(3));
}

#[tokio::test]
async fn reading_a_quiet_stdin_ends_if_a_watcher_cancels() {
    let mut stage = Stage::set().await;
    let mut sender = stage.server.send(&stage.id, &["--operation", "sh"]);
    sender.write("one\n").await;
    assert_eq!(stage.line().await, "one");
    stage.ask(&["--cancel"]).await;
    sender.says("read no further").await;
    assert_eq!(stage.done().await.1["outcome"], "cancelled");
    assert_eq!(sender.end().await.code, Some(3));
}
