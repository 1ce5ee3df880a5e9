//! The effects of each key of the pane; those that move are in `pane_moving.rs`.

use codechat::internal::{
    client::subscribe::Update,
    control::{Cancel, Change, ControlRequest},
    event::{End, Gap},
    message::{Level, Message, Outcome},
    terminal::safe_text::Colour,
    watch::{
        model::{Goals, Model, Verdict},
        pane::{
            draw::theme::{Background, Theme},
            keys::{Key, TABLE},
            state::{Leave, Others, PaneOptions, Screen, Watched},
            update::{Effect, Msg},
        },
    },
};

use crate::support::drawn::Drawn;

fn of_lines(count: usize) -> Drawn {
    let mut drawn = Drawn::new(80, 24);
    drawn.lines(count);
    drawn
}

fn of_operation(name: &str, text: &str) -> Message {
    Message::text(text).operation(name)
}

fn copied(drawn: &Drawn) -> &str {
    match &drawn.effects[..] {
        [Effect::Copy { text, .. }] => text,
        other => panic!("nothing was copied, but {other:?}"),
    }
}

#[test]
fn enter_draws_a_ruler_or_opens_the_message() {
    let mut drawn = of_lines(3);
    drawn.keys("<Enter>");
    assert!(drawn.shows("── 08:00:00.300 ──"));
    drawn.keys("kk<Enter>");
    assert!(drawn.shows("message    line 2"), "{:#?}", drawn.rows());
    drawn.keys("y");
    assert_eq!(copied(&drawn), "line 2");
    drawn.keys("<Esc>");
    assert!(!drawn.shows("message    line"));
}

#[test]
fn times_are_shown_in_four_ways() {
    let mut drawn = of_lines(3);
    let third = |drawn: &Drawn| drawn.rows()[5].trim().to_owned();
    assert_eq!(third(&drawn), "08:00:00.300 line 3");
    for shown in [
        "+0.300 line 3",
        "+0.100 line 3",
        "line 3",
        "08:00:00.300 line 3",
    ] {
        drawn.keys("t");
        assert_eq!(third(&drawn), shown);
    }
}

#[test]
fn each_copy_key_copies_its_text() {
    let mut drawn = of_lines(3);
    drawn.text("line \x1b[31mred\x1b[0m").keys("y");
    assert_eq!(copied(&drawn), "line red");
    drawn.keys("ky");
    assert_eq!(copied(&drawn), "line 3");
    drawn.keys("ttt&2<Enter>Y");
    assert_eq!(
        copied(&drawn),
        "-- Starting server communication... --\nline 2\n"
    );
    drawn.keys("i");
    assert_eq!(copied(&drawn), "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b");
    drawn.keys("I");
    assert!(copied(&drawn).starts_with("curl -H 'Sse-Client-ID: 3f2b8c1e-"));
    drawn.keys("o");
    let page = "http://127.0.0.1:2428/#3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
    assert_eq!(copied(&drawn), page);
    assert!(drawn.shows(&format!("copied {page}")));
}

#[test]
fn a_copy_that_is_too_large_is_cut_with_a_notice() {
    let mut drawn = Drawn::new(80, 24);
    drawn.text(&"ü".repeat(600_000)).keys("y");
    assert_eq!(copied(&drawn).len(), 1 << 20);
    assert!(drawn.shows("copied the first 1048576 of 1200000 bytes"));
}

#[test]
fn shown_messages_are_saved_as_text_and_all_messages_as_ndjson() {
    let mut drawn = of_lines(2);
    drawn.say(of_operation("import", "two\nlines\x07").outcome(Outcome::Failed));
    drawn.keys("&!line 1<Enter>ttts<Enter>");
    let [Effect::Save(path, bytes)] = &drawn.effects[..] else {
        panic!("{:?}", drawn.effects)
    };
    assert_eq!(path.to_str().unwrap(), "codechat-3f2b8c1e.txt");
    assert_eq!(
        std::str::from_utf8(bytes).unwrap(),
        "-- Starting server communication... --\nline 2\nimport: two\nlines␇\n"
    );
    drawn.keys("S<Backspace>x<Enter>");
    let [Effect::Save(path, bytes)] = &drawn.effects[..] else {
        panic!("{:?}", drawn.effects)
    };
    assert_eq!(path.to_str().unwrap(), "codechat-3f2b8c1e.ndjsox");
    let lines: Vec<serde_json::Value> = std::str::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[1]["message"], "line 1");
    assert_eq!(lines[3]["message"], "two\nlines\u{7}");
    assert_eq!(lines[3]["outcome"], "failed");
    assert_eq!(lines[3]["id"], "3-1732262400200");
}

