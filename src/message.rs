//! What a publisher may send: a [`Message`] and its parts.
//!
//! Every part checks its own rule when it is created (`docs/http-api.md`), so that the rest of the crate never meets an
//! operation name with a newline or a progress of minus three. Nothing here knows how a message is encoded (`wire`) or
//! stored (`hub`).

mod progress;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

pub use progress::{Progress, UNIT_MAX_CHARS};

/// Upper bound of an operation's name, in characters.
pub const OPERATION_MAX_CHARS: usize = 128;
/// Upper bound of an event name, in bytes (it is ASCII).
pub const EVENT_NAME_MAX: usize = 64;
/// The event name of a message without one.
pub const DEFAULT_EVENT: &str = "debug";
/// What the text of a message begins with that says that its operation begins.
pub(crate) const STARTED: &str = "Started ";
/// Event names that only the server may use.
pub const RESERVED_EVENTS: [&str; 3] = ["gap", "end", "control"];

/// One message: its text, and what else the publisher said about it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// The text, with the publisher's line ends. It may be empty, and may have several lines.
    pub text: String,
    /// The level.
    pub level: Option<Level>,
    /// The operation it belongs to.
    pub operation: Option<Operation>,
    /// The progress of that operation.
    pub progress: Option<Progress>,
    /// Set on the message that ends its operation.
    pub outcome: Option<Outcome>,
    /// The event name; `None` means [`DEFAULT_EVENT`].
    pub event: Option<EventName>,
    /// Anything else: one JSON object on one line, passed on unread.
    pub fields: Option<Box<str>>,
    /// Whether the server sent it, not a publisher.
    pub system: bool,
}

impl Message {
    /// Creates a message that has only a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// Creates a message of the server itself.
    pub fn system(level: Option<Level>, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            level,
            system: true,
            ..Self::default()
        }
    }

    /// Returns whether it has only a text.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Self {
            text: _,
            level,
            operation,
            progress,
            outcome,
            event,
            fields,
            system,
        } = self;
        let said =
            level.is_some() || outcome.is_some() || progress.is_some() || operation.is_some();
        !(said || event.is_some() || fields.is_some() || *system)
    }

    /// Returns whether it says that its operation begins.
    #[cfg(feature = "client")]
    pub(crate) fn is_start(&self) -> bool {
        self.operation.is_some() && self.text.starts_with(STARTED)
    }

    /// Returns its event name, or the default.
    #[must_use]
    pub fn event_name(&self) -> &str {
        self.event.as_ref().map_or(DEFAULT_EVENT, EventName::as_str)
    }

    /// Returns how many bytes it holds on the heap.
    #[must_use]
    pub fn heap_size(&self) -> usize {
        self.text.len()
            + self.operation.as_ref().map_or(0, |it| it.0.len())
            + self
                .progress
                .as_ref()
                .map_or(0, |it| it.unit().map_or(0, str::len))
            + self.event.as_ref().map_or(0, |it| it.0.len())
            + self.fields.as_ref().map_or(0, |it| it.len())
    }
}

/// Why a part of a message was refused. The text names the part, the rule and the value.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// Not one of the five levels.
    #[error("level must be trace, debug, info, warn or error, not {0:?}")]
    Level(String),
    /// Not one of the three outcomes.
    #[error("outcome must be ok, failed or cancelled, not {0:?}")]
    Outcome(String),
    /// Empty, too long, or with control characters.
    #[error("operation must be 1 to {OPERATION_MAX_CHARS} characters without control characters")]
    Operation,
    /// Not a name that a publisher may use.
    #[error(
        "event must be 1 to {EVENT_NAME_MAX} of the characters A-Z a-z 0-9 _ . - and none of {reserved}, not {0:?}",
        reserved = RESERVED_EVENTS.join(", ")
    )]
    Event(String),
    /// Numbers out of range, or not numbers.
    #[error(
        "progress must be a current number of at least 0 and, optionally, a total of at least 0 (as in 3/120), not {0:?}"
    )]
    Progress(String),
    /// The unit is too long or has control characters.
    #[error("progress unit must be at most {UNIT_MAX_CHARS} characters without control characters")]
    Unit,
}

/// How much a message matters, from `Trace` (least) to `Error` (most).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The finest detail.
    Trace,
    /// For finding a fault.
    Debug,
    /// What happens.
    Info,
    /// What may go wrong.
    Warn,
    /// What went wrong.
    Error,
}

