//! `codechat watch` into a pipe: stdout has only messages, and the exit code says how the watch ended.

use std::process::Stdio;

use crate::support::{
    port::Port,
    process::{CODECHAT, Running, Scratch, Serve, clean, codechat, opened},
    scripted::{Reply, Scripted},
};

const PROTOCOLS: &str = "Starting server communication...";

#[tokio::test]
async fn a_watch_ends_as_its_goals_say() {
    let server = Serve::start(&[]).await;
    for (goals, sent, code, stdout) in [
        (
            &["-n", "2"][..],
            &[&["a"][..], &["b"], &["c"]][..],
            0,
            "a\nb\n",
        ),
        (
            &["--until", "^b+$"],
            &[&["abc"], &["bb"], &["c"]],
            0,
            "abc\nbb\n",
        ),
        (
            &["--until-done"],
            &[&["a"], &["--outcome", "ok", "done"]],
            0,
            "a\ndone\n",
        ),
        (
            &["--until-done"],
            &[&["--outcome", "failed", "f"]],
            3,
            "f\n",
        ),
        (
            &["--until-done"],
            &[&["--outcome", "cancelled", "c"]],
            3,
            "c\n",
        ),
        (
            &["--fail-on", "warn"],
            &[&["a"], &["--level", "error", "e"]],
            3,
            "a\ne\n",
        ),
        (
            &["--fail-on", "bad.*luck", "-n", "1"],
            &[&["bad bad luck"]],
            3,
            "bad bad luck\n",
        ),
    ] {
        let (watcher, id) = server.watch(goals).await;
        for words in sent {
            // What is sent after the end may find the channel stopped.
            server.send(&id, words).end().await;
        }
        let ended = watcher.end().await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(code), stdout),
            "{goals:?}"
        );
    }
}

#[tokio::test]
async fn stdout_has_nothing_but_messages_and_stderr_the_rest() {
    let server = Serve::start(&["--log-messages", "2"]).await;
    let id = server.http.connect().await;
    for number in 1..=5 {
        server.http.publish(&id, number.to_string()).await;
    }
    let (watcher, _) = server.watch(&["--id", &id]).await;
    server.http.stop(&id).await;
    let ended = watcher.end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "4\n5\n"));
    assert!(
        ended.stderr.contains("3 older messages are no longer held"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("-- stopped --"), "{ended:?}");
}

