//! What each key of the pane does.

use codechat::{
    client::feed::Update,
    event::{End, Gap},
    message::{Level, Message, Outcome},
    watch::{
        keys::{Action, Key, TABLE},
        model::{Goals, Verdict},
        pane::theme::{Background, Theme},
        update::{Effect, Leave, Mouse, Msg},
    },
    wish::{Ask, Cancel, Request},
};

use crate::support::drawn::Drawn;

fn of_lines(count: usize) -> Drawn {
    let mut drawn = Drawn::new(80, 24);
    drawn.lines(count);
    drawn
}

/// The rows of messages that are in sight, as their texts.
fn texts(drawn: &Drawn) -> Vec<String> {
    let rows = drawn.rows();
    let body = &rows[2..rows.len() - 3];
    body.iter()
        .filter_map(|row| row.get(row.find("line ")?..).map(Into::into))
        .collect()
}

/// The message in focus.
fn focus(drawn: &Drawn) -> String {
    let rows = drawn.rows();
    let row = rows.iter().find(|it| it.starts_with(['▌', '◆']));
    let row = row.unwrap_or_else(|| panic!("nothing is in focus: {rows:#?}"));
    row[row.find("line ").unwrap()..].into()
}

fn error(text: &str) -> Message {
    Message {
        level: Some(Level::Error),
        ..Message::text(text)
    }
}

fn of_operation(name: &str, text: &str) -> Message {
    Message {
        operation: Some(name.parse().unwrap()),
        ..Message::text(text)
    }
}

fn copied(drawn: &Drawn) -> &str {
    match &drawn.effects[..] {
        [Effect::Copy(text)] => text,
        other => panic!("nothing was copied, but {other:?}"),
    }
}

#[test]
fn leaving_the_bottom_pauses_and_reaching_it_follows() {
    let mut drawn = of_lines(100);
    assert!(drawn.screen.is_following());
    drawn.keys("k");
    assert!(!drawn.screen.is_following());
    assert_eq!(focus(&drawn), "line 99");
    drawn.text("line new");
    assert!(!drawn.shows("line new") && drawn.shows("+1 new"));
    drawn.keys("jj");
    assert!(drawn.screen.is_following());
    assert!(drawn.shows("line new") && !drawn.shows("+1 new"));
}

#[test]
fn pages_half_pages_and_ends_are_gone_to() {
    let mut drawn = of_lines(100);
    let page = texts(&drawn).len();
    drawn.keys("g");
    assert_eq!(texts(&drawn)[0], "line 1");
    assert_eq!(
        drawn.rows()[2]
            .trim_start_matches(['▌', ' '])
            .split_at(12)
            .1,
        " -- Starting server communication... --"
    );
    drawn.keys("f");
    assert_eq!(texts(&drawn)[0], format!("line {}", page - 1));
    drawn.keys("b");
    assert_eq!(texts(&drawn)[0], "line 1");
    drawn.keys("d");
    assert_eq!(texts(&drawn)[0], format!("line {}", page / 2));
    drawn.keys("u");
    assert_eq!(texts(&drawn)[0], "line 1");
    drawn.keys("G");
    assert!(drawn.screen.is_following() && drawn.shows("line 100"));
    drawn.keys("b");
    for _ in 0..3 {
        drawn.keys("f");
    }
    assert!(
        drawn.screen.is_following(),
        "a page down from the last but one follows"
    );
}

#[test]
fn space_freezes_and_then_pages_and_p_resumes() {
    let mut drawn = of_lines(100);
    drawn.keys(" ");
    let frozen = texts(&drawn);
    drawn.lines(50);
    for _ in 0..3 {
        drawn.say(error("broken"));
    }
    assert_eq!(texts(&drawn), frozen);
    assert!(drawn.shows("paused, +53 new, 3 errors"));
    drawn.keys(" ");
    assert_ne!(texts(&drawn), frozen);
    drawn.keys("p");
    assert!(drawn.screen.is_following());
    drawn.keys("p");
    assert!(!drawn.screen.is_following());
}

