//! Attacks by example, and properties for any text.

use std::borrow::Cow;
use std::sync::LazyLock;

use proptest::prelude::*;
use regex::Regex;

use super::Colour::{Keep, Strip};
use super::{RESET, is_invisible, safe_line, safe_lines};

/// Unicode's definition of controls and invisible characters, without joiners.
static UNSEEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[[\p{Cc}\p{Bidi_C}\p{DI}\p{Zl}\p{Zp}]--[\x{200c}\x{200d}\x{fe0e}\x{fe0f}]]")
        .unwrap()
});

/// The sequences that are dropped, defined in another way.
static UNSEEN_SEQUENCE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\x1b\[[012]?K|\x1b\]8;[ -~]*;[ -~]*(\x07|\x1b\\)").unwrap());

/// Returns what a terminal shows for a safe line, and whether it is left in another style. Panics at anything but
/// visible characters and SGR.
fn shown(line: &str) -> (String, bool) {
    let (mut text, mut styled, mut chars) = (String::new(), false, line.chars());
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            assert_eq!(chars.next(), Some('['), "{line:?}");
            let params: String = chars.by_ref().take_while(|&c| c != 'm').collect();
            assert!(params.len() < 64, "{line:?}");
            assert!(
                params.chars().all(|c| "0123456789;:".contains(c)),
                "{line:?}"
            );
            styled = params.contains(|c| c != '0' && c != ';');
        } else {
            text.push(c);
        }
    }
    assert!(!UNSEEN.is_match(&text), "{line:?}");
    (text, styled)
}

/// Returns the characters that a full parser of escape sequences prints.
fn printed(line: &str) -> String {
    struct Screen(String);
    impl vte::Perform for Screen {
        fn print(&mut self, c: char) {
            self.0.push(c);
        }
        fn csi_dispatch(&mut self, _: &vte::Params, more: &[u8], ignored: bool, action: char) {
            assert_eq!((more, ignored, action), (&b""[..], false, 'm'));
        }
        fn execute(&mut self, byte: u8) {
            panic!("executes {byte:#x}");
        }
        fn hook(&mut self, _: &vte::Params, _: &[u8], _: bool, _: char) {
            panic!("a device control string");
        }
        fn osc_dispatch(&mut self, _: &[&[u8]], _: bool) {
            panic!("an operating system command");
        }
        fn esc_dispatch(&mut self, _: &[u8], _: bool, _: u8) {
            panic!("an escape sequence");
        }
    }
    let mut screen = Screen(String::new());
    vte::Parser::new().advance(&mut screen, line.as_bytes());
    screen.0
}

/// Returns the original of a safe text (without tabs, CR and added SGR).
fn read_back(safe: &str) -> String {
    let mut parts = safe.split("<U+");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('>').unwrap();
        text.extend(u32::from_str_radix(code, 16).map(char::from_u32).unwrap());
        text.push_str(rest);
    }
    let back = |c: char| match c {
        '\u{2400}'..='\u{241f}' => char::from_u32(u32::from(c) - 0x2400).unwrap(),
        '␡' => '\x7f',
        _ => c,
    };
    text.chars().map(back).collect()
}

#[test]
fn text_that_needs_no_change_is_borrowed() {
    for text in [
        "",
        "plain ~ text",
        "prêt ✓ 日本 ⠋",
        "👩\u{200d}🚀 ❤\u{fe0f}",
        "dos\r",
    ] {
        assert!(
            matches!(safe_line(text, Keep), Cow::Borrowed(_)),
            "{text:?}"
        );
    }
}

