//! Progress guessed from plain text: `12 of 40`, `12/40`, `30 %`.
//!
//! Only clear cases count. A wrong gauge is worse than none, so dates, versions, paths, ranges and counts beyond
//! their total are ignored.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::LazyLock;

use memchr::{memchr2, memmem};
use regex::{Captures, Match, Regex};

use crate::message::Progress;

/// Longest text that is considered, in bytes.
const TEXT_MAX: usize = 500;
/// How many texts with the same words and rising numbers confirm a progress: a load or a share may rise once.
const RISES: u32 = 3;
/// Upper bound of the unconfirmed counts that are followed.
const CANDIDATES_MAX: usize = 16;

/// A possible progress in a text.
#[derive(Debug, PartialEq)]
pub(super) struct Guess {
    pub(super) progress: Progress,
    /// The words around the numbers.
    words: String,
}

impl Guess {
    /// Returns whether both count the same thing.
    fn counts_as(&self, other: &Self) -> bool {
        self.words == other.words
            && self.progress.total() == other.progress.total()
            && self.progress.unit() == other.progress.unit()
    }
}

/// The newest guesses; those whose numbers keep rising become a progress.
#[derive(Debug, Default)]
pub(super) struct Candidates(VecDeque<Candidate>);

#[derive(Debug)]
struct Candidate {
    operation: Option<Box<str>>,
    newest: Guess,
    /// Length of the current run of rising numbers.
    rises: u32,
}

impl Candidates {
    /// Returns the progress, if this guess and those before it confirm one.
    pub(super) fn confirmed(&mut self, operation: Option<&str>, guess: Guess) -> Option<Progress> {
        let known = self
            .0
            .iter()
            .position(|it| it.operation.as_deref() == operation && it.newest.counts_as(&guess));
        let before = known.and_then(|index| self.0.remove(index));
        let rises = before.map_or(1, |before| {
            let (then, now) = (before.newest.progress.current(), guess.progress.current());
            match then.total_cmp(&now) {
                Ordering::Less => before.rises + 1,
                Ordering::Equal => before.rises,
                Ordering::Greater => 1,
            }
        });
        let progress = (rises >= RISES).then(|| guess.progress.clone());
        self.0.truncate(CANDIDATES_MAX - 1);
        self.0.push_front(Candidate {
            operation: operation.map(Into::into),
            newest: guess,
            rises,
        });
        progress
    }
}

/// What may precede a number: white space, a bracket, a bar.
const BEFORE: &str = r"(?:^|[\s(\[|])";
/// What may follow it: also the end of a phrase.
const BEHIND: &str = r"(?:$|[\s)\]|,;:]|\.+(?:\s|$)|…)";

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

/// Finds a clear progress in a line of visible text. A count is preferred to a percentage.
pub(super) fn guess(text: &str) -> Option<Guess> {
    // The part after the last carriage return, which is what a terminal would show.
    let line = text.trim_end().rsplit('␍').next()?;
    if line.len() > TEXT_MAX || line.contains('\n') {
        return None;
    }
    // A quick check that rules most texts out.
    let bytes = line.as_bytes();
    if memchr2(b'/', b'%', bytes).is_none() && memmem::find(bytes, b" of ").is_none() {
        return None;
    }
    let number = |found: &Captures, group: usize| found[group].replace(',', "").parse::<f64>().ok();
    let (found, progress) = if let Some(found) = COUNT.captures(line) {
        let progress = Progress::new(number(&found, 1)?, number(&found, 2), None);
        (found, progress)
    } else {
        let found = PERCENT.captures(line)?;
        let progress = Progress::new(number(&found, 1)?, Some(100.0), Some("%"));
        (found, progress)
    };
    let progress = progress.ok()?;
    let total = progress.total()?;
    (total > 0.0 && progress.current() <= total).then(|| Guess {
        progress,
        words: words_around(line, found.get(1), found.iter().flatten().last()),
    })
}

