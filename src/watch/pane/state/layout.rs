//! How the screen is divided: rows for its parts, and columns for what stands beside a text.

use super::Screen;
use super::timestamps::{self, Times};
use crate::watch::operations::OperationState;

/// From this height on there are lines between the parts.
const RULED: u16 = 14;
/// From this height on the counts and the keys have a line each.
const TWO_LINES: u16 = 8;
/// The columns for the focus or a mark, and for the level.
const GUTTER: u16 = 3;
/// From this width on times are shown.
const TIMES_FIT: u16 = 50;
/// From this width on the operations' names are shown beside messages.
const NAMES_FIT: u16 = 70;
/// The most columns for the operations' names.
const NAME_MAX: usize = 14;

/// How many rows each part has, from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// One each for the operations that fit.
    pub operations: u16,
    /// Whether a line stands above and below the messages.
    pub rules: bool,
    /// Messages.
    pub body: u16,
    /// Counts and keys.
    pub footer: u16,
}

/// How many columns each part of a record has, with the space after it.
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
    /// The screen's parts: one line for the state, then these.
    #[must_use]
    pub fn parts(&self) -> Parts {
        let rules = self.height >= RULED;
        let footer = if self.height >= TWO_LINES { 2 } else { 1 };
        let left = self
            .height
            .saturating_sub(1 + footer + 2 * u16::from(rules));
        // However many operations there are, most of the screen is for messages.
        let operations = u16::try_from(self.operations().count()).unwrap_or(u16::MAX);
        let operations = operations.min(left / 3);
        Parts {
            operations,
            rules,
            body: left.saturating_sub(operations).max(1),
            footer,
        }
    }

    /// How a row of a record is divided.
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

    /// Names stand beside messages where there is more than one to tell apart.
    fn name_width(&self) -> u16 {
        let names = || self.all_operations().filter_map(OperationState::name);
        let first = names().next();
        let are_told_apart = names().any(|it| Some(it) != first);
        let longest = names().map(|it| it.chars().count()).max();
        let longest = longest.filter(|_| are_told_apart).unwrap_or(0);
        match longest.max(self.longest_label).min(NAME_MAX) {
            0 => 0,
            width => u16::try_from(width + 1).unwrap_or(u16::MAX),
        }
    }
}
