//! What is counted of a watch while it runs, for the summary at its end.

use std::cmp::Reverse;
use std::time::Duration;

use super::format;
use crate::client::subscribe::Update;
use crate::event::Gap;
use crate::message::{Level, Message};

/// So many of the longest gaps between messages are told, unless they are shorter than the second.
const GAPS: usize = 3;
const GAP_MIN: Duration = Duration::from_millis(250);
/// A message is quoted no wider than this.
const QUOTE_WIDTH: usize = 60;

/// What a summary needs and the model does not keep for anything else.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// When the stream was first open.
    pub(super) began_at: Option<Duration>,
    last_at: Option<Duration>,
    /// The longest first.
    pub(super) gaps: Vec<Pause>,
    /// How many messages of each level, the worst first; the last is for those without one.
    pub(super) levels: [u64; LEVELS.len() + 1],
    pub(super) first_error: Option<(Duration, String)>,
    pub(super) lost_unknown: bool,
}

pub(super) const LEVELS: [Level; 5] = [
    Level::Error,
    Level::Warn,
    Level::Info,
    Level::Debug,
    Level::Trace,
];

/// A time without messages, and the message that ended it.
#[derive(Debug)]
pub(super) struct Pause {
    pub(super) length: Duration,
    pub(super) before: String,
}

impl Tally {
    pub(super) fn update(&mut self, update: &Update, now: Duration) {
        match update {
            Update::Connected { .. } => _ = self.began_at.get_or_insert(now),
            Update::Message(received) => self.message(&received.message, now),
            Update::Gap(Gap::Unknown) => self.lost_unknown = true,
            _ => {}
        }
    }

    fn message(&mut self, message: &Message, now: Duration) {
        if message.level == Some(Level::Error) && self.first_error.is_none() {
            self.first_error = Some((now, quote(message)));
        }
        if message.system {
            return;
        }
        let level = LEVELS.iter().position(|it| Some(*it) == message.level);
        self.levels[level.unwrap_or(LEVELS.len())] += 1;
        let length = now.saturating_sub(self.last_at.replace(now).unwrap_or(now));
        let is_among_longest =
            self.gaps.len() < GAPS || self.gaps.last().is_some_and(|it| it.length < length);
        if length >= GAP_MIN && is_among_longest {
            self.gaps.truncate(GAPS - 1);
            let before = quote(message);
            self.gaps.push(Pause { length, before });
            self.gaps.sort_by_key(|it| Reverse(it.length));
        }
    }
}

/// The begin of a message's first line, in quotes.
pub(super) fn quote(message: &Message) -> String {
    let line = message.text.lines().next().unwrap_or_default();
    format!("\"{}\"", format::cut(line, QUOTE_WIDTH))
}
