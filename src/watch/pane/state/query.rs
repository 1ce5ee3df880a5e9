//! A pattern as a user types it: a regular expression, in any case unless it has capitals.

use regex::{Regex, RegexBuilder};

use super::records::Record;

/// A compiled pattern may take so many bytes.
const COMPILED_MAX: usize = 1 << 20;

/// A pattern.
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    regex: Regex,
}

impl Query {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, on one line.
    pub fn new(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(text)
            .case_insensitive(!has_capital(text))
            .multi_line(true)
            .size_limit(COMPILED_MAX)
            .build()
            .map_err(|error| reason(&error))?;
        Ok(Self {
            text: text.into(),
            regex,
        })
    }

    /// As it was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the record's text, as it is shown, matches.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        self.regex.is_match(&record.plain())
    }

    /// Where in a text without colours the hits are: byte ranges that are not empty.
    pub fn hits<'a>(&'a self, plain: &'a str) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
        self.regex
            .find_iter(plain)
            .map(|it| it.range())
            .filter(|it| !it.is_empty())
    }
}

/// Whether a pattern has a capital letter that stands for itself: not that of a class like `\S`.
fn has_capital(text: &str) -> bool {
    let mut escaped = false;
    text.chars().any(|letter| {
        let counts = letter.is_uppercase() && !escaped;
        escaped = letter == '\\' && !escaped;
        counts
    })
}

fn reason(error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(_) = error {
        return "the pattern is too large".into();
    }
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(pattern: &str, text: &str) -> usize {
        Query::new(pattern).unwrap().hits(text).count()
    }

    #[test]
    fn capitals_make_a_pattern_exact_and_classes_do_not() {
        assert_eq!(hits("error", "Error error"), 2);
        assert_eq!(hits("Error", "Error error"), 1);
        assert_eq!(hits(r"error\S", "Errors errors"), 2);
    }

    #[test]
    fn what_matches_nothing_is_no_hit() {
        assert_eq!(hits("x*", "axxb"), 1);
        assert_eq!(hits("^b", "a\nb"), 1);
    }

    #[test]
    fn a_broken_pattern_says_why_on_one_line() {
        assert_eq!(Query::new("(a").unwrap_err(), "unclosed group");
        assert_eq!(
            Query::new(r"\w{9999}").unwrap_err(),
            "the pattern is too large"
        );
    }
}
