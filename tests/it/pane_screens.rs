//! The look of the pane, at several sizes, with styles. To accept changes: `INSTA_UPDATE=always cargo test
//! pane_screens`, then read the difference.

use std::time::Duration;

use codechat::internal::{
    client::subscribe::Update,
    event::{End, Gap},
    message::{Level, Message, Outcome},
    watch::{
        model::Goals,
        pane::draw::theme::{Background, Theme},
    },
};

use crate::support::drawn::Drawn;

const SIZES: [(u16, u16); 4] = [(80, 24), (40, 10), (200, 50), (20, 5)];

/// Compares the screen at every size with its snapshot.
fn looks(name: &str, happen: impl Fn(&mut Drawn)) {
    let mut pictures = String::new();
    for (width, height) in SIZES {
        let mut drawn = Drawn::new(width, height);
        happen(&mut drawn);
        pictures += &drawn.picture();
        pictures += "\n";
    }
    compare(name, &pictures);
}

fn compare(name: &str, pictures: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, pictures));
}

fn levelled(level: Level, text: &str) -> Message {
    Message::text(text).level(level)
}

fn progress(operation: &str, current: f64, total: f64) -> Message {
    Message::text(format!("Processed file {current} of {total}"))
        .operation(operation)
        .progress(current, Some(total))
        .unit("files")
}

fn some_of_each_level(drawn: &mut Drawn) {
    for (level, text) in [
        (Level::Info, "Cloning repository demo"),
        (Level::Trace, "GET /objects/info/packs"),
        (Level::Debug, "3 packs, 1,024 objects"),
        (
            Level::Warn,
            "pack 2 is older than the index, so it is read again",
        ),
        (Level::Error, "cannot read objects/pack: permission denied"),
    ] {
        drawn.wait(0.25).say(levelled(level, text));
    }
    drawn.text("a message\nof two lines, one of them with \x1b[1;36mcolours\x1b[0m of its own");
}

#[test]
fn an_empty_screen() {
    looks("empty", |drawn| {
        drawn.wait(3.0);
    });
}

#[test]
fn a_following_screen() {
    looks("streaming", |drawn| {
        some_of_each_level(drawn);
        drawn.lines(30).wait(2.0);
    });
}

#[test]
fn a_screen_with_every_level() {
    looks("levels", some_of_each_level);
}

#[test]
fn a_paused_screen_counts_new_messages() {
    looks("paused", |drawn| {
        drawn.lines(60).keys(" k");
        drawn.lines(1234);
        for _ in 0..3 {
            drawn.say(levelled(Level::Error, "broken"));
        }
    });
}

#[test]
fn a_search_shows_its_hits() {
    looks("search", |drawn| {
        drawn.lines(40).keys("/line 1.<Enter>n");
    });
}

#[test]
fn a_pattern_shows_its_hits_while_typing() {
    looks("search_typed", |drawn| {
        drawn.lines(40).keys("/line 2");
    });
}

#[test]
fn an_invalid_pattern_says_why() {
    looks("search_wrong", |drawn| {
        drawn.lines(40).keys("/line (2");
    });
}

#[test]
fn a_filter_shows_what_matches() {
    looks("filter_in", |drawn| {
        drawn.lines(40).keys("&line .5<Enter>");
    });
}

#[test]
fn a_filter_hides_what_matches_and_what_is_below_a_level() {
    looks("filter_out", |drawn| {
        some_of_each_level(drawn);
        drawn.lines(10).keys("&!line<Enter>++");
    });
}

#[test]
fn operations_show_their_progress() {
    looks("operations", |drawn| {
        drawn.say(progress("fetch", 3.0, 7.0)).wait(13.0);
        for step in 0..=40 {
            drawn.wait(0.1);
            drawn.say(progress("refresh-repo", f64::from(step), 120.0));
        }
        drawn.say(Message::text("reading").operation("index"));
        drawn.wait(1.0);
    });
}

#[test]
fn an_ended_operation_shows_its_outcome() {
    looks("operation_failed", |drawn| {
        for step in 0..=10 {
            drawn.wait(0.5);
            drawn.say(progress("import", f64::from(step), 40.0));
        }
        drawn.say(levelled(Level::Error, "file 11 is not UTF-8"));
        let ends = Message::default()
            .outcome(Outcome::Failed)
            .operation("import");
        drawn.say(ends).wait(60.0);
    });
}

#[test]
fn a_lost_connection_is_shown_with_the_next_attempt() {
    looks("reconnecting", |drawn| {
        drawn.lines(5);
        drawn.update(Update::Retrying {
            attempt: 3,
            delay: Duration::from_secs(4),
            reason: "connection refused".into(),
        });
        drawn.wait(0.5);
    });
}

