use super::*;
use crate::{client::subscribe::ForeignEvent, event::Format};

fn event(name: &str, data: &str) -> Update {
    Update::Message(Box::new(Received {
        id: String::new(),
        event: name.to_owned().into(),
        time: None,
        message: Message::text(data),
        foreign: Some(Box::new(ForeignEvent {
            data: data.into(),
            received_at: 1,
            logger: None,
        })),
    }))
}

fn mapped(mapping: Mapping, name: &str, data: &str) -> Received {
    match Mapper::new(mapping).map(event(name, data)).0 {
        Update::Message(received) => *received,
        other => panic!("{other:?}"),
    }
}

fn read(name: &str, data: &str) -> Message {
    mapped(Mapping::default(), name, data).message
}

#[test]
fn the_text_is_the_first_member_that_has_one() {
    for (data, text) in [
        ("hello", "hello"),
        ("[1, 2]", "[1, 2]"),
        ("{ \"msg\": \"a\", \"text\": \"b\" }", "a"),
        ("{\"message\": 7, \"text\": \"b\"}", "b"),
        (
            "{\"error\": {\"message\": \"no\"}, \"detail\": \"d\"}",
            "no",
        ),
        ("{\"error.message\": \"flat\"}", "flat"),
        ("{\"error\": \"short\"}", "short"),
        ("{ \"a\": 1.0 }", "{\"a\":1.0}"),
        ("{\"a\": 1", "{\"a\": 1"),
    ] {
        assert_eq!(read("message", data).text, text, "{data}");
    }
}

#[test]
fn the_level_is_a_word_or_a_number_or_that_of_an_error() {
    for (name, data, level) in [
        ("message", r#"{"level":"WARNING"}"#, Some(Level::Warn)),
        (
            "message",
            r#"{"level":30,"severity":"error"}"#,
            Some(Level::Info),
        ),
        (
            "message",
            r#"{"level":"loud","severity":"debug"}"#,
            Some(Level::Debug),
        ),
        (
            "message",
            r#"{"log":{"level":"trace"}}"#,
            Some(Level::Trace),
        ),
        ("message", r#"{"log.level":"info"}"#, Some(Level::Info)),
        ("error", r#"{"level":"info"}"#, Some(Level::Info)),
        ("error", r#"{"a":1}"#, Some(Level::Error)),
        ("warning", r#"{"a":1}"#, Some(Level::Warn)),
        ("message", r#"{"error":{"code":7}}"#, Some(Level::Error)),
        ("error", "text", Some(Level::Error)),
        ("message", r#"{"@l":"Information"}"#, Some(Level::Info)),
        ("message", r#"{"error":0}"#, None),
        (
            "message",
            r#"{"level":"info","text":"\ud800"}"#,
            Some(Level::Info),
        ),
        ("message", r#"{"error":""}"#, None),
        ("message", r#"{"error":false}"#, None),
        ("message", r#"{"error":null}"#, None),
        ("message", "{}", None),
    ] {
        assert_eq!(read(name, data).level, level, "{name} {data}");
    }
}

#[test]
fn progress_is_an_object_a_count_or_a_percentage_but_not_a_number_alone() {
    let progress = |data: &str| {
        let progress = read("message", data).progress?;
        let unit = progress.unit().unwrap_or_default().to_owned();
        Some((progress.current(), progress.total(), unit))
    };
    let some = |current, total, unit: &str| Some((current, Some(total), unit.to_owned()));
    assert_eq!(
        progress(r#"{"progress":{"current":3,"total":9,"unit":"files"}}"#),
        some(3.0, 9.0, "files")
    );
    assert_eq!(progress(r#"{"completed":3,"total":9}"#), some(3.0, 9.0, ""));
    assert_eq!(progress(r#"{"pct":12.5}"#), some(12.5, 100.0, "%"));
    assert_eq!(progress(r#"{"progress":0.5}"#), None);
    assert_eq!(progress(r#"{"done":true,"total":9}"#), None);
}

#[test]
fn operation_outcome_time_and_logger_are_read() {
    let received = mapped(
        Mapping::default(),
        "step",
        r#"{"operation":"","job":"build","outcome":"failed","ts":1732262400,"logger":"app.db"}"#,
    );
    let message = &received.message;
    assert_eq!(message.operation.as_ref().unwrap().as_str(), "build");
    assert_eq!(message.outcome, Some(Outcome::Failed));
    assert_eq!(received.time, Some(1_732_262_400_000));
    let foreign = received.foreign.unwrap();
    assert_eq!(foreign.logger.as_deref(), Some("app.db"));
}

#[test]
fn a_pointer_has_priority_and_without_guesses_nothing_else_counts() {
    let data = r#"{"message":"m","level":"error","choices":[{"delta":{"content":"hi"}}]}"#;
    let message_at = vec![
        "/none".parse().unwrap(),
        "/choices/0/delta/content".parse().unwrap(),
    ];
    let mapping = Mapping {
        message_at,
        ..Mapping::default()
    };
    let message = mapped(mapping.clone(), "message", data).message;
    assert_eq!((&*message.text, message.level), ("hi", Some(Level::Error)));
    let mapping = Mapping {
        by_pointers_only: true,
        ..mapping
    };
    let message = mapped(mapping.clone(), "message", data).message;
    assert_eq!((&*message.text, message.level), ("hi", None));
    let other = r#"{ "message": "m" }"#;
    let message = mapped(mapping.clone(), "message", other).message;
    assert_eq!(message.text, r#"{"message":"m"}"#);
    let mapping = Mapping {
        is_off: true,
        ..mapping
    };
    assert_eq!(mapped(mapping, "message", data).message.text, data);
}

#[test]
fn a_pointer_without_a_match_is_reported_once() {
    let mapping = Mapping {
        message_at: vec!["/a/b".parse().unwrap()],
        ..Mapping::default()
    };
    let mut mapper = Mapper::new(mapping.clone());
    let notes: Vec<_> = (0..60)
        .filter_map(|_| mapper.map(event("message", "{}")).1)
        .collect();
    assert_eq!(
        notes,
        ["--message-at: none of the first 20 events has /a/b"]
    );
    let mut mapper = Mapper::new(mapping);
    mapper.map(event("message", r#"{"a":{"b":"c"}}"#));
    assert!((0..60).all(|_| mapper.map(event("message", "{}")).1.is_none()));
}

#[test]
fn events_with_other_names_count_as_heartbeats() {
    let mapping = Mapping {
        events: vec!["tick".into()],
        ..Mapping::default()
    };
    let mut mapper = Mapper::new(mapping);
    assert_eq!(mapper.map(event("tock", "x")).0, Update::Heartbeat);
    assert!(matches!(
        mapper.map(event("tick", "x")).0,
        Update::Message(_)
    ));
    let format = Format::Text;
    let connected = Update::Connected {
        format,
        is_codechat: false,
    };
    assert_eq!(mapper.map(connected.clone()).0, connected);
}