#[test]
fn every_control_character_but_sgr_is_made_visible() {
    for (hostile, safe) in [
        ("\x1b[2J\x1b[H", "␛[2J␛[H"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x1b]52;c;ZXZpbA==\x1b\\", "␛]52;c;ZXZpbA==␛\\"),
        ("\x1b]8;http://e\x1b\\x", "␛]8;http://e␛\\x"),
        ("\x1b]8;;http://e\nx\x07", "␛]8;;http://e␊x␇"),
        ("\x1b]8;;http://e", "␛]8;;http://e"),
        ("\x1b[3K\x1b[J\x1b[;K", "␛[3K␛[J␛[;K"),
        ("FAILED for bob\rall is well", "FAILED for bob␍all is well"),
        ("\x1bP+q\x1b\\ \x1b_a \x1b^p \x1bXs", "␛P+q␛\\ ␛_a ␛^p ␛Xs"),
        (
            "\u{9b}2J\u{9d}0;t\u{9c}\u{90}q\u{85}",
            "<U+009B>2J<U+009D>0;t<U+009C><U+0090>q<U+0085>",
        ),
        (
            "\x1bc\x1b(0\x1b#8\x1b[?1049h\x1b[6n",
            "␛c␛(0␛#8␛[?1049h␛[6n",
        ),
        ("\x08\x7f\x0e\0\n\x0b\x0c", "␈␡␎␀␊␋␌"),
        ("\x1b[8mhidden\x1b[>4;2m\x1b[31", "␛[8mhidden␛[>4;2m␛[31"),
        (
            "a\u{202e}b\u{2066}c\u{61c}\u{200f}",
            "a<U+202E>b<U+2066>c<U+061C><U+200F>",
        ),
        (
            "a\u{200b}b\u{200d}c\u{200c}\u{fe0f}",
            "a<U+200B>b<U+200D>c<U+200C><U+FE0F>",
        ),
        (
            "\u{feff}\u{2028}\u{e0041}\u{3164}\u{ad}",
            "<U+FEFF><U+2028><U+E0041><U+3164><U+00AD>",
        ),
    ] {
        assert_eq!(safe_line(hostile, Keep), safe);
        assert_eq!(safe_line(hostile, Strip), safe);
    }
}

#[test]
fn characters_that_unicode_calls_invisible_are_known() {
    let unseen = Regex::new(r"[[\p{Bidi_C}\p{DI}\p{Zl}\p{Zp}]]").unwrap();
    let more = ['\u{fff9}'..='\u{fffb}', '\u{13430}'..='\u{1343f}'];
    for c in '\0'..=char::MAX {
        let expected =
            unseen.is_match(c.encode_utf8(&mut [0; 4])) || more.iter().any(|it| it.contains(&c));
        assert_eq!(is_invisible(c), expected, "{c:?}");
    }
}

#[test]
fn joiners_stay_where_they_join() {
    for text in [
        "👨\u{200d}👩\u{200d}👧",
        "❤\u{fe0f}\u{200d}🔥",
        "1\u{fe0f}\u{20e3}",
        "می\u{200c}خواهم",
        "ශ්\u{200d}රී",
    ] {
        assert_eq!(safe_line(text, Keep), text);
    }
}

#[test]
fn colour_is_kept_and_reset_or_stripped() {
    let line = "\x1b[1;31mred\x1b[m plain \x1b[38;5;8mgrey";
    assert_eq!(safe_line(line, Keep), format!("{line}\x1b[0m"));
    assert_eq!(safe_line(line, Strip), "red plain grey");
    assert_eq!(safe_line("\x1b[32mok\x1b[0m", Keep), "\x1b[32mok\x1b[0m");
    assert_eq!(safe_line("\x1b\x1b[1m[31m", Strip), "␛[31m");
}

#[test]
fn tabs_go_to_the_next_stop_in_columns() {
    assert_eq!(safe_line("\ta\tb", Keep), "        a       b");
    assert_eq!(safe_line("日本\t|", Keep), "日本    |");
    assert_eq!(
        safe_line("\x1b[1m1234567\x1b[0m\t|", Keep),
        "\x1b[1m1234567\x1b[0m |"
    );
    assert_eq!(safe_line("\u{202e}\t|", Keep), "<U+202E>        |");
}

