//! The mapping of other servers' events, their output in every format, and recordings that can be mapped again.

use serde_json::Value;

use crate::support::{
    process::{Running, Scratch},
    scripted::{Reply, Scripted},
};

/// Events in the forms of a language model's answer, a wiki's changes, a push service and a log.
const EVENTS: &str = concat!(
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n",
    "event: message\nid: [{\"topic\":\"eqiad\",\"offset\":12345678901234567890}]\n",
    "data: {\"$schema\":\"/mediawiki/1\",\"title\":\"Ü\",\"bot\":false}\n\n",
    "event: open\ndata: {\"time\":1732262400,\"event\":\"open\",\"topic\":\"t\"}\n\n",
    "event: log\nid: urn:uuid:1\ndata: { \"@t\": \"2024-11-22T08:00:00Z\", \"@l\": \"Warning\",\ndata:   \"@m\": \"disk low\", \"logger\": \"app.db\" }\n\n",
    "event: end\ndata: plain text\n\n",
);

async fn read(flags: &[&str]) -> String {
    let server = Scripted::start([Reply::stream(EVENTS)]).await;
    let words = ["watch", "--once", &server.url];
    let ended = Running::codechat([&words, flags].concat()).end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

#[tokio::test]
async fn the_text_of_each_event_is_extracted() {
    let text = read(&["--message-at", "/choices/0/delta/content"]).await;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "Hel",
            "{\"$schema\":\"/mediawiki/1\",\"title\":\"Ü\",\"bot\":false}",
            "{\"time\":1732262400,\"event\":\"open\",\"topic\":\"t\"}",
            "disk low",
            "plain text"
        ]
    );
    let raw = read(&["--format", "raw", "--message-at", "/title"]).await;
    assert!(raw.starts_with("{\"id\":\"c1\",\"choices\":"), "{raw}");
    assert!(raw.contains("\"Warning\",\n  \"@m\""), "{raw}");
}

#[tokio::test]
async fn json_output_has_the_extracted_fields_and_the_exact_data() {
    let text = read(&["--format", "json"]).await;
    let objects: Vec<Value> = text
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let known = |at: usize, members: &[&str]| {
        let object = objects[at].as_object().unwrap();
        assert!(object["receivedAt"].as_str().unwrap().ends_with('Z'));
        let mut names: Vec<_> = object.keys().map(String::as_str).collect();
        names.retain(|it| *it != "receivedAt");
        assert_eq!(names, members, "{object:?}");
    };
    known(0, &["data", "json", "message"]);
    known(1, &["data", "id", "json", "message"]);
    known(2, &["data", "event", "id", "json", "message", "time"]);
    known(
        3,
        &["data", "event", "id", "json", "level", "message", "time"],
    );
    known(4, &["data", "event", "id", "message"]);
    let id = "[{\"topic\":\"eqiad\",\"offset\":12345678901234567890}]";
    assert_eq!(objects[1]["id"], id);
    assert_eq!(objects[3]["level"], "warn");
    assert_eq!(objects[3]["time"], "2024-11-22T08:00:00.000Z");
    assert_eq!(objects[3]["json"]["logger"], "app.db");
    assert_eq!(objects[4]["event"], "end");
    let data = "{ \"@t\": \"2024-11-22T08:00:00Z\", \"@l\": \"Warning\",\n  \"@m\": \"disk low\", \"logger\": \"app.db\" }";
    assert_eq!(objects[3]["data"], data);
}

#[tokio::test]
async fn a_recording_can_be_mapped_again_with_other_flags() {
    let scratch = Scratch::new();
    let record = scratch.path("record");
    let record = record.to_str().unwrap();
    let shown = read(&["--record", record, "--event", "log", "--format", "json"]).await;
    assert_eq!(
        shown.lines().count(),
        1,
        "the others are recorded, not shown"
    );
    let replay = async |flags: &[&str]| {
        let words = ["watch", "--replay", record, "--speed", "max"];
        let ended = Running::codechat([&words, flags].concat()).end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    };
    assert_eq!(replay(&["--event", "log", "--format", "json"]).await, shown);
    let titles = replay(&["--message-at", "/title", "--no-guess"]).await;
    assert_eq!(titles.lines().nth(1), Some("Ü"));
    assert_eq!(titles.lines().count(), 5);
    // The output of --format json is mapped again too.
    let written = scratch.path("written");
    std::fs::write(&written, replay(&["--format", "json"]).await).unwrap();
    let words = [
        "watch",
        "--speed",
        "max",
        "--replay",
        written.to_str().unwrap(),
    ];
    let ended = Running::codechat([&words[..], &["--message-at", "/title"]].concat())
        .end()
        .await;
    assert_eq!(ended.stdout.lines().nth(1), Some("Ü"), "{ended:?}");
}

#[tokio::test]
async fn goals_count_shown_events_and_the_cursor_follows_all() {
    let replies = [
        Reply::stream(
            "retry: 0\nid: 1\nevent: tick\ndata: {\"msg\":\"a\",\"level\":50}\n\nid: 2\nevent: tock\ndata: b\n\n",
        ),
        Reply::stream("id: 3\nevent: tick\ndata: {\"error\":\"no\"}\n\n").hold(),
    ];
    let mut server = Scripted::start(replies.clone()).await;
    let words = ["watch", "--event", "tick", "-n", "2", &server.url];
    let ended = Running::codechat(words).end().await;
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(0), "a\nno\n"),
        "{ended:?}"
    );
    assert_eq!(server.asked().await.header("last-event-id"), None);
    assert_eq!(server.asked().await.header("last-event-id"), Some("2"));
    let server = Scripted::start(replies).await;
    let words = ["watch", "--fail-on", "error", &server.url];
    let ended = Running::codechat(words).end().await;
    assert_eq!((ended.code, &*ended.stdout), (Some(3), "a\n"), "{ended:?}");
}

#[tokio::test]
async fn last_event_id_is_sent_as_a_header() {
    let mut server = Scripted::start([Reply::stream("data: a\n\n")]).await;
    let words = ["watch", "--once", "--last-event-id", "urn:7", &server.url];
    assert_eq!(Running::codechat(words).end().await.code, Some(0));
    assert_eq!(server.asked().await.header("last-event-id"), Some("urn:7"));
}

#[tokio::test]
async fn a_pointer_without_a_match_is_reported_once() {
    let events = "data: {\"a\":1}\n\n".repeat(50);
    let server = Scripted::start([Reply::stream(events)]).await;
    let words = ["watch", "--once", "--message-at", "/b", &server.url];
    let ended = Running::codechat(words).end().await;
    assert_eq!(ended.stdout, "{\"a\":1}\n".repeat(50));
    let expected = "-- --message-at: none of the first 20 events has /b --";
    assert_eq!(ended.stderr.matches(expected).count(), 1, "{ended:?}");
}
