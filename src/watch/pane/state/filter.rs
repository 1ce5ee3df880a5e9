//! The filter: a pattern, which may be negated, and a least level.

use super::query::Query;
use super::records::{Record, RecordKind};
use crate::message::{Level, Outcome};

/// The level of a message without one.
const UNSAID: Level = Level::Info;

/// Which records are shown. The server's and the watcher's notes always are.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pattern: Option<Pattern>,
    level: Option<Level>,
}

#[derive(Clone, Debug)]
struct Pattern {
    query: Query,
    excludes: bool,
}

impl Filter {
    /// Shows what matches the pattern; with `!` in front, what does not. An empty one removes the pattern.
    ///
    /// # Errors
    /// Why the pattern is not valid, on one line.
    pub fn set_pattern(&mut self, text: &str) -> Result<(), String> {
        let (excludes, pattern) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        self.pattern = if pattern.is_empty() {
            None
        } else {
            let query = Query::new(pattern)?;
            Some(Pattern { query, excludes })
        };
        Ok(())
    }

    /// Returns the least level that is shown; `None` if all are.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// Shows this level and worse ones.
    pub fn set_level(&mut self, least: Level) {
        self.level = (least > Level::Trace).then_some(least);
    }

    /// Hides one more level, given the lowest level in the stream.
    pub fn raise(&mut self, lowest: Level) {
        self.level = match self.level.unwrap_or(lowest).max(lowest) {
            Level::Trace => Some(Level::Debug),
            Level::Debug => Some(Level::Info),
            Level::Info => Some(Level::Warn),
            Level::Warn | Level::Error => Some(Level::Error),
        };
    }

    /// Shows one more level, or all if there is none below `lowest`.
    pub fn lower(&mut self, lowest: Level) {
        let lowered = match self.level {
            None | Some(Level::Trace | Level::Debug) => None,
            Some(Level::Info) => Some(Level::Debug),
            Some(Level::Warn) => Some(Level::Info),
            Some(Level::Error) => Some(Level::Warn),
        };
        self.level = lowered.filter(|it| *it > lowest);
    }

    /// Returns the level by which a record is filtered.
    #[must_use]
    pub fn level_of(record: &Record) -> Level {
        let failed = record.outcome() == Some(Outcome::Failed);
        let unsaid = if failed { Level::Error } else { UNSAID };
        record.level.unwrap_or(unsaid)
    }

    /// Returns whether a record is shown.
    #[must_use]
    pub fn passes(&self, record: &Record) -> bool {
        if record.kind != RecordKind::Message {
            return true;
        }
        self.level
            .is_none_or(|least| Self::level_of(record) >= least)
            && self
                .pattern
                .as_ref()
                .is_none_or(|it| it.query.matches(record) != it.excludes)
    }

    /// Returns the pattern as it was typed; empty if there is none.
    #[must_use]
    pub fn pattern(&self) -> String {
        self.pattern.as_ref().map_or_else(String::new, |it| {
            let excludes = if it.excludes { "!" } else { "" };
            format!("{excludes}{}", it.query.text())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(level: Option<Level>, text: &str) -> Record {
        Record::own(RecordKind::Message, level, text, Duration::ZERO)
    }

    #[test]
    fn a_pattern_includes_or_excludes_and_an_empty_one_does_neither() {
        let mut filter = Filter::default();
        let (a, b) = (record(None, "apple"), record(None, "berry"));
        for (pattern, shown) in [
            ("app", (true, false)),
            ("!app", (false, true)),
            ("", (true, true)),
            ("!", (true, true)),
        ] {
            filter.set_pattern(pattern).unwrap();
            assert_eq!((filter.passes(&a), filter.passes(&b)), shown, "{pattern}");
        }
    }

    #[test]
    fn levels_go_up_and_down_and_a_missing_one_counts_as_info() {
        let mut filter = Filter::default();
        let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn];
        for hidden in 1..=4 {
            filter.raise(Level::Trace);
            let passes = levels.map(|it| filter.passes(&record(Some(it), "x")));
            assert_eq!(passes.iter().filter(|it| !**it).count(), hidden);
            assert_eq!(filter.passes(&record(None, "x")), hidden <= 2);
        }
        for _ in 0..4 {
            filter.lower(Level::Trace);
        }
        assert_eq!(filter.level(), None);
    }

    #[test]
    fn the_first_step_hides_something() {
        let mut filter = Filter::default();
        filter.raise(Level::Info);
        assert_eq!(filter.level(), Some(Level::Warn));
        filter.lower(Level::Info);
        assert_eq!(filter.level(), None);
        filter.set_level(Level::Error);
        assert_eq!(filter.level(), Some(Level::Error));
        filter.set_level(Level::Trace);
        assert_eq!(filter.level(), None);
    }

    #[test]
    fn notes_about_the_stream_are_never_hidden() {
        let mut filter = Filter::default();
        filter.set_pattern("nothing like it").unwrap();
        let note = Record::own(RecordKind::Note, None, "3 messages lost", Duration::ZERO);
        assert!(filter.passes(&note));
    }
}
