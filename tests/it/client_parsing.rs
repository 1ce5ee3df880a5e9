//! The stream of any server is parsed as WHATWG HTML 9.2.6 says, however its bytes are split.

use codechat::internal::client::subscribe::{SubscribeOptions, Update};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::support::{
    feed::{failure, feed, is_retrying, until},
    scripted::{Reply, Scripted},
};

/// An event: its name, its last event ID, its data.
pub(crate) type Read = (String, String, String);

/// Parses as the standard says, sentence by sentence.
pub(crate) fn by_the_book(bytes: &[u8]) -> Vec<Read> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let (mut name, mut id, mut data) = (String::new(), String::new(), String::new());
    for line in text.split_inclusive('\n') {
        let Some(line) = line.strip_suffix('\n') else {
            break;
        };
        if line.is_empty() {
            if data.is_empty() {
                name.clear();
                continue;
            }
            data.pop();
            let kind = if name.is_empty() { "message" } else { &name };
            events.push((kind.into(), id.clone(), std::mem::take(&mut data)));
            name.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => name = value.into(),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "id" if !value.contains('\0') => id = value.into(),
            _ => {}
        }
    }
    events
}

/// Returns the events of a stream that arrives in these pieces: the HTTP library passes them on one by one, the direct
/// path to this machine joins them.
async fn by_the_feed(pieces: &[&[u8]]) -> Vec<Read> {
    let reply = Reply::pieces(pieces.iter().copied());
    let server = Scripted::start([reply.clone(), reply]).await;
    let events = all_events(&server.roundabout_url()).await;
    assert_eq!(all_events(&server.url).await, events);
    events
}

/// Returns the events of a server's only reply.
async fn all_events(url: &str) -> Vec<Read> {
    let mut feed = feed(url, SubscribeOptions::default());
    let updates = until(&mut feed, is_retrying).await;
    let Some(Update::Retrying { reason, .. }) = updates.last() else {
        unreachable!();
    };
    let ended = "the server ended the stream after ";
    assert!(reason.starts_with(ended), "{reason}");
    let event = |update: &Update| match update {
        Update::Message(it) => Some((
            it.event.clone().into_owned(),
            it.id.clone(),
            it.message.text.clone(),
        )),
        _ => None,
    };
    updates.iter().filter_map(event).collect()
}

/// Reads a stream whole and byte by byte, and checks both against the standard.
async fn read(stream: impl AsRef<[u8]>) -> Vec<Read> {
    let stream = stream.as_ref();
    let events = by_the_feed(&[stream]).await;
    assert_eq!(events, by_the_book(stream));
    let bytes: Vec<_> = stream.chunks(1).collect();
    assert_eq!(by_the_feed(&bytes).await, events, "cut into bytes");
    events
}

fn event(name: &str, id: &str, data: &str) -> Read {
    (name.into(), id.into(), data.into())
}

fn message(data: &str) -> Read {
    event("message", "", data)
}

