//! `codechat` with a server of the original protocol: connect, client ID, stream, greeting, messages, the header on
//! requests, stop, and the features that this server lacks.

use serde_json::Value;

use crate::support::original::Original;
use crate::support::process::{Running, Scratch};
use crate::support::program::are_here;

/// A minute, in milliseconds: longer than a test takes.
const MINUTE: u32 = 60_000;

fn codechat(verb: &str, flags: &[String], more: &[&str]) -> Running {
    let flags = flags.iter().map(String::as_str);
    Running::codechat([verb].into_iter().chain(flags).chain(more.iter().copied()))
}

#[tokio::test]
async fn a_request_is_watched_from_connect_to_stop() {
    if !are_here(&["curl"]) {
        return;
    }
    let Some(mut server) = Original::start(MINUTE).await else {
        return;
    };
    let scratch = Scratch::new();
    let url = format!("{}/refresh", server.url);
    let job = [
        "--until",
        "finished",
        "--",
        "curl",
        "-sS",
        "-H",
        "Sse-Client-ID: {id}",
        &url,
    ];
    let ended = codechat("watch", &server.flags(&scratch), &job).end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "refreshed");
    let (_, rest) = ended.stderr.split_once("client ID ").unwrap();
    let (id, hint) = rest.split_once("; ").unwrap();
    assert!(
        hint.starts_with("send it in the header Sse-Client-ID of your requests\n"),
        "{hint}"
    );
    for line in [
        "-- Starting server communication... --\n",
        "\nRefreshing repository demo\n",
        "\nRefresh finished\n",
    ] {
        assert!(ended.stderr.contains(line), "{ended:?}");
    }
    assert_eq!(server.process.line().await, format!("stream {id}\n"));
    assert_eq!(server.process.line().await, format!("stopped {id}\n"));
}

#[tokio::test]
async fn a_stream_that_the_server_ends_is_resumed_and_its_age_is_shown() {
    let Some(server) = Original::start(3000).await else {
        return;
    };
    let scratch = Scratch::new();
    let mut watcher = codechat("watch", &server.flags(&scratch), &["--format", "json"]);
    watcher.says("the server ended the stream after ").await;
    watcher
        .says("-- reconnected; this server keeps no messages, some may be missing --")
        .await;
    watcher
        .says("s; in Spring: new SseEmitter(0L), or spring.mvc.async.request-timeout=-1")
        .await;
    assert_eq!(
        watcher.line().await,
        "{\"event\":\"gap\",\"missed\":null}\n"
    );
    watcher.signal("TERM").await;
    assert_eq!(watcher.end().await.code, Some(143));
}

#[tokio::test]
async fn an_event_of_any_name_is_a_message() {
    const ID: &str = "0b9d1c52-7e0f-4f0c-9d6a-3c1e5b7a9f24";
    let Some(mut server) = Original::start(MINUTE).await else {
        return;
    };
    let scratch = Scratch::new();
    let more = ["--id", ID, "--format", "json", "-n", "3"];
    let mut watcher = codechat("watch", &server.flags(&scratch), &more);
    assert_eq!(server.process.line().await, format!("stream {ID}\n"));
    for (number, name) in ["gap", "end", "control"].into_iter().enumerate() {
        server.say(ID, name, &format!("number-{number}")).await;
        let line: Value = serde_json::from_str(&watcher.line().await).unwrap();
        assert_eq!(line["message"], format!("number-{number}"), "{line}");
        assert_eq!(line["event"], name, "{line}");
    }
    assert_eq!(watcher.end().await.code, Some(0));
}

#[tokio::test]
async fn features_that_the_original_lacks_are_reported_as_missing() {
    const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
    let Some(server) = Original::start(MINUTE).await else {
        return;
    };
    let scratch = Scratch::new();
    let flags = server.flags(&scratch);
    let marker = scratch.path("marker");
    let touch = ["--id", ID, "--", "touch", marker.to_str().unwrap()];
    for words in [&["--id", ID, "hello"][..], &touch] {
        let ended = codechat("send", &flags, words).end().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let expected =
            "takes no messages: in the original protocol only the server's own code publishes";
        assert!(ended.stderr.contains(expected), "{ended:?}");
    }
    assert!(!marker.exists(), "the command is not run");
    let ended = codechat("watch", &flags, &["--id", ID, "--cancel"])
        .end()
        .await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expected = "this server takes no control requests; codechat serve does";
    assert!(ended.stderr.contains(expected), "{ended:?}");
}
