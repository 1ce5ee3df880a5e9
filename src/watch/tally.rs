//! Counts for the summary at a watch's end.

use std::cmp::Reverse;
use std::time::Duration;

use super::format;
use crate::client::subscribe::{Received, Update};
use crate::event::{Gap, UnixMillis};
use crate::message::{Level, Message};

/// Upper bound of the waits that are kept, the longest ones.
const WAITS: usize = 3;
/// Shortest wait that is kept.
const WAIT_MIN: Duration = Duration::from_millis(250);
/// Greatest width of a quoted message, in columns.
const QUOTE_WIDTH: usize = 60;
/// How much of a message's first line is kept for quoting, in bytes.
const QUOTE_BYTES: usize = 1 << 10;

/// Counts that only the summary needs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// When the stream was first open.
    pub(super) began_at: Option<Duration>,
    first: Option<Moment>,
    last: Option<Moment>,
    /// The first line of the last message.
    last_line: String,
    /// The longest first.
    pub(super) waits: Vec<Wait>,
    /// How many messages of each level, the worst first; the last is for those without one.
    pub(super) levels: [u64; LEVELS.len() + 1],
    first_error: Option<(Moment, String)>,
    pub(super) lost_unknown: bool,
}

/// When a message arrived, and when the server accepted it. Replayed messages arrive all at once.
#[derive(Clone, Copy, Debug)]
struct Moment {
    arrived: Duration,
    time: Option<UnixMillis>,
}

impl Moment {
    /// Returns how much later than another this was.
    fn after(self, earlier: Self) -> Duration {
        match (earlier.time, self.time) {
            (Some(earlier), Some(time)) => Duration::from_millis(time.saturating_sub(earlier)),
            _ => self.arrived.saturating_sub(earlier.arrived),
        }
    }
}

pub(super) const LEVELS: [Level; 5] = [
    Level::Error,
    Level::Warn,
    Level::Info,
    Level::Debug,
    Level::Trace,
];

/// A time without messages, and the message that came before it.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) length: Duration,
    pub(super) after: String,
}

impl Tally {
    pub(super) fn update(&mut self, update: &Update, now: Duration) {
        match update {
            Update::Connected { .. } => _ = self.began_at.get_or_insert(now),
            Update::Message(received) => self.message(received, now),
            Update::Gap(Gap::Possible | Gap::Unknown) => self.lost_unknown = true,
            _ => {}
        }
    }

    fn message(&mut self, received: &Received, now: Duration) {
        let message = &received.message;
        let moment = Moment {
            arrived: now,
            time: received.time,
        };
        if message.level == Some(Level::Error) && self.first_error.is_none() {
            self.first_error = Some((moment, quote(message)));
        }
        if message.system {
            return;
        }
        let level = LEVELS.iter().position(|it| Some(*it) == message.level);
        self.levels[level.unwrap_or(LEVELS.len())] += 1;
        self.first.get_or_insert(moment);
        if let Some(last) = self.last.replace(moment) {
            self.waited(moment.after(last));
        }
        let line = first_line(&message.text);
        self.last_line.clear();
        self.last_line
            .push_str(&line[..line.floor_char_boundary(QUOTE_BYTES)]);
    }

    /// Notes a time without messages after the last one.
    fn waited(&mut self, length: Duration) {
        let is_among_longest =
            self.waits.len() < WAITS || self.waits.last().is_some_and(|it| it.length < length);
        if length >= WAIT_MIN && is_among_longest {
            self.waits.truncate(WAITS - 1);
            let after = quoted(&self.last_line);
            self.waits.push(Wait { length, after });
            self.waits.sort_by_key(|it| Reverse(it.length));
        }
    }

    /// Returns the time since the stream was first open; `None` if it never was.
    pub(super) fn taken(&self, now: Duration) -> Option<Duration> {
        let since_last = |last: Moment| now.saturating_sub(last.arrived);
        Some(match self.last {
            Some(last) => self.until(last)? + since_last(last),
            None => now.saturating_sub(self.began_at?),
        })
    }

    /// Returns when the first error came, after the stream was first open, and the error.
    pub(super) fn first_error(&self) -> Option<(Duration, &str)> {
        let (moment, text) = self.first_error.as_ref()?;
        Some((self.until(*moment)?, text))
    }

    fn until(&self, moment: Moment) -> Option<Duration> {
        let first = self.first.unwrap_or(moment);
        Some(first.arrived.saturating_sub(self.began_at?) + moment.after(first))
    }
}

/// Returns the beginning of a message's first line, in quotes.
pub(super) fn quote(message: &Message) -> String {
    quoted(first_line(&message.text))
}

fn quoted(line: &str) -> String {
    format!("\"{}\"", format::cut(line, QUOTE_WIDTH))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