#[test]
fn what_is_read_stays_whatever_comes_and_goes() {
    let mut drawn = of_lines(300);
    drawn.keys("gfff");
    let before = texts(&drawn);
    let reading = focus(&drawn);
    let row = |drawn: &Drawn| drawn.rows().iter().position(|it| it.ends_with(&reading));
    let place = row(&drawn);
    drawn.lines(200);
    assert_eq!(texts(&drawn), before);
    drawn.keys("&!line .*[13579]$<Enter>");
    let is_even = reading.ends_with(['0', '2', '4', '6', '8']);
    if is_even {
        assert_eq!(row(&drawn), place);
    }
    drawn.keys("&");
    for _ in 0.."!line .*[13579]$".len() {
        drawn.keys("<Backspace>");
    }
    drawn.keys("<Enter>");
    assert_eq!(texts(&drawn), before);
    drawn.happen(Msg::Resize(60, 30)).keys("w");
    assert_eq!(focus(&drawn), reading);
}

#[test]
fn a_search_finds_as_it_is_typed_and_goes_in_circles() {
    let mut drawn = of_lines(100);
    drawn.keys("/LINE 3");
    assert!(drawn.shows("no hit"), "capitals are exact");
    drawn.keys("<Esc>");
    assert!(drawn.screen.is_following(), "Esc goes back");
    drawn.keys("/line 3");
    assert_eq!(focus(&drawn), "line 39", "the last one, from the bottom");
    assert!(drawn.shows("hit 11/11"));
    drawn.keys("<Enter>n");
    assert_eq!(focus(&drawn), "line 3");
    drawn.keys("n");
    assert_eq!(focus(&drawn), "line 30");
    drawn.keys("NN");
    assert_eq!(focus(&drawn), "line 39");
    drawn.text("line 3 again");
    assert!(drawn.shows("hit 11/12"), "what comes is found too");
    drawn.keys("<Esc>");
    assert!(!drawn.shows("hit "));
    drawn.keys("/<Enter>n");
    assert!(drawn.shows("/ searches"), "nothing was searched for before");
}

#[test]
fn an_empty_search_repeats_the_last_one() {
    let mut drawn = of_lines(100);
    drawn.keys("/line 3<Enter>gn/<Enter>");
    assert!(drawn.shows("hit 1/11"));
}

#[test]
fn a_hit_beyond_the_edge_comes_into_sight() {
    let mut drawn = Drawn::new(80, 24);
    drawn.text(&format!("line {}needle", "x".repeat(500)));
    drawn.keys("w/needle<Enter>");
    assert!(drawn.shows("needle"));
    let mut drawn = Drawn::new(80, 24);
    let lines = "x\n".repeat(100);
    drawn.text(&format!("{lines}needle\n{lines}")).lines(50);
    drawn.keys("/needle<Enter>");
    assert!(drawn.shows("needle"));
}

#[test]
fn filters_show_hide_and_go_away() {
    let mut drawn = of_lines(20);
    drawn.keys("&line 1");
    assert!(
        drawn.shows("line 19") && !drawn.shows("line 20"),
        "as it is typed"
    );
    drawn.keys("<Esc>");
    assert!(drawn.shows("line 20"), "Esc takes it back");
    drawn.keys("&!1<Enter>");
    assert!(drawn.shows("line 20") && !drawn.shows("line 19"));
    assert!(drawn.shows("shown 9 · filtered 11"));
    drawn.text("line 21").text("line 22");
    assert!(drawn.shows("line 22") && !drawn.shows("line 21"));
    drawn.keys("&<Backspace><Backspace><Enter>");
    assert!(drawn.shows("line 21") && drawn.shows("filtered 0"));
}