#[test]
fn the_end_is_shown() {
    looks("ended", |drawn| {
        drawn.lines(5).update(Update::End(End::Stopped));
    });
}

#[test]
fn a_gap_is_shown_where_messages_are_missing() {
    looks("gap", |drawn| {
        drawn
            .lines(2)
            .update(Update::Gap(Gap::Known { from: 3, to: 105 }));
        drawn.lines(2).keys("<Enter>").text("after a ruler");
    });
}

#[test]
fn help_lists_the_keys() {
    looks("help", |drawn| {
        drawn.lines(3).keys("?");
    });
}

#[test]
fn a_message_is_shown_whole() {
    looks("detail", |drawn| {
        let step = levelled(Level::Warn, "first line\nsecond \x1b[31mline\x07")
            .operation("refresh-repo")
            .progress(3, Some(120))
            .event("step")
            .field("repo", "demo")
            .field("tags", ["a", "b"]);
        drawn.wait(1.5).say(step);
        drawn.text("another").keys("k<Enter>");
    });
}

#[test]
fn a_hostile_message_is_only_text() {
    let hostile = "\x1b]0;title\x07\x1b[2J\x1b[H\x1b]52;c;aGk=\x07 \u{9b}31m \u{202e}desrever\u{202c} \x1bP1$r\x1b\\ 12\r34\ttab \x00";
    looks("hostile", |drawn| {
        let evil = Message::text(hostile).operation("\u{202e}evil");
        drawn.text(hostile).say(evil);
        drawn.update(Update::Retrying {
            attempt: 1,
            delay: Duration::from_secs(1),
            reason: hostile.into(),
        });
    });
}

#[test]
fn a_line_of_a_megabyte_takes_one_row_unwrapped() {
    looks("megabyte", |drawn| {
        let long = "0123456789".repeat(100_000);
        drawn.lines(2).text(&long).text("after it").keys("kkkw");
    });
}

#[test]
fn a_line_of_a_megabyte_wraps() {
    looks("megabyte_wrapped", |drawn| {
        drawn.text(&"日本語 ".repeat(100_000)).text("after it");
    });
}

#[test]
fn wide_and_combined_characters_keep_their_columns() {
    looks("wide", |drawn| {
        for text in [
            "日本語のメッセージは幅が広い、二つの列を取る。それでも行は正しく折り返される。",
            "e\u{301}te\u{301} — n\u{303}andu\u{301}",
            "👩‍👩‍👧 family, 🇫🇷 flag, 👍🏽 thumb, ☕ coffee, 한국어",
        ] {
            drawn.text(text);
        }
        drawn.keys("/語<Enter>");
    });
}

#[test]
fn the_question_before_a_cancel_names_what_is_to_be_cancelled() {
    looks("cancel", |drawn| {
        drawn.say(progress("import", 1.0, 40.0)).keys("x");
    });
}

#[test]
fn in_ascii_only_messages_have_other_characters() {
    let theme = Theme::new(Background::Light, None, true, true);
    let mut pictures = String::new();
    for keys in ["", "k?", "<Esc>"] {
        let mut drawn = Drawn::with(80, 24, theme, Goals::default());
        for step in 0..=4 {
            drawn
                .wait(1.0)
                .say(progress("import", f64::from(step), 9.0));
        }
        drawn.keys("mk").keys(keys);
        let picture = drawn.picture();
        assert!(picture.is_ascii(), "{picture}");
        pictures += &picture;
        pictures += "\n";
    }
    let empty = Drawn::with(80, 24, theme, Goals::default()).picture();
    assert!(empty.is_ascii(), "{empty}");
    pictures += &empty;
    compare("ascii", &pictures);
}

#[test]
fn without_colours_everything_is_still_marked() {
    let theme = Theme::new(Background::Auto, Some("0;15"), false, false);
    let mut drawn = Drawn::with(80, 24, theme, Goals::default());
    some_of_each_level(&mut drawn);
    drawn.keys("k/pack<Enter>");
    compare("no_colour", &drawn.picture());
}

#[test]
fn no_size_is_too_small() {
    for width in 1..30 {
        for height in 1..12 {
            let mut drawn = Drawn::new(width, height);
            drawn.buffer();
            some_of_each_level(&mut drawn);
            drawn.say(progress("import", 1.0, 40.0));
            for keys in [
                "", "k", "k", "/a", "<Enter>", "?", "<Esc>", "<Enter>", "<Esc>", "&x",
            ] {
                drawn.keys(keys).buffer();
            }
        }
    }
}
