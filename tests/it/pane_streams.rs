//! The pane on servers that are not codechat's: how it describes the connection, and which keys it lists.

use codechat::internal::{
    client::subscribe::Update,
    event::Format,
    watch::pane::{state::WatchedStream, update::Effect},
};

use crate::support::drawn::Drawn;

fn stream(method: &str) -> WatchedStream {
    WatchedStream {
        method: method.into(),
        url: "https://example.org/v2/stream".into(),
        may_repeat: method == "GET",
        is_unverified: false,
    }
}

#[test]
fn a_stream_is_named_by_its_method_and_url_in_as_many_words_as_fit() {
    let first_row = |width, stream| Drawn::of_stream(width, 24, stream).rows().swap_remove(0);
    let wide = first_row(100, stream("POST"));
    assert!(
        wide.ends_with("POST https://example.org/v2/stream"),
        "{wide}"
    );
    let narrow = first_row(40, stream("POST"));
    assert!(narrow.ends_with("POST example.org/v2/stream"), "{narrow}");
    let unverified = WatchedStream {
        is_unverified: true,
        ..stream("GET")
    };
    let wide = first_row(100, unverified.clone());
    assert!(wide.contains("TLS not verified · GET https://"), "{wide}");
    let narrow = first_row(30, unverified);
    assert!(narrow.ends_with("TLS not verified"), "{narrow}");
}

#[test]
fn an_empty_stream_shows_that_and_its_notes() {
    let mut drawn = Drawn::of_stream(80, 24, stream("GET"));
    assert!(drawn.shows("GET https://example.org/v2/stream"));
    assert!(drawn.shows("Nothing has come yet; what this stream sends is shown here."));
    assert!(!drawn.shows("ID"), "{:?}", drawn.rows());
    drawn.update(Update::Note("no answer yet".into()));
    assert!(drawn.shows("-- no answer yet --"));
}

#[test]
fn only_keys_with_an_effect_are_listed() {
    let listed = |drawn: &mut Drawn, what: &str| {
        drawn.keys("?");
        let is_listed = drawn.shows(what);
        drawn.keys("q");
        is_listed
    };
    let mut get = Drawn::of_stream(120, 60, stream("GET"));
    let mut post = Drawn::of_stream(120, 60, stream("POST"));
    let mut original = Drawn::new(120, 60);
    let mut codechat = Drawn::new(120, 60);
    original.update(Update::Connected {
        format: Format::Text,
        is_codechat: false,
    });
    for (what, of) in [
        ("reconnect now", [true, false, true, true]),
        ("ask publishers", [false, false, false, true]),
        ("copy the client ID", [false, false, true, true]),
        ("copy the last event ID", [true, true, false, false]),
        ("web page", [false, false, false, true]),
    ] {
        let all = [&mut get, &mut post, &mut original, &mut codechat];
        assert_eq!(all.map(|it| listed(it, what)), of, "{what}");
    }
}

#[test]
fn a_key_without_an_effect_says_why() {
    let mut post = Drawn::of_stream(120, 24, stream("POST"));
    for (key, why) in [
        (
            "D",
            "this server takes no control requests; codechat serve does",
        ),
        (
            "x",
            "this server takes no control requests; codechat serve does",
        ),
        ("I", "there is no client ID to send along"),
        ("i", "no event had an ID yet"),
        ("o", "this server has no web page; codechat serve does"),
        (
            "r",
            "this request is not sent again, since that may do its work twice",
        ),
    ] {
        assert!(post.keys(key).effects.is_empty(), "{key}");
        assert!(post.shows(why), "{key}: {:?}", post.rows().last());
    }
}

#[test]
fn an_event_is_shown_after_its_name_or_logger_and_its_id_is_copied() {
    let mut drawn = Drawn::of_stream(120, 24, stream("GET"));
    drawn.event("urn:1", "tick", "{\"msg\":\"a\",\"level\":\"error\"}");
    drawn.event("urn:2", "tick", "{\"msg\":\"b\",\"logger\":\"app.db\"}");
    drawn.event("urn:3", "message", "plain");
    assert!(
        drawn.shows("tick   a") && drawn.shows("app.db b"),
        "{:?}",
        drawn.rows()
    );
    assert!(drawn.shows("received 3 · 1 error"));
    drawn.keys("i");
    let [Effect::Copy { text, .. }] = &drawn.effects[..] else {
        panic!("{:?}", drawn.effects);
    };
    assert_eq!(text, "urn:3");
    let saved = String::from_utf8(drawn.screen.all_as_ndjson()).unwrap();
    let first = saved.lines().next().unwrap();
    assert!(
        first.contains(r#""json":{"msg":"a","level":"error"}"#),
        "{first}"
    );
    assert!(
        first.contains(r#""receivedAt":"2024-11-22T08:00:00.000Z","id":"urn:1","event":"tick""#),
        "{first}"
    );
}
