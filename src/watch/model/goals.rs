//! What ends a watch: a count, a text, an outcome, a failure.

use std::str::FromStr;

use regex::{Regex, RegexBuilder};
use thiserror::Error;

use crate::message::{Level, Message};
use crate::terminal::safe_text::visible;
use crate::watch::tally::LEVELS;

/// What ends a watch, besides the end of its stream.
#[derive(Clone, Debug, Default)]
pub struct Goals {
    /// This many messages.
    pub count: Option<u64>,
    /// A message whose text matches.
    pub until: Option<Regex>,
    /// The outcome of the operation that began first, or one without an operation.
    pub until_done: bool,
    /// A message that means failure.
    pub fail_on: Option<Matcher>,
    /// Whether the watch continues after such a message, so that its command can finish.
    pub goes_on: bool,
    /// A message that means failure and always ends the watch.
    pub stop_on: Option<Matcher>,
    /// Whether to subscribe again under the same ID after the server ended it for idleness.
    pub stay: bool,
}

/// Selects messages by their level or their text.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// This level, or a worse one.
    Level(Level),
    /// A text that matches.
    Text(Regex),
}

/// Why a text is not a matcher.
#[derive(Clone, Debug, Error)]
pub enum NoMatcher {
    /// Not a valid regular expression.
    #[error(transparent)]
    Regex(#[from] regex::Error),
    /// A word that is almost a level's name.
    #[error("{text} is not a level; write {level}, or /{text}/ for messages with that text")]
    NearlyLevel {
        /// What was given.
        text: String,
        /// The level that may be meant.
        level: Level,
    },
}

impl FromStr for Matcher {
    type Err = NoMatcher;

    /// Parses a level's name, in any case, or else a regular expression, with or without slashes around it.
    fn from_str(text: &str) -> Result<Self, NoMatcher> {
        let name = text.to_ascii_lowercase();
        if let Ok(level) = name.parse() {
            return Ok(Self::Level(level));
        }
        let is_near = |level: &&Level| strsim::osa_distance(&name, level.as_str()) == 1;
        if let Some(level) = LEVELS.iter().find(is_near) {
            return Err(NoMatcher::NearlyLevel {
                text: text.into(),
                level: *level,
            });
        }
        let between_slashes = text.strip_prefix('/').and_then(|it| it.strip_suffix('/'));
        let regex = between_slashes.filter(|it| !it.is_empty()).unwrap_or(text);
        Ok(Self::Text(pattern(regex)?))
    }
}

/// Parses a regular expression for the texts of messages: `^` and `$` match at each line.
///
/// # Errors
/// If the expression is not valid.
pub fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).multi_line(true).build()
}

impl Matcher {
    /// Returns whether a message is selected.
    pub(super) fn matches(&self, message: &Message) -> bool {
        match self {
            Self::Level(worst) => message.level.is_some_and(|level| level >= *worst),
            Self::Text(regex) => !message.system && regex.is_match(&visible(&message.text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_in_any_case_and_a_mistyped_one_is_an_error() {
        for text in ["error", "Error", "ERROR"] {
            let level = text.parse::<Matcher>().unwrap();
            assert!(matches!(level, Matcher::Level(Level::Error)), "{text}");
        }
        for (text, meant) in [
            ("eror", "error"),
            ("erorr", "error"),
            ("Wran", "warn"),
            ("inf", "info"),
        ] {
            let error = text.parse::<Matcher>().unwrap_err().to_string();
            let expected = format!(
                "{text} is not a level; write {meant}, or /{text}/ for messages with that text"
            );
            assert_eq!(error, expected);
        }
        for text in ["/eror/", "eror!", "fatal", "ERR", "panic"] {
            let said = text.trim_matches('/');
            let matcher = text.parse::<Matcher>().unwrap();
            assert!(matcher.matches(&Message::text(said)), "{text}");
        }
    }
}