#[test]
fn errors_and_levels_are_gone_by() {
    let mut drawn = of_lines(30);
    drawn.say(error("line with error one")).lines(30);
    drawn.say(error("line with error two")).lines(30).keys("E");
    assert_eq!(focus(&drawn), "line with error two");
    drawn.keys("E");
    assert_eq!(focus(&drawn), "line with error one");
    drawn.keys("E");
    assert!(drawn.shows("no error above"));
    drawn.keys("e");
    assert_eq!(focus(&drawn), "line with error two");
    drawn.keys("+++");
    assert!(drawn.shows("warn and worse") && !drawn.shows("line 30"));
    drawn.keys("---");
    assert!(drawn.shows("all levels") && drawn.shows("line 30"));
}

#[test]
fn operations_are_gone_to_by_their_first_message() {
    let mut drawn = Drawn::new(80, 24);
    for name in ["one", "two"] {
        drawn
            .lines(20)
            .say(of_operation(name, &format!("line first of {name}")));
        drawn.say(of_operation(name, "line more"));
    }
    drawn.lines(20).keys("{");
    assert_eq!(focus(&drawn), "line first of two");
    drawn.keys("{");
    assert_eq!(focus(&drawn), "line first of one");
    drawn.keys("}");
    assert_eq!(focus(&drawn), "line first of two");
    drawn.keys("}");
    assert!(drawn.shows("no operation begins below"));
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
fn times_are_told_four_ways() {
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
fn long_lines_wrap_or_are_looked_along() {
    let mut drawn = Drawn::new(80, 24);
    let long = format!("line {}end", "x".repeat(200));
    drawn.text(&long);
    assert!(drawn.shows("end"));
    drawn.keys("l");
    assert!(drawn.shows("long lines are wrapped"));
    drawn.keys("w");
    assert!(!drawn.shows("end"));
    for _ in 0..20 {
        drawn.keys("l");
    }
    assert!(
        drawn.shows("end"),
        "no further than something is to be seen: {:#?}",
        drawn.rows()
    );
    for _ in 0..20 {
        drawn.keys("h");
    }
    assert!(drawn.shows("line xxx"));
}

#[test]
fn copies_are_what_they_say() {
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
    assert!(
        copied(&drawn).starts_with("curl -d hello http://127.0.0.1:2428/api/v1/sse/debug/3f2b")
    );
}

#[test]
fn what_is_too_much_for_a_clipboard_is_cut_and_said() {
    let mut drawn = Drawn::new(80, 24);
    drawn.text(&"ü".repeat(600_000)).keys("y");
    assert_eq!(copied(&drawn).len(), 1 << 20);
    assert!(drawn.shows("copied the first 1048576 of 1200000 bytes"));
}

#[test]
fn marks_are_set_and_gone_to() {
    let mut drawn = of_lines(100);
    drawn.keys("'");
    assert!(drawn.shows("no mark is set"));
    drawn.keys("kkm").keys("uuum");
    let second = focus(&drawn);
    drawn.keys("g'");
    assert_eq!(focus(&drawn), second);
    drawn.keys("'");
    assert_eq!(focus(&drawn), "line 98");
    drawn.keys("'");
    assert_eq!(focus(&drawn), second, "in a circle");
    drawn.keys("m'");
    assert_eq!(focus(&drawn), "line 98", "the other mark is gone");
}

#[test]
fn what_is_shown_is_saved_as_text_and_everything_as_ndjson() {
    let mut drawn = of_lines(2);
    drawn.say(Message {
        outcome: Some(Outcome::Failed),
        ..of_operation("import", "two\nlines\x07")
    });
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
fn wishes_are_sent_and_a_cancel_asks_back() {
    let mut drawn = Drawn::new(80, 24);
    drawn.say(of_operation("import", "line 1"));
    let level = |level| {
        [Effect::Ask(Request {
            level,
            ..Request::default()
        })]
    };
    drawn.keys("D");
    assert_eq!(drawn.effects, level(Ask::For(Level::Debug)));
    drawn.keys("D");
    assert_eq!(drawn.effects, level(Ask::Withdraw));
    drawn.keys("x");
    assert!(drawn.effects.is_empty() && drawn.shows("cancel import?"));
    drawn.keys("n");
    assert!(drawn.effects.is_empty() && drawn.shows("nobody was asked"));
    drawn.keys("xy");
    let cancel = |name: Option<&str>| {
        let operation = name.map(|it| it.parse().unwrap());
        [Effect::Ask(Request {
            cancel: Ask::For(Cancel { operation }),
            ..Request::default()
        })]
    };
    assert_eq!(drawn.effects, cancel(Some("import")));
    drawn.say(of_operation("export", "line 2"));
    drawn.keys("xy");
    assert_eq!(
        drawn.effects,
        cancel(None),
        "which one is meant cannot be told"
    );
    drawn.keys("kxy");
    assert_eq!(drawn.effects, cancel(Some("import")), "the one in focus");
}

#[test]
fn a_stream_that_has_ended_stays_to_be_read() {
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
        "nothing counts any more"
    );
}

#[test]
fn an_idle_end_is_told_and_then_outlived() {
    let mut drawn = of_lines(3);
    drawn.update(Update::End(End::Idle));
    assert!(drawn.effects.is_empty());
    assert!(drawn.shows("connecting") && drawn.shows("nothing happened for the idle timeout"));
}

#[test]
fn a_goal_that_is_reached_leaves() {
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
        drawn.say(Message {
            outcome: Some(outcome),
            ..Message::default()
        });
        assert_eq!(drawn.effects, [Effect::Leave(Leave::Over(verdict))]);
    }
}

#[test]
fn there_are_three_ways_out_and_one_aside() {
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
    // These work wherever the keys are.
    for mode in ["", "/x", "<Esc>?", "<Esc>k<Enter>", "<Esc>x"] {
        drawn.keys(mode);
        drawn.happen(Msg::Key(Key::ctrl('z')));
        assert_eq!(drawn.effects, [Effect::Suspend], "{mode}");
        drawn.happen(Msg::Key(Key::ctrl('c')));
        assert_eq!(drawn.effects, [Effect::Leave(Leave::Now)], "{mode}");
    }
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
fn a_mouse_scrolls_and_chooses() {
    let mut drawn = of_lines(100);
    drawn.happen(Msg::Mouse(Mouse::Wheel { down: false }));
    assert!(!drawn.screen.is_following());
    let row = u16::try_from(
        drawn
            .rows()
            .iter()
            .position(|it| it.ends_with("line 90"))
            .unwrap(),
    );
    drawn.happen(Msg::Mouse(Mouse::Click(row.unwrap())));
    assert_eq!(focus(&drawn), "line 90");
    for _ in 0..3 {
        drawn.happen(Msg::Mouse(Mouse::Wheel { down: true }));
    }
    assert!(drawn.screen.is_following());
}

#[test]
fn what_is_pasted_is_typed_and_never_pressed() {
    let mut drawn = of_lines(10);
    drawn.happen(Msg::Paste("q".into()));
    assert!(drawn.effects.is_empty());
    drawn.keys("/").happen(Msg::Paste("line 7\nq".into()));
    assert!(drawn.shows("/line 7q"));
}

#[test]
fn what_falls_off_is_counted_and_what_is_lost_too() {
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
    assert!(!drawn.shows("line first"), "what was read has fallen off");
}

#[test]
fn every_action_has_a_key() {
    let listed = TABLE
        .iter()
        .flat_map(|line| line.keys.iter().map(|(_, action)| *action));
    let listed: Vec<Action> = listed.collect();
    for action in [
        Action::Down,
        Action::Back,
        Action::QuitNow,
        Action::Mouse,
        Action::CopyCurl,
    ] {
        assert!(listed.contains(&action));
    }
    assert_eq!(listed.len(), 43);
}
