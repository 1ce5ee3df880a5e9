//! With a codechat server nothing is shown twice, and none of the server's own messages is lost.

use codechat::internal::{
    client::subscribe::{SubscribeOptions, Update},
    event::{End, Format, Gap},
};
use futures_util::StreamExt;

use crate::support::{
    feed::{feed, next, texts, updates_of},
    scripted::{Reply, Scripted},
    soon,
};

fn frame(id: &str, text: &str) -> String {
    format!("id: {id}\nevent: debug\ndata: {text}\n\n")
}

fn json_frame(id: &str, text: &str, system: bool) -> String {
    let system = if system { r#","system":true"# } else { "" };
    frame(
        id,
        &format!(r#"{{"id":"{id}","message":"{text}"{system}}}"#),
    )
}

#[tokio::test]
async fn only_codechat_servers_send_gaps_and_the_end() {
    let stream = "id: 3-5\nevent: gap\ndata: {\"from\":1,\"to\":3,\"missed\":3}\n\n\
        id: 3-5\nevent: end\ndata: idle\n\nid: 4-6\ndata: after\n\n";
    let server = Scripted::start([Reply::codechat("text", stream)]).await;
    let mut own = feed(&server.url, SubscribeOptions::default());
    let connected = Update::Connected {
        format: Format::Text,
        is_codechat: true,
    };
    assert_eq!(next(&mut own).await, connected);
    assert_eq!(
        next(&mut own).await,
        Update::Gap(Gap::BeforeJoining { to: 3 })
    );
    assert_eq!(next(&mut own).await, Update::End(End::Idle));
    assert!(soon(own.next()).await.is_none());
    let updates = updates_of([Reply::stream(stream)], SubscribeOptions::default()).await;
    assert_eq!(texts(&updates).len(), 3, "{updates:?}");
}

#[tokio::test]
async fn repeats_are_dropped_and_the_servers_own_messages_are_not() {
    let json = || SubscribeOptions::new().format(Format::Json);
    let streams = [
        [
            json_frame("0-10", "Starting server communication...", true),
            json_frame("1-8", "a", false),
            json_frame("2-11", "b", false),
            json_frame("2-11", "Server shutting down...", true),
        ],
        [
            json_frame("1-8", "a", false),
            json_frame("2-11", "b", false),
            json_frame("3-12", "c", false),
            json_frame("3-12", "c", false),
        ],
    ];
    let replies = streams.map(|it| Reply::codechat("json", it.concat()));
    let updates = updates_of(replies, json()).await;
    let (hello, bye) = (
        "Starting server communication...",
        "Server shutting down...",
    );
    assert_eq!(texts(&updates), [hello, "a", "b", bye, "c"]);
}

#[tokio::test]
async fn in_text_the_servers_own_messages_are_recognised_by_their_place() {
    let streams = [
        [
            frame("0-10", "Starting server communication..."),
            frame("1-8", "Starting server communication..."),
            frame("2-9", "Server shutting down..."),
            frame("2-9", "Server shutting down..."),
        ],
        [
            frame("1-8", "Starting server communication..."),
            frame("2-9", "repeated"),
            frame("3-9", "c"),
            frame("3-9", "c"),
        ],
    ];
    let replies = streams.map(|it| Reply::codechat("text", it.concat()));
    let updates = updates_of(replies, SubscribeOptions::default()).await;
    let own = updates.iter().filter_map(|update| match update {
        Update::Message(it) => Some((it.id.as_str(), it.message.system)),
        _ => None,
    });
    let expected = [
        ("0-10", true),
        ("1-8", false),
        ("2-9", false),
        ("2-9", true),
        ("3-9", false),
    ];
    assert_eq!(own.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_restarted_servers_new_numbers_are_no_repeats() {
    let before = [
        frame("0-10", "hello"),
        frame("1-11", "a"),
        frame("2-12", "b"),
    ]
    .concat();
    let with_gap = [
        "id: 0-20\nevent: gap\ndata: {\"missed\":null}\n\n".to_owned(),
        frame("1-5", "c, by a clock that was set back"),
    ];
    let without = [frame("1-30", "d"), frame("2-31", "e"), frame("1-30", "d")].concat();
    let streams = [before, with_gap.concat(), without];
    let replies = streams.map(|it| Reply::codechat("text", it));
    let updates = updates_of(replies, SubscribeOptions::default()).await;
    assert!(updates.contains(&Update::Gap(Gap::Unknown)));
    assert_eq!(
        texts(&updates),
        [
            "hello",
            "a",
            "b",
            "c, by a clock that was set back",
            "d",
            "e"
        ]
    );
}

#[tokio::test]
async fn invalid_json_is_shown_as_text() {
    let stream = [frame("1-1", "{not json"), json_frame("2-2", "fine", false)].concat();
    let updates = updates_of(
        [Reply::codechat("json", stream)],
        SubscribeOptions::default(),
    )
    .await;
    assert_eq!(texts(&updates), ["{not json", "fine"]);
    let Update::Message(message) = &updates[1] else {
        panic!("{updates:?}");
    };
    assert_eq!(
        (message.time, message.message.text.as_str()),
        (Some(1), "{not json")
    );
}
