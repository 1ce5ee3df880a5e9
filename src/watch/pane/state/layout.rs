//! The layout of the screen: rows for its parts, and columns beside the texts.

use super::Screen;
use super::timestamps::{self, Times};
use crate::watch::operations::OperationState;

/// Least height for rules between the parts, in rows.
const RULED: u16 = 14;
/// Least height for a line each for counts and keys, in rows.
const TWO_LINES: u16 = 8;
/// Columns for the focus or a mark, and for the level.
const GUTTER: u16 = 3;
/// Least width at which times are shown, in columns.
const TIMES_FIT: u16 = 50;
/// Least width at which operations' names are shown beside messages, in columns.
const NAMES_FIT: u16 = 70;
/// Greatest width of an operation's name, in columns.
const NAME_MAX: usize = 14;

/// The rows of each part, from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// One for each operation that fits.
    pub operations: u16,
    /// Whether there is a rule above and below the messages.
    pub rules: bool,
    /// Messages.
    pub body: u16,
    /// Counts and keys.
    pub footer: u16,
}

/// The columns of each part of a record, with the space after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The focus or a mark, and the level.
    pub gutter: u16,
    /// The time.
    pub time: u16,
    /// The operation's name.
    pub name: u16,
    /// The text.
    pub text: u16,
}

impl Screen {
    /// Returns the rows of the parts below the first line, which shows the connection's state.
    #[must_use]
    pub fn parts(&self) -> Parts {
        let rules = self.height >= RULED;
        let footer = if self.height >= TWO_LINES { 2 } else { 1 };
        let left = self
            .height
            .saturating_sub(1 + footer + 2 * u16::from(rules));
        // Most of the screen is for messages, however many operations there are.
        let operations = u16::try_from(self.operations().count()).unwrap_or(u16::MAX);
        let operations = operations.min(left / 3);
        Parts {
            operations,
            rules,
            body: left.saturating_sub(operations).max(1),
            footer,
        }
    }

    /// Returns the columns of a record's parts.
    #[must_use]
    pub fn columns(&self) -> Columns {
        let time = if self.width >= TIMES_FIT && self.times != Times::Off {
            timestamps::WIDTH + 1
        } else {
            0
        };
        let name = if self.width >= NAMES_FIT {
            self.name_width()
        } else {
            0
        };
        let text = self.width.saturating_sub(GUTTER + time + name).max(1);
        Columns {
            gutter: GUTTER,
            time,
            name,
            text,
        }
    }

    /// Returns the columns for names: none if there are not several names to tell apart.
    fn name_width(&self) -> u16 {
        let names = || self.all_operations().filter_map(OperationState::name);
        let first = names().next();
        let differ = names().any(|it| Some(it) != first);
        let longest = names().map(|it| it.chars().count()).max();
        let longest = longest.filter(|_| differ).unwrap_or(0);
        match longest.max(self.longest_label).min(NAME_MAX) {
            0 => 0,
            width => u16::try_from(width + 1).unwrap_or(u16::MAX),
        }
    }
}
