//! The verdicts of the model.

use super::*;
use crate::message::{Level, Outcome};
use crate::{client::subscribe::Received, event::Format};

const NOW: Duration = Duration::ZERO;

fn message(message: Message) -> Update {
    Update::Message(Box::new(Received {
        id: String::new(),
        event: "debug".into(),
        time: None,
        message,
        foreign: None,
    }))
}

fn text(text: &str) -> Update {
    message(Message::text(text))
}

#[test]
fn a_watch_ends_at_its_count_without_the_servers_own_messages() {
    let mut model = Model::new(Goals {
        count: Some(2),
        ..Goals::default()
    });
    assert_eq!(
        model.update(&message(Message::system(None, "hello")), NOW),
        None
    );
    assert_eq!(model.update(&text("a"), NOW), None);
    assert_eq!(model.update(&text("b"), NOW), Some(Verdict::Done));
    assert_eq!(model.received(), 2);
}

#[test]
fn an_outcome_decides_how_a_watch_until_done_ends() {
    for (outcome, verdict) in [
        (Outcome::Ok, Verdict::Done),
        (Outcome::Failed, Verdict::Failed),
        (Outcome::Cancelled, Verdict::Failed),
    ] {
        let mut model = Model::new(Goals {
            until_done: true,
            ..Goals::default()
        });
        assert_eq!(model.update(&text("working"), NOW), None);
        let done = Message {
            outcome: Some(outcome),
            ..Message::default()
        };
        assert_eq!(model.update(&message(done), NOW), Some(verdict));
    }
}

#[test]
fn an_operation_whose_publisher_is_lost_has_failed() {
    let lost = |operation: Option<&str>| {
        message(Message {
            operation: operation.map(|it| it.parse().unwrap()),
            ..Message::system(Some(Level::Error), "Publisher disconnected")
        })
    };
    let model = |until_done| {
        Model::new(Goals {
            until_done,
            ..Goals::default()
        })
    };
    let build = Some("build");
    assert_eq!(model(true).update(&lost(build), NOW), Some(Verdict::Failed));
    assert_eq!(
        model(true).update(&lost(None), NOW),
        None,
        "another may go on"
    );
    assert_eq!(model(false).update(&lost(build), NOW), None);
}

#[test]
fn failing_on_a_level_means_that_level_or_worse() {
    let goals = || Goals {
        fail_on: Some("warn".parse().unwrap()),
        ..Goals::default()
    };
    for (level, verdict) in [
        (Level::Info, None),
        (Level::Warn, Some(Verdict::Alarm)),
        (Level::Error, Some(Verdict::Alarm)),
    ] {
        let levelled = Message {
            level: Some(level),
            ..Message::text("x")
        };
        assert_eq!(Model::new(goals()).update(&message(levelled), NOW), verdict);
    }
    let fail_on: Matcher = "pan+ic".parse().unwrap();
    assert!(fail_on.matches(&Message::text("it pannnics")));
}

#[test]
fn with_a_command_a_failure_ends_nothing_until_the_end_unless_requested() {
    let model = |stop_on: Option<&str>| {
        Model::new(Goals {
            fail_on: Some("warn".parse().unwrap()),
            goes_on: true,
            stop_on: stop_on.map(|it| it.parse().unwrap()),
            ..Goals::default()
        })
    };
    let at = |level, text| {
        message(Message {
            level: Some(level),
            ..Message::text(text)
        })
    };
    let mut goes_on = model(None);
    assert_eq!(goes_on.update(&at(Level::Warn, "first"), NOW), None);
    assert_eq!(goes_on.update(&at(Level::Error, "second"), NOW), None);
    assert_eq!(goes_on.failure(), Some("\"first\""));
    let mut stops = model(Some("error"));
    assert_eq!(stops.update(&at(Level::Warn, "first"), NOW), None);
    let verdict = stops.update(&at(Level::Error, "second"), NOW);
    assert_eq!(verdict, Some(Verdict::Alarm));
}

