//! A minute of silence: streams of other servers with no events, or only pings, stay open.

use std::time::Duration;

use crate::support::{
    original::Original,
    peers::{Nchan, Peer, both_ways},
    process::{Running, Scratch},
};

/// The silence, plus the delays of a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Watches a stream whose only event comes after a minute.
async fn one_stream_lasts(mut peer: Peer) {
    let urls = both_ways(&format!("{}/quiet?for=60", peer.url));
    let watchers = urls.map(|url| Running::codechat(["watch", &url, "-n", "1"]));
    for _ in &watchers {
        assert_eq!(peer.opened().await, "/quiet ");
    }
    for watcher in watchers {
        let ended = watcher.end_within(PATIENCE).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains("after the silence"), "{ended:?}");
    }
    assert_eq!(peer.kill().await, "", "no other stream is opened");
}

#[tokio::test]
async fn a_minute_of_silence_opens_no_second_stream() {
    const ID: &str = "9c2f0a77-42d1-4be5-8a3e-6f1d0c9b8a75";
    let peers = (Peer::sse_starlette("2").await, Peer::better_sse().await);
    let ((Some(pinging), Some(silent)), Some(nchan), Some(mut original)) =
        (peers, Nchan::start().await, Original::start(0).await)
    else {
        return;
    };
    let pinged = Running::codechat(["watch", &format!("{}/quiet", nchan.nginx.url), "-n", "1"]);
    let scratch = Scratch::new();
    let flags = original.flags(&scratch);
    let flags = flags.iter().map(String::as_str);
    let words = ["watch", "--id", ID, "-n", "1"].into_iter().chain(flags);
    let watcher = Running::codechat(words);
    assert_eq!(original.process.line().await, format!("stream {ID}\n"));
    // The other streams have been open as long during that minute.
    tokio::join!(one_stream_lasts(pinging), one_stream_lasts(silent));
    nchan.say("quiet", "message", "after the silence").await;
    original.say(ID, "debug", "after-the-silence").await;
    let ended = pinged.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "after the silence\n");
    assert!(!ended.stderr.contains("reconnect"), "{ended:?}");
    let ended = watcher.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "after-the-silence\n");
    original.process.signal("KILL").await;
    let opened = original.process.end().await.stdout;
    assert!(!opened.contains("stream"), "{opened}");
}
