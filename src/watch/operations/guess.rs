//! A progress read from a text that was not written for it: `12 of 40`, `12/40`, `30 %`.
//!
//! Only what is plain is taken. A wrong gauge is worse than none, so dates, versions, paths, ranges
//! and fractions beyond their total are left alone.

use std::sync::LazyLock;

use memchr::{memchr2, memmem};
use regex::{Captures, Regex};

use crate::message::Progress;

/// Longer texts are no progress lines.
const TEXT_MAX: usize = 500;

/// A progress that a text seems to tell.
#[derive(Debug, PartialEq)]
pub(super) struct Guess {
    pub(super) progress: Progress,
    /// A percentage, which may as well be something's load or share.
    pub(super) is_percent: bool,
}

/// What may stand before a number: a blank, a bracket, a bar, a colour.
const BEFORE: &str = r"(?:^|[\s(\[|]|\x1b\[[0-9;]*m)";
/// What may stand behind it: the end of a phrase, too.
const BEHIND: &str = r"(?:$|[\s)\]|,;:\x1b]|\.+(?:\s|$)|…)";

static COUNT: LazyLock<Regex> = LazyLock::new(|| {
    let number = r"(\d{1,3}(?:,\d{3})+|\d{1,15})";
    pattern(&format!(
        r"{BEFORE}{number}(?:\s?/\s?|\s+of\s+){number}{BEHIND}"
    ))
});

static PERCENT: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"{BEFORE}(\d{{1,3}}(?:\.\d+)?)\s?%{BEHIND}")));

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("it is tested")
}

/// The progress that a line of text tells plainly. A count goes before a percentage.
pub(super) fn guess(text: &str) -> Option<Guess> {
    // What a terminal would show in the end of a line that is overwritten.
    let line = text.trim_end().rsplit('\r').next()?;
    if line.len() > TEXT_MAX || line.contains('\n') {
        return None;
    }
    // Few texts need more than this look.
    let bytes = line.as_bytes();
    if memchr2(b'/', b'%', bytes).is_none() && memmem::find(bytes, b" of ").is_none() {
        return None;
    }
    let number = |found: &Captures, group: usize| found[group].replace(',', "").parse::<f64>().ok();
    if let Some(found) = COUNT.captures(line) {
        return guessed(number(&found, 1)?, number(&found, 2)?, None);
    }
    let found = PERCENT.captures(line)?;
    guessed(number(&found, 1)?, 100.0, Some("%"))
}

fn guessed(current: f64, total: f64, unit: Option<&str>) -> Option<Guess> {
    let progress = Progress::new(current, Some(total), unit).ok()?;
    (total > 0.0 && current <= total).then_some(Guess {
        progress,
        is_percent: unit.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_count_is_a_progress() {
        for (text, current, total) in [
            ("Processed file 3 of 120", 3.0, 120.0),
            ("12/40", 12.0, 40.0),
            ("[12/40] Building main.o", 12.0, 40.0),
            ("Step 3 / 12 : RUN make", 3.0, 12.0),
            ("Building [====>   ] 12/40: codechat", 12.0, 40.0),
            ("1,234 of 5,678 rows.", 1234.0, 5678.0),
            (" 45%|████▌     | 45/90 [00:01<00:01]", 45.0, 90.0),
            ("\x1b[32m12/40\x1b[0m tests", 12.0, 40.0),
            ("1/9\r2/9\r3/9\r", 3.0, 9.0),
            ("0 of 7...", 0.0, 7.0),
        ] {
            let guess = guess(text).unwrap_or_else(|| panic!("{text}"));
            let told = (guess.progress.current(), guess.progress.total());
            assert_eq!(told, (current, Some(total)), "{text}");
            assert!(!guess.is_percent, "{text}");
        }
    }

    #[test]
    fn a_percentage_is_one_of_100() {
        for (text, current) in [
            ("30 %", 30.0),
            ("[ 45%] Building CXX object", 45.0),
            ("Downloading... 99.5%", 99.5),
            ("tests/it.py ....   [100%]", 100.0),
        ] {
            let guess = guess(text).unwrap_or_else(|| panic!("{text}"));
            let progress = Progress::new(current, Some(100.0), Some("%")).unwrap();
            assert_eq!(guess.progress, progress, "{text}");
            assert!(guess.is_percent, "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_alone() {
        for text in [
            "",
            "hello",
            "on 3/11/2026",
            "2026/11/22",
            "v1.2/3",
            "/data/3/40",
            "data/3/40/x",
            "GET /items/3/40",
            "3/40/x",
            "24/7",
            "41 of 40",
            "0 of 0",
            "files 1-3 of 40",
            "pages 3–5 of 10",
            "20-30 %",
            "+5 %",
            "120 %",
            "100%ile",
            "3 of them",
            "one of 40",
            "TCP/1 2",
            "-3/40",
            "3/-40",
            "1/2\nand more",
        ] {
            assert_eq!(guess(text), None, "{text}");
        }
        assert_eq!(guess(&format!("{} 3 of 40", "x".repeat(600))), None);
    }
}