#[tokio::test]
async fn json_includes_gaps_and_the_end_and_raw_the_streams_data() {
    let server = Serve::start(&["--log-messages", "2"]).await;
    let id = server.http.connect().await;
    for text in ["1", "2", "two\nlines"] {
        server.http.publish(&id, text).await;
    }
    let (json, _) = server.watch(&["--id", &id, "--format", "json"]).await;
    let (raw, _) = server.watch(&["--id", &id, "--format", "raw"]).await;
    let (text, _) = server
        .watch(&["--id", &id, "--format", "text", "--tail", "1"])
        .await;
    server.http.stop(&id).await;
    let ended = json.end().await;
    let lines: Vec<serde_json::Value> = ended
        .stdout
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(lines.len(), 4, "{ended:?}");
    let gap = serde_json::json!({"event": "gap", "from": 1, "to": 1, "missed": 1});
    assert_eq!(lines[0], gap);
    assert_eq!(lines[1]["message"], "2");
    assert_eq!(lines[2]["message"], "two\nlines");
    assert!(lines[2]["id"].as_str().unwrap().starts_with("3-"));
    assert!(lines[2]["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(lines[3]["event"], "end");
    let raw = raw.end().await.stdout;
    assert_eq!(raw, "2\ntwo\nlines\n");
    let text = text.end().await;
    assert_eq!(text.stdout, "two\nlines\n");
    assert!(!text.stderr.contains("lost"), "{text:?}");
}

#[tokio::test]
async fn the_id_is_printed_and_written_to_the_given_file() {
    let server = Serve::start(&[]).await;
    let scratch = Scratch::new();
    let path = scratch.path("id");
    let file = path.to_str().unwrap();
    let (mut watcher, id) = server
        .watch(&["--print-id", "--id-file", file, "-n", "1"])
        .await;
    assert_eq!(watcher.line().await, format!("{id}\n"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), id);
    server.sent(&id, &["x"]).await;
    assert_eq!(watcher.end().await.stdout, "x\n");
    let wrong = scratch.path("no/such/directory");
    let args = [
        "watch",
        "--server",
        &server.url,
        "--id-file",
        wrong.to_str().unwrap(),
    ];
    let ended = Running::codechat([&args[..], &["-n", "1", "--id", &id]].concat())
        .end()
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .stderr
            .contains("cannot write the client ID to the file"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_watch_stops_the_channel_it_opened_but_not_one_it_attached_to() {
    let server = Serve::start(&[]).await;
    let (opener, opened_id) = server.watch(&[]).await;
    let attached_id = server.http.connect().await;
    let (attached, _) = server.watch(&["--id", &attached_id]).await;
    for (watcher, signal, code) in [(opener, "INT", 130), (attached, "TERM", 143)] {
        watcher.signal(signal).await;
        assert_eq!(watcher.end().await.code, Some(code));
    }
    let path = format!("/api/v1/sse/debug/{opened_id}");
    server.http.post(&path, &[], "late").await.detail(404);
    server.http.publish(&attached_id, "still there").await;
}

#[tokio::test]
async fn a_time_limit_exits_with_code_4() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&["--timeout", "1s"]).await;
    server.sent(&id, &["before"]).await;
    assert_eq!(watcher.line().await, "before\n");
    let ended = watcher.end().await;
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("--timeout is up"), "{ended:?}");
}

#[tokio::test]
async fn a_closed_stdout_ends_the_watch_without_an_error() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    server.sent(&id, &["first"]).await;
    assert_eq!(watcher.line().await, "first\n");
    watcher.close_stdout();
    let ending = watcher.end();
    let sending = async {
        // Only a write shows that nobody reads; by the second one at the latest, the channel is gone.
        while server.send(&id, &["more"]).end().await.code == Some(0) {}
    };
    let (ended, ()) = tokio::join!(ending, sending);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        !ended.stderr.contains("roken pipe") && !ended.stderr.contains("panic"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn an_idle_end_exits_with_code_0_unless_the_watch_stays() {
    let server = Serve::start(&["--idle-timeout", "400ms"]).await;
    let (watcher, _) = server.watch(&[]).await;
    let ended = watcher.end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    let (mut watcher, id) = server.watch(&["--stay", "-n", "1"]).await;
    watcher.says("idle timeout").await;
    watcher.says(PROTOCOLS).await;
    server.http.publish(&id, "after it").await;
    let ended = watcher.end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "after it\n"));
}

#[tokio::test]
async fn a_server_that_shuts_down_is_waited_for() {
    let mut server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&["-n", "1"]).await;
    server.process.signal("TERM").await;
    watcher.says("-- Server shutting down... --").await;
    watcher.says("reconnecting, try").await;
    let address = server.http.address.to_string();
    server.process.says("shutting down").await;
    assert_eq!(server.process.end().await.code, Some(0));
    let server = Serve::of(Running::codechat(["serve", "--listen", &address])).await;
    watcher.says("lost").await;
    server.http.publish(&id, "back").await;
    assert_eq!(watcher.end().await.stdout, "back\n");
}

#[tokio::test]
async fn what_cannot_be_watched_is_an_error_that_says_why() {
    let nobody = Port::keep();
    let gone = nobody.url();
    let ok = "00000000-0000-4000-8000-000000000000";
    let page = || Reply::answer("200 OK", &["Content-Type: text/html"], "<html>hello");
    let other = Scripted::start([page(), page()]).await;
    for (server, more, code, expected) in [
        (gone.as_str(), &[][..], 1, "nothing answers at"),
        (&gone, &["--id", ok], 1, "nothing answers at"),
        (&other.url, &[], 1, "text/html"),
        (&other.url, &["--id", ok], 1, "instead of an event stream"),
        ("not a url", &[], 2, "--server"),
        (&gone, &["--id", "abc"], 2, "--id"),
        (&gone, &["--until", "("], 2, "--until"),
        (&gone, &["-n", "0"], 2, "--count"),
        (&gone, &["--timeout", "soon"], 2, "--timeout"),
    ] {
        let args = [&["watch", "--server", server], more].concat();
        let ended = Running::codechat(&args).end().await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(code), ""),
            "{args:?} {ended:?}"
        );
        assert!(ended.stderr.contains(expected), "{args:?} {ended:?}");
    }
}

#[tokio::test]
async fn a_server_that_starts_later_is_waited_for_if_requested() {
    let port = Port::keep();
    let (address, url) = (port.address.to_string(), port.url());
    let mut watcher = Running::codechat(["watch", "--server", &url, "--wait", "-n", "1"]);
    watcher.says("waiting for a server").await;
    let server = Serve::of(Running::codechat(["serve", "--listen", &address])).await;
    let (watcher, id) = opened(watcher).await;
    server.http.publish(&id, "x").await;
    assert_eq!(watcher.end().await.stdout, "x\n");
}