#[tokio::test]
async fn invalid_utf_8_becomes_replacement_characters() {
    let events =
        read(b"data: a\xff\xe2\x82b\xf0\x9f\x98\x80\n\nid: \xc3\ndata: \xc3\xa4\n\n").await;
    let expected = [
        message("a\u{fffd}\u{fffd}b\u{1f600}"),
        event("message", "\u{fffd}", "ä"),
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn blocks_of_unknown_fields_are_ignored() {
    let events = read("foo: bar\n\ncomment: no\n\ndata : x\n\nDATA: x\n\ndata: a\nbaz\n\n").await;
    assert_eq!(events, [message("a")]);
}

#[tokio::test]
async fn an_invalid_retry_is_ignored() {
    let events = read("retry: soon\n\nretry: -1\n\nretry\n\nretry: +5\ndata: a\n\n").await;
    assert_eq!(events, [message("a")]);
}

#[tokio::test]
async fn one_byte_order_mark_at_the_start_is_dropped() {
    assert_eq!(read("\u{feff}data: a\n\n").await, [message("a")]);
    assert_eq!(
        read("\u{feff}\u{feff}data: a\n\ndata: b\n\n").await,
        [message("b")]
    );
    assert_eq!(read("data: a\n\n\u{feff}data: b\n\n").await, [message("a")]);
}

#[tokio::test]
async fn every_kind_of_line_end_ends_a_line() {
    let events = read("data: a\r\n\r\ndata: b\r\rdata: c\n\ndata: d\r\n\ndata: e\r\n\r").await;
    assert_eq!(events, ["a", "b", "c", "d", "e"].map(message));
}

#[tokio::test]
async fn data_without_a_colon_or_a_value_is_an_empty_line() {
    let events = read("data\n\ndata:\n\ndata\ndata\n\n").await;
    assert_eq!(events, ["", "", "\n"].map(message));
}

#[tokio::test]
async fn only_one_leading_space_is_dropped() {
    let events = read("data:  a \n\ndata:\tb\n\ndata:c: d\n\n").await;
    assert_eq!(events, [" a ", "\tb", "c: d"].map(message));
}

#[tokio::test]
async fn an_id_lasts_until_the_next_and_one_with_nul_is_ignored() {
    let events = read("id: 1\ndata: a\n\ndata: b\n\nid: 2\0\ndata: c\n\nid\ndata: d\n\n").await;
    let expected = [
        event("message", "1", "a"),
        event("message", "1", "b"),
        event("message", "1", "c"),
        event("message", "", "d"),
    ];
    assert_eq!(events, expected);
    assert_eq!(read("id: \0\n\ndata: a\n\n").await, [message("a")]);
}

#[tokio::test]
async fn an_event_without_data_is_dropped_but_its_id_lasts() {
    let events = read("event: x\nid: 5\n\ndata: a\n\n").await;
    assert_eq!(events, [event("message", "5", "a")]);
}

#[tokio::test]
async fn an_empty_event_name_is_message_even_after_another() {
    let events = read("event: x\nevent:\ndata: a\n\nevent\n\ndata: b\nevent: gap\n\n").await;
    assert_eq!(events, [message("a"), event("gap", "", "b")]);
}

#[tokio::test]
async fn fields_may_come_in_any_order() {
    let events = read("data: a\nid: 1\ndata: b\nevent: x\n: c\nid: 2\n\n").await;
    assert_eq!(events, [event("x", "2", "a\nb")]);
}

#[tokio::test]
async fn an_incomplete_event_is_dropped() {
    assert_eq!(read("data: a\n\ndata: b\nid: 7\n").await, [message("a")]);
    assert_eq!(read("data: a\n\ndata: b").await, [message("a")]);
}

#[tokio::test]
async fn plain_events_and_others_keep_their_order_and_their_ids() {
    let events = read(
        b"id: 1\nevent: x\ndata: a\n\ndata: b\ndata: b\n\ndata: c\n\n:run\n\nid: 2\ndata: d\n\n\
         data\nevent: y\n\nevent:\ndata: e\n\nid\ndata: f\n\nretry: 5\ndata: g\n\ndata: \xff\n\n",
    )
    .await;
    let expected = [
        event("x", "1", "a"),
        event("message", "1", "b\nb"),
        event("message", "1", "c"),
        event("message", "2", "d"),
        event("y", "2", ""),
        event("message", "2", "e"),
        message("f"),
        message("g"),
        message("\u{fffd}"),
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn very_many_comments_are_skipped() {
    let events = read([":\n".repeat(20_000), "data: a\n\n".into()].concat()).await;
    assert_eq!(events, [message("a")]);
}

#[tokio::test]
async fn an_endless_line_is_a_clear_error() {
    let line = ["data: a\n\ndata: ", &"x".repeat(65 << 20)].concat();
    let server = Scripted::start([Reply::stream(line)]).await;
    let mut feed = feed(&server.url, SubscribeOptions::default());
    let updates = until(&mut feed, |it| matches!(it, Update::Message(_))).await;
    assert_eq!(crate::support::feed::texts(&updates), ["a"]);
    let error = failure(&mut feed).await.to_string();
    assert!(error.contains("longer than 64 MiB"), "{error}");
}

/// Generates pieces of streams, valid and invalid.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "data",
        "event",
        "id",
        "retry",
        "comment",
        ":",
        ": ",
        " ",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\0",
        "\u{feff}",
        "data: ",
        "data: x\n\n",
        "id: 1",
        "event: e\n",
        "retry: 10\n",
        ": c\n",
        "ü",
        "\u{1f600}",
        "7",
        "event:\n",
        "id\n",
        "id: 3\nevent: e\ndata: plain\n\n",
        "data: plain\nid:4\n\n",
        "event: end\ndata: plain\n\n",
        ":run\n",
    ];
    prop_oneof![
        8 => proptest::sample::select(known.map(|it| it.as_bytes().to_vec()).to_vec()),
        1 => "[^\r\n]{0,20}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..8),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_in_any_pieces_are_read_as_the_standard_says(
        mark in any::<bool>(),
        fragments in vec(fragment(), 0..60),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let mut stream = if mark { b"\xEF\xBB\xBF".to_vec() } else { Vec::new() };
        stream.extend(fragments.concat());
        let mut cuts: Vec<_> = cuts.iter().map(|it| it.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|it| &stream[it[0]..it[1]]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let events = runtime.block_on(by_the_feed(&pieces));
        prop_assert_eq!(events, by_the_book(&stream));
    }
}
