//! A line without an end, or one that overwrites itself, is shown while `send` continues to read.

use std::ops::RangeInclusive;

use crate::support::process::Serve;

#[tokio::test]
async fn an_unfinished_line_is_shown_while_stdin_stays_open() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    let mut sender = server.send(&id, &["--tee"]);
    sender.write("one\nWorking... ").await;
    assert_eq!(watcher.line().await, "one\n");
    assert_eq!(watcher.line().await, "Working... \n");
    sender.write("done\nnext\n").await;
    assert_eq!(watcher.line().await, "done\n");
    assert_eq!(watcher.line().await, "next\n");
    let ended = sender.end().await;
    let copied = "one\nWorking... done\nnext\n";
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), copied));
}

#[tokio::test]
async fn an_overwritten_line_is_shown_in_its_first_and_last_version_and_few_between() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    let mut sender = server.send(&id, &[]);
    sender.write("0 %\r").await;
    assert_eq!(watcher.line().await, "0 %\n");
    // All at once, so that no second passes in between.
    let versions = |range: RangeInclusive<u32>| range.map(|it| format!("\r{it} %"));
    sender.write(versions(1..=40).collect::<String>()).await;
    assert_eq!(
        watcher.line().await,
        "40 %\n",
        "the newest is shown even if nothing follows"
    );
    let rest: String = versions(41..=100).collect();
    sender.write(rest + "\nfinished\n").await;
    assert_eq!(watcher.line().await, "100 %\n");
    assert_eq!(watcher.line().await, "finished\n");
    assert_eq!(sender.end().await.code, Some(0));
}