#[test]
fn keys_that_need_a_server_do_nothing_in_a_recording() {
    let mut drawn = of_lines(1);
    let options = PaneOptions {
        target: Watched::default(),
        colour: Colour::Keep,
        recording: Some(codechat::internal::watch::replay::Recording {
            speed: codechat::internal::watch::replay::Speed::ORIGINAL,
            length: None,
        }),
        began: 0,
        utc_offset: 0,
    };
    drawn.screen = Screen::new(options, Model::default(), 80, 24);
    assert!(drawn.shows("? help") && !drawn.shows("copy the ID"));
    for key in ["D", "x", "r", "i", "I"] {
        drawn.keys(key);
        assert!(
            drawn.effects.is_empty() && drawn.shows("a recording "),
            "{key}"
        );
    }
}

#[test]
fn a_loss_of_unknown_size_is_not_shown_as_0() {
    let mut drawn = of_lines(1);
    assert!(drawn.shows("lost 0"));
    drawn.update(Update::Gap(Gap::Unknown));
    assert!(drawn.shows("lost ?"));
    drawn.update(Update::Gap(Gap::Known { from: 2, to: 4 }));
    assert!(drawn.shows("lost 3+?"));
}

#[test]
fn a_mark_in_focus_has_its_own_symbol() {
    let mut drawn = of_lines(2);
    drawn.keys("pm");
    assert!(drawn.rows().iter().any(|it| it.starts_with('◈')));
    drawn.keys("k");
    assert!(drawn.rows().iter().any(|it| it.starts_with('◆')));
}

#[test]
fn control_requests_are_sent_and_a_cancel_is_confirmed_first() {
    let mut drawn = Drawn::new(80, 24);
    drawn.say(of_operation("import", "line 1"));
    let level = |level| [Effect::Control(ControlRequest::new().level(level))];
    drawn.keys("D");
    assert_eq!(drawn.effects, level(Change::Set(Level::Debug)));
    drawn.keys("D");
    assert_eq!(drawn.effects, level(Change::Clear));
    drawn.keys("x");
    assert!(drawn.effects.is_empty() && drawn.shows("cancel import?"));
    drawn.keys("n");
    assert!(drawn.effects.is_empty() && drawn.shows("nobody was asked"));
    drawn.keys("xy");
    let cancel = |name: Option<&str>| {
        let mut cancel = Cancel::new();
        cancel.operation = name.map(|it| it.parse().unwrap());
        let request = ControlRequest::new().cancel(Change::Set(cancel));
        [Effect::Control(request)]
    };
    assert_eq!(drawn.effects, cancel(Some("import")));
    drawn.say(of_operation("export", "line 2"));
    drawn.keys("xy");
    assert_eq!(
        drawn.effects,
        cancel(None),
        "it is not known which one is meant"
    );
    drawn.keys("kxy");
    assert_eq!(drawn.effects, cancel(Some("import")), "the one in focus");
}

#[test]
fn an_ended_stream_stays_on_screen() {
    let mut drawn = of_lines(3);
    drawn.keys("r");
    assert_eq!(drawn.effects, [Effect::Reconnect]);
    drawn.update(Update::End(End::Stopped));
    assert!(drawn.effects.is_empty() && drawn.shows("■ ended") && drawn.shows("line 3"));
    drawn.keys("r");
    assert!(drawn.effects.is_empty() && drawn.shows("the stream has ended"));
    assert_eq!(
        drawn.screen.wake(std::time::Duration::from_secs(9)),
        None,
        "no clock runs any more"
    );
}

#[test]
fn an_idle_end_is_shown_and_the_stream_opened_again() {
    let mut drawn = of_lines(3);
    drawn.update(Update::End(End::Idle));
    assert!(drawn.effects.is_empty());
    assert!(drawn.shows("connecting") && drawn.shows("nothing happened for the idle timeout"));
}

