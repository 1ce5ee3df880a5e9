//! Interrupted streams of other servers: `codechat watch URL` reports each cut once and continues after the last ID;
//! nothing is repeated, and nothing is lost that the server has kept.

use serde_json::Value;

use crate::support::{
    cutter::Cutter,
    nginx::Nginx,
    peers::{Nchan, Peer, both_ways},
    process::{Running, Serve},
};

const CUTS: usize = 10;
/// The beginning of each report.
const REPORT: &str = "the connection was cut after ";

fn watch(url: &str) -> Running {
    Running::codechat(["watch", &format!("{url}/ticks"), "--format", "json"])
}

async fn next_data(watcher: &mut Running) -> Value {
    let line: Value = serde_json::from_str(&watcher.line().await).unwrap();
    line["data"].clone()
}

/// Waits until a watcher reports a cut and its age, which may be a little more or less on a busy machine.
async fn reports_an_age_of_3_s(watcher: &mut Running) {
    let line = watcher.says(REPORT).await;
    let (_, age) = line.split_once(REPORT).unwrap();
    let seconds: u32 = age.split_once(" s").unwrap().0.parse().unwrap();
    assert!((2..6).contains(&seconds), "{line}");
}

/// Asserts that a watcher shows nothing more, and reports no other cut.
async fn has_shown_all(watcher: Running) {
    watcher.signal("TERM").await;
    let ended = watcher.end().await;
    assert_eq!(ended.stdout, "");
    assert!(!ended.stderr.contains(REPORT), "{ended:?}");
}

#[tokio::test]
async fn ten_cuts_of_a_better_sse_stream_lose_and_repeat_nothing() {
    let Some(mut peer) = Peer::better_sse().await else {
        return;
    };
    let mut cutter = Cutter::start(peer.http.address, vec![]).await;
    for url in both_ways(&cutter.url) {
        let mut watcher = watch(&url);
        cutter.accepted().await;
        assert_eq!(peer.opened().await, "/ticks ");
        for cut in 0..CUTS {
            // One of the possible forms of the ID, which has to be sent as UTF-8.
            let [seen, missed] = ["seen", "missed"].map(|it| format!("[{cut}] π {it} {url}"));
            peer.say(&seen, "tick", "\"seen\"").await;
            assert_eq!(next_data(&mut watcher).await, "\"seen\"");
            cutter.reset().await;
            peer.say(&missed, "tick", "\"missed\"").await;
            watcher.says(REPORT).await;
            cutter.accepted().await;
            assert_eq!(peer.opened().await, format!("/ticks {seen}"));
            assert_eq!(next_data(&mut watcher).await, "\"missed\"");
        }
        has_shown_all(watcher).await;
    }
}

#[tokio::test]
async fn ten_cuts_of_an_nchan_stream_lose_and_repeat_nothing() {
    for way in 0..2 {
        let Some(nchan) = Nchan::start().await else {
            return;
        };
        let mut cutter = Cutter::start(nchan.nginx.http.address, vec![]).await;
        let mut watcher = watch(&both_ways(&cutter.url)[way]);
        for cut in 0..CUTS {
            cutter.accepted().await;
            let [seen, missed] = ["seen", "missed"].map(|it| format!("{it} {cut}"));
            nchan.say("ticks", "tick", &seen).await;
            assert_eq!(next_data(&mut watcher).await, seen);
            cutter.reset().await;
            nchan.say("ticks", "tick", &missed).await;
            watcher.says(REPORT).await;
            assert_eq!(next_data(&mut watcher).await, missed);
        }
        has_shown_all(watcher).await;
    }
}

#[tokio::test]
async fn a_stream_that_nginx_closes_is_resumed_and_its_age_is_shown() {
    let Some(mut peer) = Peer::better_sse().await else {
        return;
    };
    let location = format!(
        "location / {{ proxy_pass {}; proxy_read_timeout 3s; }}",
        peer.url
    );
    let Some(nginx) = Nginx::with(&location).await else {
        return;
    };
    let mut watcher = watch(&nginx.url);
    assert_eq!(peer.opened().await, "/ticks ");
    peer.say("before", "tick", "1").await;
    assert_eq!(next_data(&mut watcher).await, "1");
    reports_an_age_of_3_s(&mut watcher).await;
    assert_eq!(peer.opened().await, "/ticks before");
    peer.say("after", "tick", "2").await;
    assert_eq!(next_data(&mut watcher).await, "2");
}

#[tokio::test]
async fn a_codechat_stream_that_nginx_times_out_loses_and_repeats_nothing() {
    let server = Serve::start(&[]).await;
    let location = format!(
        "location / {{ proxy_pass {}; proxy_read_timeout 3s; }}",
        server.url
    );
    let Some(nginx) = Nginx::with(&location).await else {
        return;
    };
    let id = server.http.connect().await;
    let url = format!("{}/api/v1/sse/debug/{id}", nginx.url);
    let mut watcher = Running::codechat(["watch", &url]);
    watcher.says("Starting server communication...").await;
    for text in ["one", "two"] {
        server.http.publish(&id, text).await;
        assert_eq!(watcher.line().await, format!("{text}\n"));
        reports_an_age_of_3_s(&mut watcher).await;
    }
    server.http.publish(&id, "three").await;
    assert_eq!(watcher.line().await, "three\n");
    server.http.stop(&id).await;
    let ended = watcher.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "");
}
