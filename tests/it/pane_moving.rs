//! Navigation in the pane: where each key moves, and that nothing else moves the text.

use codechat::internal::{
    message::{Level, Message},
    watch::pane::update::{Mouse, Msg},
};

use crate::support::drawn::Drawn;

fn of_lines(count: usize) -> Drawn {
    let mut drawn = Drawn::new(80, 24);
    drawn.lines(count);
    drawn
}

/// Returns the texts of the visible rows of messages.
fn texts(drawn: &Drawn) -> Vec<String> {
    let rows = drawn.rows();
    let body = &rows[2..rows.len() - 3];
    body.iter()
        .filter_map(|row| row.get(row.find("line ")?..).map(Into::into))
        .collect()
}

/// Returns the message in focus.
fn focus(drawn: &Drawn) -> String {
    let rows = drawn.rows();
    let row = rows.iter().find(|it| it.starts_with(['▌', '◈']));
    let row = row.unwrap_or_else(|| panic!("nothing is in focus: {rows:#?}"));
    row[row.find("line ").unwrap()..].into()
}

fn error(text: &str) -> Message {
    Message::text(text).level(Level::Error)
}

fn of_operation(name: &str, text: &str) -> Message {
    Message::text(text).operation(name)
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
fn keys_move_by_pages_and_half_pages_and_to_the_ends() {
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
fn visible_messages_stay_in_place_when_others_come_and_go() {
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
fn a_search_finds_hits_while_typing_and_wraps_around() {
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
    assert!(drawn.shows("hit 11/12"), "new messages are searched too");
    drawn.keys("<Esc>");
    assert!(!drawn.shows("hit "));
    drawn.keys("/<Enter>n");
    assert!(drawn.shows("/ searches"), "there was no search before");
}

#[test]
fn an_empty_search_repeats_the_last_one() {
    let mut drawn = of_lines(100);
    drawn.keys("/line 3<Enter>gn/<Enter>");
    assert!(drawn.shows("hit 1/11"));
}

#[test]
fn a_hit_beyond_the_edge_is_scrolled_into_view() {
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
fn filters_show_or_hide_messages_and_can_be_removed() {
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
fn keys_move_between_errors_and_set_the_lowest_level() {
    let mut drawn = of_lines(30);
    drawn.say(error("line with error one")).lines(30);
    drawn.say(error("line with error two")).lines(30).keys("E");
    assert_eq!(focus(&drawn), "line with error two");
    assert!(drawn.shows("error 2/2") && drawn.shows("2 errors"));
    drawn.keys("E");
    assert_eq!(focus(&drawn), "line with error one");
    assert!(drawn.shows("error 1/2"));
    drawn.keys("E");
    assert_eq!(focus(&drawn), "line with error two", "in a circle");
    drawn.keys("e");
    assert_eq!(focus(&drawn), "line with error one");
    assert!(drawn.shows("error 1/2"));
    drawn.keys("+");
    assert!(
        drawn.shows("warn and worse") && !drawn.shows("line 30"),
        "no step does nothing"
    );
    drawn.keys("-");
    assert!(drawn.shows("all levels") && drawn.shows("line 30"));
    drawn.keys("5");
    assert!(drawn.shows("error and worse") && !drawn.shows("line 30"));
    drawn.keys("1");
    assert!(drawn.shows("all levels") && drawn.shows("line 30"));
    let mut none = of_lines(3);
    none.keys("e");
    assert!(none.shows("no error"));
}

#[test]
fn a_key_moves_to_the_first_message_of_each_operation() {
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
fn long_lines_wrap_or_scroll_sideways() {
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
fn marks_can_be_set_and_moved_to() {
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
fn the_mouse_scrolls_and_selects() {
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