#[test]
fn a_goal_that_is_reached_leaves_the_pane() {
    let theme = Theme::new(Background::Auto, None, true, false);
    for (outcome, verdict) in [
        (Outcome::Ok, Verdict::Done),
        (Outcome::Failed, Verdict::Failed),
    ] {
        let goals = Goals {
            until_done: true,
            ..Goals::default()
        };
        let mut drawn = Drawn::with(80, 24, theme, goals);
        drawn.say(Message::default().outcome(outcome));
        assert_eq!(drawn.effects, [Effect::Leave(Leave::Over(verdict))]);
    }
}

#[test]
fn the_pane_can_be_left_in_three_ways_and_suspended() {
    let mut drawn = of_lines(3);
    for (keys, effect) in [
        ("q", Effect::Leave(Leave::Quit)),
        ("Q", Effect::Leave(Leave::Printing)),
        ("<F2>", Effect::Mouse(true)),
        ("<F2>", Effect::Mouse(false)),
    ] {
        drawn.keys(keys);
        assert_eq!(drawn.effects, [effect]);
    }
    // These work in every mode.
    for mode in ["", "/x", "<Esc>?", "<Esc>k<Enter>", "<Esc>x"] {
        drawn.keys(mode);
        drawn.happen(Msg::Key(Key::ctrl('z')));
        assert_eq!(drawn.effects, [Effect::Suspend], "{mode}");
        drawn.happen(Msg::Key(Key::ctrl('c')));
        assert_eq!(drawn.effects, [Effect::Leave(Leave::Now)], "{mode}");
    }
}

#[test]
fn leaving_others_without_a_server_is_confirmed_once() {
    let others = Others {
        watchers: 1,
        here: 1,
        publishers: 2,
    };
    let mut drawn = of_lines(3);
    drawn.screen.set_others(others);
    drawn.keys("q");
    assert_eq!(drawn.effects, []);
    let question = "2 publishers and 1 watcher use the server in this watch; quit?";
    assert!(drawn.shows(question), "{:?}", drawn.rows());
    assert!(drawn.shows("2 watch · "), "{:?}", drawn.rows());
    drawn.keys("n");
    assert_eq!(drawn.effects, []);
    assert!(!drawn.shows(question));
    drawn.keys("qy");
    assert_eq!(drawn.effects, [Effect::Leave(Leave::Quit)]);
    drawn.happen(Msg::Key(Key::ctrl('c')));
    assert_eq!(drawn.effects, []);
    drawn.happen(Msg::Key(Key::ctrl('c')));
    assert_eq!(drawn.effects, [Effect::Leave(Leave::Now)], "asked once");
    let mut narrow = Drawn::new(40, 10);
    narrow.lines(3);
    narrow.screen.set_others(others);
    narrow.keys("q");
    assert!(
        narrow.shows("y/n: 2 publishers and 1 watcher"),
        "{:?}",
        narrow.rows()
    );
}

#[test]
fn help_opens_scrolls_and_closes() {
    let mut drawn = Drawn::new(80, 10);
    drawn.lines(3).keys("?");
    let first = TABLE[0].label();
    assert!(drawn.shows(&first));
    drawn.keys("jj");
    assert!(!drawn.shows(&first));
    drawn.keys("q");
    assert!(drawn.shows("line 3"), "q closes the help, not the pane");
}

#[test]
fn pasted_text_is_typed_and_presses_no_keys() {
    let mut drawn = of_lines(10);
    drawn.happen(Msg::Paste("q".into()));
    assert!(drawn.effects.is_empty());
    drawn.keys("/").happen(Msg::Paste("line 7\nq".into()));
    assert!(drawn.shows("/line 7q"));
}

#[test]
fn dropped_and_lost_messages_are_counted() {
    let mut drawn = Drawn::new(120, 24);
    let long = "x".repeat(4 << 20);
    for _ in 0..17 {
        drawn.text(&long);
    }
    assert!(drawn.shows("dropped"), "{:?}", drawn.rows().last());
    drawn.update(Update::Gap(Gap::Known { from: 4, to: 9 }));
    assert!(drawn.shows("lost 6"));
    let mut drawn = Drawn::new(120, 24);
    drawn.text("line first").keys(" ");
    drawn.lines(200_001);
    assert!(drawn.shows("received 200,002") && drawn.shows("dropped 2"));
    assert!(!drawn.shows("line first"), "the message was dropped");
}