#[tokio::test]
async fn a_shell_pipeline_that_has_seen_enough_ends_at_once() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    for number in 0..500 {
        server
            .http
            .publish(&id, format!("{number} {}", "x".repeat(500)))
            .await;
    }
    let script = "\"$0\" watch --server \"$1\" --id \"$2\" | head -1; echo \"${PIPESTATUS[0]}\"";
    let mut shell = clean("bash");
    shell.args(["-c", script, CODECHAT, &server.url, &id]);
    let ended = Running::start(shell.stdout(Stdio::piped())).end();
    let more = async { server.http.publish(&id, "one more").await };
    let (ended, _) = tokio::join!(ended, more);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("0 x"), "{}", lines[0]);
    assert_eq!(lines[1..], ["0"], "{}", ended.stderr);
}

#[tokio::test]
async fn without_a_server_the_watcher_starts_its_own() {
    let port = Port::keep();
    let start = |words: &[&str]| {
        let mut command = codechat(words);
        command.env("CODECHAT_DEFAULT_PORT", port.address.port().to_string());
        Running::start(command.stdout(Stdio::piped()))
    };
    let mut watcher = start(&["watch", "-n", "1"]);
    watcher
        .says("so this watcher runs one until it exits")
        .await;
    let (watcher, id) = opened(watcher).await;
    let ended = start(&["send", "--id", &id, "hello"]).end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = watcher.end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "hello\n"));
    assert!(
        std::net::TcpStream::connect(port.address).is_err(),
        "it ends with the watcher"
    );
}

#[tokio::test]
async fn a_late_watcher_gets_a_note_about_older_messages_but_no_loss() {
    let server = Serve::start(&["--log-messages", "3"]).await;
    let id = server.http.connect().await;
    for text in ["1", "2", "3", "4"] {
        server.http.publish(&id, text).await;
    }
    let last = ["--outcome", "ok", "--operation", "import", "5"];
    server.sent(&id, &last).await;
    let words = [
        "watch",
        "--server",
        &server.url,
        "--id",
        &id,
        "--until-done",
        "--summary",
    ];
    let ended = Running::codechat(words).end().await;
    assert_eq!(ended.stdout, "3\n4\n5\n");
    for line in [
        "-- 2 older messages are no longer held --",
        "  not held     2 older messages, dropped before this watch began",
    ] {
        assert!(ended.stderr.contains(line), "{ended:?}");
    }
    assert!(!ended.stderr.contains("lost"), "{ended:?}");
}

#[tokio::test]
async fn a_second_watcher_reports_whose_the_server_is_and_its_end() {
    let port = Port::keep();
    let start = |words: &[&str]| {
        let mut command = codechat(words);
        command.env("CODECHAT_DEFAULT_PORT", port.address.port().to_string());
        Running::start(command.stdout(Stdio::piped()))
    };
    let (first, _) = opened(start(&["watch"])).await;
    let (second, _) = opened(start(&["watch"])).await;
    first.signal("TERM").await;
    first.end().await;
    let ended = second.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let reason = "ended by its owner, whose watch was the server; `codechat serve` starts one";
    assert!(ended.stderr.contains(reason), "{ended:?}");
    let mut third = start(&["watch"]);
    third.says("so this watcher runs one").await;
    let (third, _) = opened(third).await;
    let mut fourth = start(&["watch"]);
    fourth
        .says("the server is another watcher's, and ends with it")
        .await;
    drop(third);
}

#[tokio::test]
async fn a_hint_says_if_an_id_may_be_the_wrong_one() {
    let server = Serve::start(&[]).await;
    let mistyped = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
    let watch = |id: &str| Running::codechat(["watch", "--server", &server.url, "--id", id]);
    watch(mistyped)
        .says("nothing was published to this ID yet: is it the right one?")
        .await;
    let id = server.http.connect().await;
    server.http.publish(&id, "hello").await;
    let mut known = watch(&id);
    assert_eq!(known.line().await, "hello\n");
    server.http.stop(&id).await;
    let known = known.end().await;
    assert!(!known.stderr.contains("right one"), "{known:?}");
    let note = watch(&id).says("it ended at ").await;
    assert!(note.contains("(stopped); this is a new stream"), "{note}");
    // A new ID of one's own needs no such hint.
    let (own, own_id) = server.watch(&[]).await;
    server.http.stop(&own_id).await;
    let own = own.end().await;
    assert!(!own.stderr.contains("right one"), "{own:?}");
}
