//! A search pattern as typed by the user: a regular expression, case-insensitive unless it has capitals.

use regex::{Regex, RegexBuilder};

use super::records::Record;

/// Upper bound of a compiled pattern, in bytes.
const COMPILED_MAX: usize = 1 << 20;

/// A pattern.
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    regex: Regex,
}

impl Query {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Why it is not valid, on one line.
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

    /// Returns the pattern as it was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether the record's text, as it is shown, matches.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        self.regex.is_match(&record.plain())
    }

    /// Returns the matches in a text without colours: byte ranges that are not empty.
    pub fn hits<'a>(&'a self, plain: &'a str) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
        self.regex
            .find_iter(plain)
            .map(|it| it.range())
            .filter(|it| !it.is_empty())
    }
}

/// Returns whether a pattern has a capital letter that stands for itself, unlike that of a class such as `\S`.
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
    fn capitals_make_a_pattern_case_sensitive_and_classes_do_not() {
        assert_eq!(hits("error", "Error error"), 2);
        assert_eq!(hits("Error", "Error error"), 1);
        assert_eq!(hits(r"error\S", "Errors errors"), 2);
    }

    #[test]
    fn an_empty_match_is_no_hit() {
        assert_eq!(hits("x*", "axxb"), 1);
        assert_eq!(hits("^b", "a\nb"), 1);
    }

    #[test]
    fn an_invalid_pattern_says_why_on_one_line() {
        assert_eq!(Query::new("(a").unwrap_err(), "unclosed group");
        assert_eq!(
            Query::new(r"\w{9999}").unwrap_err(),
            "the pattern is too large"
        );
    }
}