#[test]
fn sequences_without_effect_in_a_line_are_dropped() {
    for (line, shown) in [
        ("\x1b[2Kweb-1 | started\x1b[K", "web-1 | started"),
        ("\x1b[0Ka\x1b[1K", "a"),
        ("\x1b]8;;http://e\x1b\\link\x1b]8;;\x1b\\ more", "link more"),
        ("\x1b]8;id=1;http://e?a;b\x07link\x1b]8;;\x07", "link"),
        ("stays\r\r", "stays"),
    ] {
        assert_eq!(safe_line(line, Keep), shown);
        assert_eq!(safe_line(line, Strip), shown);
    }
    assert_eq!(
        safe_line("\x1b[01;31m\x1b[Khello\x1b[m\x1b[K", Keep),
        "\x1b[01;31mhello\x1b[m"
    );
}

#[test]
fn colour_continues_in_the_next_line() {
    let lines = |text, colour| safe_lines(text, colour).collect::<Vec<_>>();
    assert_eq!(
        lines("\x1b[31mone\r\n\r\ntwo\x1b[39m\nthree\n", Keep),
        [
            "\x1b[31mone\x1b[0m",
            "",
            "\x1b[31mtwo\x1b[39m\x1b[0m",
            "three",
            ""
        ]
    );
    assert_eq!(lines("\x1b[31mone\ntwo", Strip), ["one", "two"]);
    assert_eq!(lines("", Keep), [""]);
}

/// Generates any text, with ingredients of attacks in it.
fn hostile() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "\x1b",
        "\x1b[",
        "\x1b]",
        "\x1bP",
        "\x1b\\",
        "[",
        "0",
        "1",
        "8",
        "31",
        "38;5;",
        "38:2::",
        ";",
        ":",
        "?",
        " ",
        "m",
        "m",
        "\x1b[31m",
        "\x1b[0m",
        "\x1b[K",
        "\x1b]8;",
        "\x1b[1;4:3m",
        "\r",
        "\n",
        "\t",
        "\x07",
        "\x7f",
        "\0",
        "\u{9b}",
        "\u{9d}",
        "\u{202e}",
        "\u{61c}",
        "\u{200b}",
        "\u{200c}",
        "\u{200d}",
        "\u{fe0f}",
        "\u{20e3}",
        "\u{e0041}",
        "\u{301}",
        "👩",
        "❤",
        "日",
        "می",
        "a",
    ]);
    let part = prop_oneof![6 => fragment.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_terminal_gets_only_text_and_sgr(text in prop_oneof![hostile(), any::<String>()]) {
        for colour in [Keep, Strip] {
            for line in safe_lines(&text, colour).chain([safe_line(&text, colour)]) {
                let (seen, styled) = shown(&line);
                prop_assert!(!styled);
                prop_assert_eq!(&seen, &printed(&line));
                prop_assert!(colour == Keep || seen == line);
                prop_assert_eq!(&safe_line(&line, colour), &line);
            }
        }
    }

    #[test]
    fn stripping_changes_no_text(text in hostile()) {
        // A joiner may be shown in one and not in the other: it depends on its neighbours.
        let text = text.replace(['\u{200c}', '\u{200d}', '\u{fe0f}'], "");
        prop_assert_eq!(shown(&safe_line(&text, Keep)).0, safe_line(&text, Strip));
    }

    #[test]
    fn only_sequences_without_effect_are_lost(text in hostile()) {
        let line = text.replace('\t', "");
        let line = line.trim_end_matches('\r');
        let text = UNSEEN_SEQUENCE.replace_all(line, "");
        prop_assume!(!text.contains("<U+") && read_back(&text) == text);
        let back = read_back(&safe_line(line, Keep));
        prop_assert_eq!(back.strip_suffix(RESET).filter(|_| back != text).unwrap_or(&back), &*text);
    }
}
