//! `codechat watch URL` with the event stream servers of other projects, directly and behind nginx: each event is
//! shown, exactly as it was sent, before the next is sent.

use serde_json::{Value, json};

use crate::support::{
    http::{Connection, Http},
    nginx::Nginx,
    peers::{Nchan, Peer, both_ways},
    process::{Running, Serve},
};

/// Asks for gzip, which a watcher does not do by default.
const GZIP: &str = "Accept-Encoding: gzip";

/// IDs in the forms that servers use.
const IDS: [&str; 6] = [
    "1",
    "urn:uuid:7f3c2a9e-5a0d-4a1c-9a57-2d7b1c6e8f40",
    r#"[{"topic":"eqiad.changes","partition":0,"offset":-1}]"#,
    "1795856818:0",
    "two words",
    "π-1",
];

/// Starts a watcher that writes JSON.
fn watch(url: &str, more: &[&str]) -> Running {
    Running::codechat([&["watch", url, "--format", "json"], more].concat())
}

/// Asserts that the next event shown is this one.
async fn shows(watcher: &mut Running, id: &str, event: &str, data: &str) {
    let line = watcher.line().await;
    let line: Value = serde_json::from_str(&line).unwrap();
    let shown = json!([line["id"], line["event"], line["data"]]);
    assert_eq!(shown, json!([id, event, data]), "{line}");
}

/// Publishes events of many forms, each after the previous one was shown.
async fn one_by_one(peer: &Peer, watcher: &mut Running) {
    for (number, id) in IDS.into_iter().enumerate() {
        let (event, data) = (format!("tick-{number}"), format!("{{\"number\":{number}}}"));
        peer.say(id, &event, &data).await;
        shows(watcher, id, &event, &data).await;
    }
}

/// Watches `/ticks` of a peer through this URL.
async fn events_come_one_by_one(peer: &mut Peer, url: &str, more: &[&str]) {
    for url in both_ways(url) {
        let mut watcher = watch(&format!("{url}/ticks"), more);
        let opened = peer.opened().await;
        assert!(opened.starts_with("/ticks"), "{opened}");
        one_by_one(peer, &mut watcher).await;
        watcher.signal("TERM").await;
        let ended = watcher.end().await;
        assert_eq!(ended.code, Some(143), "{ended:?}");
        assert!(!ended.stderr.contains("reconnect"), "{ended:?}");
    }
}

/// Returns the content coding of a server's `/ticks` for clients that accept gzip.
async fn coding(server: Http) -> Option<String> {
    let mut connection = Connection::open(server.address).await;
    connection.ask("GET", "/ticks", &[GZIP]).await;
    let head = connection.head().await;
    assert_eq!(head.status, 200, "{head:?}");
    head.header("content-encoding").map(Into::into)
}

#[tokio::test]
async fn events_of_sse_starlette_are_shown_as_they_arrive_between_its_pings() {
    let Some(mut peer) = Peer::sse_starlette("0.02").await else {
        return;
    };
    let url = peer.url.clone();
    events_come_one_by_one(&mut peer, &url, &[]).await;
    let mut watcher = watch(&format!("{url}/ticks"), &[]);
    peer.opened().await;
    peer.say("1", "lines", "one\ntwo\n\nfour").await;
    shows(&mut watcher, "1", "lines", "one\ntwo\n\nfour").await;
}

#[tokio::test]
async fn events_of_better_sse_are_shown_as_they_arrive() {
    let Some(mut peer) = Peer::better_sse().await else {
        return;
    };
    let url = peer.url.clone();
    events_come_one_by_one(&mut peer, &url, &[]).await;
}

#[tokio::test]
async fn events_of_nchan_are_shown_as_they_arrive() {
    let Some(nchan) = Nchan::start().await else {
        return;
    };
    let [one, other] = both_ways(&format!("{}/ticks", nchan.nginx.url));
    let mut watchers = [watch(&one, &[]), watch(&other, &[])];
    for data in ["one", "two\nlines", r#"{"number":3}"#] {
        let id = nchan.say("ticks", "tick", data).await;
        for watcher in &mut watchers {
            shows(watcher, &id, "tick", data).await;
        }
    }
}

#[tokio::test]
async fn each_event_compressed_by_express_is_shown_before_the_next_is_sent() {
    let Some(mut peer) = Peer::compression().await else {
        return;
    };
    let url = peer.url.clone();
    assert_eq!(coding(peer.http).await.as_deref(), Some("gzip"));
    assert_eq!(peer.opened().await, "/ticks gzip");
    events_come_one_by_one(&mut peer, &url, &["-H", GZIP]).await;
    let mut watcher = watch(&format!("{url}/ticks"), &[]);
    assert_eq!(peer.opened().await, "/ticks identity");
    one_by_one(&peer, &mut watcher).await;
}

