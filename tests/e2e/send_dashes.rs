//! A message may begin with a dash, `-` alone is stdin, and a mistyped flag is not published.

use crate::support::process::{Running, Serve};

#[tokio::test]
async fn a_message_may_begin_with_a_dash_wherever_flags_stand() {
    let server = Serve::start(&[]).await;
    let (mut watch, id) = server.watch(&[]).await;
    for (words, text) in [
        (&["-5"][..], "-5"),
        (&["-5 files left"], "-5 files left"),
        (&["- item"], "- item"),
        (&["-", "item"], "- item"),
        (&["--dry-run failed", "--level", "warn"], "--dry-run failed"),
        (
            &["took", "-5", "--operation=a", "minutes"],
            "took -5 minutes",
        ),
        (&["--progress", "5/10", "-1.5 %"], "-1.5 %"),
    ] {
        server.sent(&id, words).await;
        assert_eq!(watch.line().await, format!("{text}\n"), "{words:?}");
    }
    let args = ["send", "--server", &server.url, "--all", "-5"];
    assert_eq!(Running::codechat(args).end().await.code, Some(0));
    assert_eq!(watch.line().await, "-5\n");
}

#[tokio::test]
async fn a_dash_alone_reads_stdin() {
    let server = Serve::start(&[]).await;
    let (mut watch, id) = server.watch(&[]).await;
    for more in [&["-"][..], &["--tee", "-"], &["-", "--level", "info"]] {
        let mut sender = server.send(&id, more);
        sender.write("one\n").await;
        assert_eq!(watch.line().await, "one\n");
        assert_eq!(sender.end().await.code, Some(0));
    }
    let ended = server.send(&id, &["--outcome", "ok", "-"]).end().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("stdin"), "{ended:?}");
}

#[tokio::test]
async fn a_mistyped_flag_is_not_published_and_the_tip_is_one_that_works() {
    let server = Serve::start(&[]).await;
    let (mut watch, id) = server.watch(&[]).await;
    for words in [
        &["--fast"][..],
        &["-x"],
        &["--progres=3/120", "hello"],
        &["--levl", "info", "-5"],
    ] {
        let ended = server.send(&id, words).end().await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(!ended.stderr.contains("-- --"), "{ended:?}");
        let tip = format!("codechat send -m {}", words[0].split('=').next().unwrap());
        assert!(ended.stderr.contains(&tip), "{ended:?}");
    }
    for (words, text) in [
        (&["-m", "--fast"][..], "--fast"),
        (&["--message=--dry-run was given"], "--dry-run was given"),
        (&["-m", "-5", "--level", "info"], "-5"),
        (&["--level", "info", "-m", "-"], "-"),
        (&["-m", "--", "--operation", "a"], "--"),
    ] {
        server.sent(&id, words).await;
        assert_eq!(watch.line().await, format!("{text}\n"), "{words:?}");
    }
}