#[test]
fn a_pattern_is_searched_for_in_the_shown_text_line_by_line() {
    for (wanted, said) in [
        (
            "error: disk full",
            "\x1b[1m\x1b[31merror\x1b[0m\x1b[1m: disk full\x1b[0m",
        ),
        ("^DONE$", "DONE\n"),
        ("^DONE$", "DONE\r\n"),
        ("^DONE$", "\x1b[32mDONE\x1b[0m\r"),
        ("^second$", "first\nsecond\nthird"),
    ] {
        let until = Some(pattern(wanted).unwrap());
        let mut model = Model::new(Goals {
            until,
            ..Goals::default()
        });
        let verdict = model.update(&text(said), NOW);
        assert_eq!(verdict, Some(Verdict::Done), "{said:?}");
        let fail_on: Matcher = wanted.parse().unwrap();
        assert!(fail_on.matches(&Message::text(said)), "{said:?}");
    }
}

#[test]
fn the_servers_own_messages_are_no_failure_but_its_errors_are() {
    let fails = |fail_on: &str, message| {
        let fail_on = Some(fail_on.parse().unwrap());
        Model::new(Goals {
            fail_on,
            ..Goals::default()
        })
        .update(&message, NOW)
    };
    let greeting = message(Message::system(None, "Starting server communication..."));
    assert_eq!(fails("server", greeting), None);
    let lost = message(Message::system(
        Some(Level::Error),
        "Publisher disconnected",
    ));
    assert_eq!(fails("error", lost), Some(Verdict::Alarm));
}

#[test]
fn a_failure_has_priority_over_the_count() {
    let goals = Goals {
        count: Some(1),
        fail_on: Some("bad".parse().unwrap()),
        ..Goals::default()
    };
    let mut model = Model::new(goals);
    assert_eq!(model.update(&text("bad"), NOW), Some(Verdict::Alarm));
    assert_eq!(model.received(), 1);
}

#[test]
fn quiet_time_counts_from_the_last_message_or_the_connection() {
    let seconds = Duration::from_secs;
    let format = Format::Json;
    let mut model = Model::default();
    assert_eq!(model.quiet(seconds(1)), None);
    model.update(
        &Update::Connected {
            format,
            is_codechat: true,
        },
        seconds(1),
    );
    assert_eq!(model.quiet(seconds(3)), Some(seconds(2)));
    model.update(&text("a"), seconds(3));
    let farewell = Message::system(None, "Server shutting down...");
    model.update(&message(farewell), seconds(4));
    assert_eq!(model.quiet(seconds(5)), Some(seconds(2)));
    let lost = Update::Retrying {
        attempt: 1,
        delay: NOW,
        reason: "".into(),
    };
    model.update(&lost, seconds(6));
    assert_eq!(model.quiet(seconds(9)), None);
    model.update(
        &Update::Connected {
            format,
            is_codechat: true,
        },
        seconds(9),
    );
    assert_eq!(model.quiet(seconds(9)), Some(NOW));
}

#[test]
fn an_outcome_that_can_no_longer_come_is_a_failure() {
    for end in [
        Update::End(End::Idle),
        Update::End(End::Stopped),
        Update::Gone,
    ] {
        let mut model = Model::new(Goals {
            until_done: true,
            ..Goals::default()
        });
        assert_eq!(model.update(&end, NOW), Some(Verdict::Failed), "{end:?}");
    }
    let mut model = Model::new(Goals {
        until_done: true,
        stay: true,
        ..Goals::default()
    });
    let idle = Update::End(End::Idle);
    assert_eq!(model.update(&idle, NOW), None);
    model.stay_no_longer();
    assert_eq!(model.update(&idle, NOW), Some(Verdict::Failed));
}

#[test]
fn losses_are_counted_and_a_watch_can_continue_after_an_idle_end() {
    let mut model = Model::new(Goals {
        stay: true,
        ..Goals::default()
    });
    assert_eq!(
        model.update(&Update::Gap(Gap::Known { from: 3, to: 5 }), NOW),
        None
    );
    assert_eq!(model.lost(), 3);
    assert_eq!(model.update(&Update::End(End::Idle), NOW), None);
    assert_eq!(
        model.update(&Update::End(End::Stopped), NOW),
        Some(Verdict::Done)
    );
}