#[tokio::test]
async fn each_event_compressed_by_nginx_is_shown_before_the_next_is_sent() {
    for mut peer in [Peer::better_sse().await, Peer::sse_starlette("0.5").await]
        .into_iter()
        .flatten()
    {
        let location = format!(
            "gzip_types text/event-stream;
            location / {{ proxy_pass {}; }}",
            peer.url
        );
        let Some(nginx) = Nginx::with(&location).await else {
            return;
        };
        assert_eq!(coding(nginx.http).await.as_deref(), Some("gzip"));
        peer.opened().await;
        events_come_one_by_one(&mut peer, &nginx.url, &["-H", GZIP]).await;
    }
}

#[tokio::test]
async fn events_arrive_at_once_through_nginx_with_debians_configuration() {
    // nginx buffers some KiB of other servers' answers; these turn that off by a header.
    for mut peer in [Peer::better_sse().await, Peer::sse_starlette("0.5").await]
        .into_iter()
        .flatten()
    {
        let location = format!("location / {{ proxy_pass {}; }}", peer.url);
        let Some(nginx) = Nginx::with(&location).await else {
            return;
        };
        events_come_one_by_one(&mut peer, &nginx.url, &[]).await;
    }
}

#[tokio::test]
async fn events_compressed_by_express_arrive_at_once_through_nginx_without_buffers() {
    let Some(mut peer) = Peer::compression().await else {
        return;
    };
    let location = format!(
        "location / {{ proxy_pass {}; proxy_buffering off; }}",
        peer.url
    );
    let Some(nginx) = Nginx::with(&location).await else {
        return;
    };
    events_come_one_by_one(&mut peer, &nginx.url, &["-H", GZIP]).await;
}

#[tokio::test]
async fn a_codechat_server_behind_nginx_is_watched_by_the_url_of_its_stream() {
    for more in ["", "gzip_types text/event-stream;"] {
        let server = Serve::start(&[]).await;
        let location = format!("{more} location / {{ proxy_pass {}; }}", server.url);
        let Some(nginx) = Nginx::with(&location).await else {
            return;
        };
        let id = server.http.connect().await;
        let url = format!("{}/api/v1/sse/debug/{id}", nginx.url);
        let mut watcher = watch(&url, &["-H", GZIP]);
        watcher.says("Starting server communication...").await;
        for text in ["one", "two", "three"] {
            let event = server.http.publish(&id, text).await;
            let line: Value = serde_json::from_str(&watcher.line().await).unwrap();
            assert_eq!(line["id"], event, "{line}");
            assert_eq!(line["message"], text, "{line}");
        }
        server.http.stop(&id).await;
        assert_eq!(watcher.end().await.code, Some(0));
    }
}

#[tokio::test]
async fn a_stream_that_ends_properly_ends_its_watcher_with_once() {
    for peer in [
        Peer::better_sse().await,
        Peer::sse_starlette("5").await,
        Peer::compression().await,
    ]
    .into_iter()
    .flatten()
    {
        for url in both_ways(&format!("{}/end", peer.url)) {
            for more in [&["--once"][..], &["--once", "-H", GZIP]] {
                let ended = watch(&url, more).end().await;
                assert_eq!(ended.code, Some(0), "{ended:?}");
                assert_eq!(ended.stdout.lines().count(), 3, "{ended:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_channel_of_nchan_that_is_deleted_ends_its_watcher_with_once() {
    let Some(nchan) = Nchan::start().await else {
        return;
    };
    let mut watcher = watch(&format!("{}/ticks", nchan.nginx.url), &["--once"]);
    let id = nchan.say("ticks", "tick", "one").await;
    shows(&mut watcher, &id, "tick", "one").await;
    nchan.end().await;
    let ended = watcher.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
}

#[tokio::test]
async fn a_stream_whose_server_is_killed_fails_its_watcher_with_once() {
    for mut peer in [
        Peer::better_sse().await,
        Peer::sse_starlette("5").await,
        Peer::compression().await,
    ]
    .into_iter()
    .flatten()
    {
        let [one, other] = both_ways(&format!("{}/ticks", peer.url));
        let more = ["--once", "-H", GZIP];
        let mut watchers = [watch(&one, &more), watch(&other, &more)];
        for _ in &watchers {
            peer.opened().await;
        }
        peer.say("1", "tick", "{}").await;
        for watcher in &mut watchers {
            shows(watcher, "1", "tick", "{}").await;
        }
        peer.kill().await;
        for watcher in watchers {
            let ended = watcher.end().await;
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(ended.stderr.contains("was cut"), "{ended:?}");
        }
    }
}