/// The words and numbers for each level: the names in common logging libraries, 0 to 7 as in syslog (RFC 5424, 6.2.1),
/// 10 to 60 as in pino.
const LEVEL_WORDS: [(Level, &[&str]); 5] = [
    (Level::Trace, &["trace", "verbose", "10"]),
    (Level::Debug, &["debug", "fine", "7", "20"]),
    (
        Level::Info,
        &["info", "information", "notice", "5", "6", "30"],
    ),
    (Level::Warn, &["warn", "warning", "4", "40"]),
    (
        Level::Error,
        &[
            "error", "err", "fatal", "crit", "critical", "alert", "emerg", "panic", "severe", "0",
            "1", "2", "3", "50", "60",
        ],
    ),
];

impl Level {
    /// All levels, the lowest first.
    pub(crate) const ALL: [Self; 5] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
    ];

    /// Returns the level for this word or number, in any case; `None` if it is unknown. [`Level::from_str`] accepts
    /// only the levels' own names.
    #[must_use]
    pub fn said(word: &str) -> Option<Self> {
        let is_said = |it: &&str| it.eq_ignore_ascii_case(word.trim());
        LEVEL_WORDS
            .iter()
            .find(|(_, words)| words.iter().any(is_said))
            .map(|(level, _)| *level)
    }

    /// Returns its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl FromStr for Level {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        [
            Self::Trace,
            Self::Debug,
            Self::Info,
            Self::Warn,
            Self::Error,
        ]
        .into_iter()
        .find(|it| it.as_str() == name)
        .ok_or_else(|| Invalid::Level(shortened(name)))
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Ok,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl Outcome {
    /// Returns its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for Outcome {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        [Self::Ok, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|it| it.as_str() == name)
            .ok_or_else(|| Invalid::Outcome(shortened(name)))
    }
}

/// The name of an operation: 1 to [`OPERATION_MAX_CHARS`] characters, no control
/// characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation(Box<str>);

impl Operation {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Operation {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let fits = (1..=OPERATION_MAX_CHARS).contains(&name.chars().count());
        if fits && !name.contains(char::is_control) {
            Ok(Self(name.into()))
        } else {
            Err(Invalid::Operation)
        }
    }
}

/// An event name that a publisher may use: `[A-Za-z0-9_.-]{1,64}`, not a reserved one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName(Box<str>);

impl EventName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventName {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if (1..=EVENT_NAME_MAX).contains(&name.len())
            && name.bytes().all(allowed)
            && !RESERVED_EVENTS.contains(&name)
        {
            Ok(Self(name.into()))
        } else {
            Err(Invalid::Event(shortened(name)))
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Returns the beginning of a refused value, so that error texts stay short.
fn shortened(value: &str) -> String {
    const QUOTED_MAX_CHARS: usize = 40;
    let mut start: String = value.chars().take(QUOTED_MAX_CHARS).collect();
    if start.len() < value.len() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_as_they_are_written() {
        for level in ["trace", "debug", "info", "warn", "error"] {
            assert_eq!(level.parse::<Level>().unwrap().as_str(), level);
        }
        for outcome in ["ok", "failed", "cancelled"] {
            assert_eq!(outcome.parse::<Outcome>().unwrap().as_str(), outcome);
        }
        assert!("Info".parse::<Level>().is_err());
        assert!("fatal".parse::<Level>().is_err());
        assert!(Level::Error > Level::Warn);
    }

    #[test]
    fn a_level_is_read_in_any_case_as_a_word_or_a_number() {
        for (said, level) in [
            ("Info", Some(Level::Info)),
            ("WARNING", Some(Level::Warn)),
            (" Notice ", Some(Level::Info)),
            ("emerg", Some(Level::Error)),
            ("0", Some(Level::Error)),
            ("7", Some(Level::Debug)),
            ("60", Some(Level::Error)),
            ("8", None),
            ("70", None),
            ("", None),
            ("loud", None),
        ] {
            assert_eq!(Level::said(said), level, "{said:?}");
        }
    }

    #[test]
    fn reserved_and_malformed_event_names_are_refused() {
        for name in [
            "gap",
            "end",
            "control",
            "",
            "two words",
            "a\nb",
            &"x".repeat(65),
        ] {
            assert!(name.parse::<EventName>().is_err(), "{name:?}");
        }
        assert_eq!(
            "build.step-1".parse::<EventName>().unwrap().as_str(),
            "build.step-1"
        );
    }

    #[test]
    fn operations_are_bounded_in_characters_not_bytes() {
        assert!("ü".repeat(128).parse::<Operation>().is_ok());
        assert!("ü".repeat(129).parse::<Operation>().is_err());
        assert!("tab\there".parse::<Operation>().is_err());
    }
}
