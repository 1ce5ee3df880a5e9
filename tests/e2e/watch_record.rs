//! A recording is played back without a server, as the watch showed it.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use crate::support::process::{CODECHAT, Ended, Running, Scratch, Serve, clean};
use crate::support::terminal::Terminal;

/// Plays a recording without pauses, to its end.
async fn replayed(file: &Path, more: &[&str]) -> Ended {
    let file = file.to_str().unwrap();
    let args = [&["watch", "--speed", "max", "--replay", file], more].concat();
    Running::codechat(args).end().await
}

/// Three messages, 2 s in all, the last of which is a failure.
const RECORDING: &str = r#"{"atMillis":0,"event":"connected","format":"json"}
{"atMillis":1,"id":"1-1732262400123","time":"2024-11-22T08:00:00.123Z","message":"one"}
{"atMillis":1000,"id":"2-1732262401123","time":"2024-11-22T08:00:01.123Z","message":"two","level":"error"}
{"atMillis":2000,"id":"3-1732262402123","time":"2024-11-22T08:00:02.123Z","message":"three","outcome":"failed"}
"#;

#[tokio::test]
async fn a_recording_shows_the_same_messages_and_the_same_end() {
    let server = Serve::start(&["--log-messages", "2"]).await;
    let scratch = Scratch::new();
    let file = scratch.path("record");
    let id = server.http.connect().await;
    for text in ["1", "2", "two\nlines"] {
        server.http.publish(&id, text).await;
    }
    let goals = ["--until-done", "--format", "json"];
    let record = ["--id", &id, "--record", file.to_str().unwrap()];
    let (watcher, _) = server.watch(&[&record[..], &goals].concat()).await;
    let end = [
        "--operation",
        "a",
        "--progress",
        "3/3",
        "--outcome",
        "failed",
        "end",
    ];
    server.sent(&id, &end).await;
    let shown = watcher.end().await;
    let again = replayed(&file, &goals).await;
    assert_eq!((shown.code, again.code), (Some(3), Some(3)));
    assert_eq!(again.stdout, shown.stdout);
    assert_eq!(again.stdout.lines().count(), 4, "a gap and three messages");
    assert!(
        again
            .stderr
            .contains("-- 1 older message is no longer held --"),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_recording_can_be_shown_with_other_options() {
    let scratch = Scratch::new();
    let file = scratch.path("record");
    std::fs::write(&file, RECORDING).unwrap();
    for (options, code, stdout) in [
        (&[][..], 0, "one\ntwo\nthree\n"),
        (&["-n", "1"], 0, "one\n"),
        (&["--until", "^t"], 0, "one\ntwo\n"),
        (&["--fail-on", "error"], 3, "one\ntwo\n"),
        (&["--until-done"], 3, "one\ntwo\nthree\n"),
    ] {
        let ended = replayed(&file, options).await;
        let shown = (ended.code, ended.stdout.as_str());
        assert_eq!(shown, (Some(code), stdout), "{options:?} {ended:?}");
    }
    let ended = replayed(&file, &["--summary"]).await;
    for line in [
        "-- the recording ends here, 2 s after its start --",
        "codechat: failed, 3 messages in 2 s",
        "  levels       1 error, 2 without a level",
        "  longest wait 1 s after \"one\"",
        "  first error  \"two\", after 1 s",
    ] {
        assert!(
            ended.stderr.lines().any(|it| it == line),
            "{line}: {ended:?}"
        );
    }
}

#[tokio::test]
async fn a_recording_keeps_its_pauses_unless_it_is_played_faster() {
    let scratch = Scratch::new();
    let file = scratch.path("record");
    std::fs::write(&file, RECORDING).unwrap();
    for (speed, least) in [("1", 2000), ("4", 500)] {
        let start = Instant::now();
        let args = [
            "watch",
            "--replay",
            file.to_str().unwrap(),
            "--speed",
            speed,
        ];
        assert_eq!(Running::codechat(args).end().await.code, Some(0));
        assert!(start.elapsed() >= Duration::from_millis(least), "{speed}");
    }
    for wrong in ["0", "-1", "fast", "inf", "nan"] {
        let args = [
            "watch",
            "--replay",
            file.to_str().unwrap(),
            "--speed",
            wrong,
        ];
        let ended = Running::codechat(args).end().await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("or max"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_truncated_recording_is_shown_up_to_its_end() {
    let scratch = Scratch::new();
    let file = scratch.path("record");
    let third = RECORDING.match_indices('\n').nth(2).unwrap().0;
    std::fs::write(&file, &RECORDING[..third - 10]).unwrap();
    let ended = replayed(&file, &[]).await;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "one\n"));
    assert_eq!(
        ended.stderr,
        "-- the recording is cut off in the middle of line 3, 0 s after its start --\n"
    );
}

#[tokio::test]
async fn an_invalid_recording_is_reported_with_its_line() {
    let scratch = Scratch::new();
    let file = scratch.path("record");
    let first = RECORDING.split_inclusive('\n').next().unwrap();
    for line in ["hello\n", "{\"atMillis\":1}\n", "\n", "\u{fffd}{}\n"] {
        std::fs::write(&file, format!("{first}{line}{RECORDING}")).unwrap();
        let ended = replayed(&file, &[]).await;
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended:?}");
        assert!(ended.stderr.contains("line 2 of "), "{ended:?}");
    }
    let ended = replayed(&scratch.path("nothing"), &[]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("nothing: no such file"), "{ended:?}");
}

#[tokio::test]
async fn an_existing_recording_is_not_overwritten() {
    let server = Serve::start(&[]).await;
    let scratch = Scratch::new();
    let file = scratch.path("record");
    std::fs::write(&file, RECORDING).unwrap();
    let record = ["watch", "--server", &server.url, "--record"];
    let args = [&record[..], &[file.to_str().unwrap()]].concat();
    let ended = Running::codechat(args).end().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("name another file"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), RECORDING);
}

#[tokio::test]
async fn a_killed_watch_has_recorded_everything_that_it_showed() {
    let server = Serve::start(&[]).await;
    let scratch = Scratch::new();
    let file = scratch.path("record");
    let record = ["--record", file.to_str().unwrap()];
    let (mut watcher, id) = server.watch(&record).await;
    for text in ["one", "two"] {
        server.http.publish(&id, text).await;
        assert_eq!(watcher.line().await, format!("{text}\n"));
    }
    watcher.signal("KILL").await;
    assert_eq!(watcher.end().await.code, None);
    assert_eq!(replayed(&file, &[]).await.stdout, "one\ntwo\n");
}

#[tokio::test]
async fn if_stderr_is_stdout_its_lines_keep_their_places() {
    let scratch = Scratch::new();
    let file = scratch.path("record");
    std::fs::write(&file, RECORDING).unwrap();
    let script = "\"$0\" watch --speed max --replay \"$1\" 2>&1";
    let mut shell = clean("sh");
    shell.args(["-c", script, CODECHAT, file.to_str().unwrap()]);
    let ended = Running::start(shell.stdout(Stdio::piped())).end().await;
    assert_eq!(
        ended.stdout,
        "one\ntwo\nthree\n-- the recording ends here, 2 s after its start --\n"
    );
}

#[tokio::test]
async fn a_recording_has_the_same_summary_at_every_speed_as_lines_and_in_the_pane() {
    let scratch = Scratch::new();
    let file = scratch.path("record");
    std::fs::write(&file, RECORDING).unwrap();
    let file = file.to_str().unwrap();
    let summary = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim_end);
        let lines = lines.skip_while(|it| !it.starts_with("codechat: failed, 3 messages in 2 s"));
        lines.map(Into::into).collect()
    };
    let mut summaries = Vec::new();
    for speed in ["max", "40x", "1000"] {
        let words = ["watch", "--summary", "--replay", file, "--speed", speed];
        let ended = Running::codechat(words).end().await;
        summaries.push(summary(&ended.stderr));
        let words = [&[CODECHAT], &words[..]].concat();
        let mut terminal = Terminal::start(&words, (100, 24));
        terminal.shows("00:02 of 00:02").await;
        terminal.shows("the recording ends here").await;
        // The time of the recording, in this machine's time zone.
        let recorded = jiff::Timestamp::from_millisecond(1_732_262_402_123).unwrap();
        let recorded = recorded.to_zoned(jiff::tz::TimeZone::system());
        terminal
            .shows(
                &recorded
                    .strftime("%H:%M:%S.122 -- the recording ends")
                    .to_string(),
            )
            .await;
        terminal.keys("q");
        let (code, screen) = terminal.end().await;
        assert_eq!(code, 0, "{screen}");
        summaries.push(summary(&screen));
    }
    assert!(summaries[0].len() > 3, "{summaries:?}");
    for other in &summaries {
        assert_eq!(other, &summaries[0]);
    }
}

#[tokio::test]
async fn messages_that_were_saved_can_be_shown_again() {
    let server = Serve::start(&[]).await;
    let scratch = Scratch::new();
    let saved = scratch.path("saved.ndjson");
    let (watcher, id) = server.watch(&["--format", "json", "--until-done"]).await;
    server.sent(&id, &["--level", "warn", "one"]).await;
    server.sent(&id, &["--outcome", "ok", "two"]).await;
    std::fs::write(&saved, watcher.end().await.stdout).unwrap();
    let ended = replayed(&saved, &["--until-done"]).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "one\ntwo\n"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn flags_without_meaning_for_a_recording_are_refused() {
    for flag in [
        &["--id", "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b"][..],
        &["--tail", "3"],
        &["--wait"],
        &["--", "true"],
    ] {
        let words = [&["watch", "--replay", "file"][..], flag].concat();
        let ended = Running::codechat(words).end().await;
        assert_eq!(ended.code, Some(2), "{flag:?}");
        assert!(ended.stderr.contains("cannot be used with"), "{ended:?}");
    }
}