/// Returns the words around the numbers: those before them in the line, and those after them up to the end of the
/// phrase. In brackets, only those within.
fn words_around(line: &str, first: Option<Match<'_>>, last: Option<Match<'_>>) -> String {
    let before = first.map_or("", |it| &line[..it.start()]);
    let behind = last.map_or("", |it| &line[it.end()..]);
    let is_in_brackets = before.trim_end().ends_with(['(', '[']);
    let before = if is_in_brackets { "[" } else { before };
    let ends = |it: char| {
        matches!(
            it,
            ':' | ';' | ',' | '.' | '|' | '(' | ')' | '[' | ']' | '…'
        )
    };
    let behind = behind.split(ends).next().unwrap_or_default();
    let words = |text: &str| -> Vec<String> {
        text.split(|it: char| !it.is_alphabetic())
            .filter(|it| !it.is_empty())
            .map(Into::into)
            .collect()
    };
    format!("{} # {}", words(before).join(" "), words(behind).join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_count_is_progress() {
        for (text, current, total) in [
            ("Processed file 3 of 120", 3.0, 120.0),
            ("12/40", 12.0, 40.0),
            ("[12/40] Building main.o", 12.0, 40.0),
            ("Step 3 / 12 : RUN make", 3.0, 12.0),
            ("Building [====>   ] 12/40: codechat", 12.0, 40.0),
            ("1,234 of 5,678 rows.", 1234.0, 5678.0),
            (" 45%|████▌     | 45/90 [00:01<00:01]", 45.0, 90.0),
            ("1/9␍2/9␍3/9", 3.0, 9.0),
            ("0 of 7...", 0.0, 7.0),
        ] {
            let guess = guess(text).unwrap_or_else(|| panic!("{text}"));
            let found = (guess.progress.current(), guess.progress.total());
            assert_eq!(found, (current, Some(total)), "{text}");
        }
    }

    #[test]
    fn a_percentage_is_progress_towards_100() {
        for (text, current) in [
            ("30 %", 30.0),
            ("[ 45%] Building CXX object", 45.0),
            ("Downloading... 99.5%", 99.5),
            ("tests/it.py ....   [100%]", 100.0),
        ] {
            let guess = guess(text).unwrap_or_else(|| panic!("{text}"));
            let progress = Progress::new(current, Some(100.0), Some("%")).unwrap();
            assert_eq!(guess.progress, progress, "{text}");
        }
    }

    #[test]
    fn ambiguous_text_is_no_progress() {
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

    /// Returns which of these texts, in turn, confirm a progress.
    fn confirmed(texts: &[&str]) -> Vec<bool> {
        let mut candidates = Candidates::default();
        let mut confirmed = |text: &&str| candidates.confirmed(None, guess(text).expect("a guess"));
        texts.iter().map(|it| confirmed(it).is_some()).collect()
    }

    #[test]
    fn rising_numbers_in_the_same_words_are_progress_from_the_third_on() {
        for texts in [
            ["file 1 of 9", "file 2 of 9", "file 3 of 9"],
            [
                "file 1 of 9: a.rs",
                "file 2 of 9: b.rs",
                "file 5 of 9: c.rs",
            ],
            ["[1/9] Building a", "[2/9] Building b", "[3/9] Linking c"],
            ["it.py ..  [ 3%]", "e2e.py .  [ 5%]", "doc.py    [ 99%]"],
            [
                "Building [=> ] 1/9: a",
                "Building [==>] 2/9: b",
                "Building [==>] 3/9",
            ],
        ] {
            assert_eq!(confirmed(&texts), [false, false, true], "{texts:?}");
        }
        for texts in [
            ["cpu 95%", "cpu 96%", "cpu 95%"],
            ["cpu 1%", "disk 2%", "memory 3%"],
            ["120/1024 files", "121/1024 sockets", "122/1024 files"],
            ["file 1 of 9", "file 2 of 8", "file 3 of 9"],
            ["3/9", "3/9", "3/9"],
        ] {
            assert_eq!(confirmed(&texts), [false; 3], "{texts:?}");
        }
        let again = ["1/3", "2/3", "3/3", "3/3", "1/3", "2/3", "3/3"];
        let confirmed = confirmed(&again);
        assert_eq!(confirmed, [false, false, true, true, false, false, true]);
    }

    #[test]
    fn alternating_counts_are_distinguished() {
        let texts = [
            "file 1 of 9",
            "part 1/2",
            "file 2 of 9",
            "part 2/2",
            "file 3 of 9",
        ];
        assert_eq!(confirmed(&texts), [false, false, false, false, true]);
    }
}
