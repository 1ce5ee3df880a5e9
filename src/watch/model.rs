//! What a watch has seen, and when it is over.
//!
//! Pure: updates come in, each with the time since the watch began, and a verdict comes out.

use std::str::FromStr;
use std::time::Duration;

use regex::{Regex, RegexBuilder};
use thiserror::Error;

use super::operations::{Operations, is_loss};
use super::tally::{LEVELS, Tally, quote};
use crate::client::subscribe::Update;
use crate::event::{End, Gap};
use crate::message::{Level, Message, Outcome};
use crate::terminal::safe_text::visible;

/// What ends a watch besides the end of its stream.
#[derive(Clone, Debug, Default)]
pub struct Goals {
    /// So many messages.
    pub count: Option<u64>,
    /// A message that matches.
    pub until: Option<Regex>,
    /// A message with an outcome.
    pub until_done: bool,
    /// A message that means failure.
    pub fail_on: Option<Matcher>,
    /// Whether the watch goes on after one, so that a command comes to its end.
    pub goes_on: bool,
    /// A message that means failure, and ends the watch in any case.
    pub stop_on: Option<Matcher>,
    /// Whether to go on under the same ID after the server ended it for idleness.
    pub stay: bool,
}

/// Which messages are meant: by their level or by their text.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// This level, or a worse one.
    Level(Level),
    /// A text that matches.
    Text(Regex),
}

/// Why a text is no matcher.
#[derive(Clone, Debug, Error)]
pub enum NoMatcher {
    /// No regular expression.
    #[error(transparent)]
    Regex(#[from] regex::Error),
    /// A word that is almost a level's name.
    #[error("{text} is no level; write {level}, or /{text}/ for messages with that text")]
    NearlyLevel {
        /// What was written.
        text: String,
        /// What may be meant.
        level: Level,
    },
}

impl FromStr for Matcher {
    type Err = NoMatcher;

    /// A level's name, in any case, means the level; `/…/` and anything else is a regular expression.
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

/// Reads a regular expression for messages' texts, in which `^` and `$` match at each line.
///
/// # Errors
/// If it is none.
pub fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).multi_line(true).build()
}

impl Matcher {
    fn matches(&self, message: &Message) -> bool {
        match self {
            Self::Level(worst) => message.level.is_some_and(|level| level >= *worst),
            Self::Text(regex) => !message.system && regex.is_match(&visible(&message.text)),
        }
    }
}

/// How a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The stream ended, or what was waited for came.
    Done,
    /// What was waited for failed, was cancelled, or will never come.
    Failed,
    /// A message came that means failure, by [`Goals::fail_on`] or [`Goals::stop_on`].
    Alarm,
}

/// What a watch has seen so far.
#[derive(Debug, Default)]
pub struct Model {
    goals: Goals,
    received: u64,
    lost: u64,
    older: u64,
    /// The first message that meant failure.
    failure: Option<String>,
    is_connected: bool,
    /// The last event ID; `None` if nobody wants to know it.
    last_event_id: Option<String>,
    /// When the last message came, or the connection was made.
    news_at: Duration,
    /// `None` where no view shows them: following each costs more than writing a line does.
    operations: Option<Operations>,
    /// `None` where no summary is wanted.
    tally: Option<Tally>,
}

impl Model {
    /// A watch that has seen nothing.
    #[must_use]
    pub fn new(goals: Goals) -> Self {
        Self {
            goals,
            ..Self::default()
        }
    }

    /// The same, which also follows the messages' operations.
    #[must_use]
    pub fn with_operations(self, operations: Operations) -> Self {
        Self {
            operations: Some(operations),
            ..self
        }
    }

    /// The same, which also keeps the account that a summary is made of.
    #[must_use]
    pub fn with_summary(self) -> Self {
        Self {
            tally: Some(Tally::default()),
            ..self
        }
    }

    /// The same, which also keeps the last event ID.
    #[must_use]
    pub fn with_last_event_id(self) -> Self {
        Self {
            last_event_id: Some(String::new()),
            ..self
        }
    }

    /// Ends with the stream from now on, also if the server ends it for idleness.
    pub fn stay_no_longer(&mut self) {
        self.goals.stay = false;
    }

    pub(super) fn tally(&self) -> Option<&Tally> {
        self.tally.as_ref()
    }

    /// What is being worked on, where that is followed.
    #[must_use]
    pub fn operations(&self) -> Option<&Operations> {
        self.operations.as_ref()
    }

    /// Publishers' messages that came.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Messages known to be lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many messages were gone before the watch began.
    #[must_use]
    pub fn older(&self) -> u64 {
        self.older
    }

    /// The first message that meant failure by the goals, quoted.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The ID of the last event, if it has one and [`Self::with_last_event_id`] was asked for.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref().filter(|it| !it.is_empty())
    }

    /// How long nothing has come from publishers since the connection was made; `None` while there is
    /// none.
    #[must_use]
    pub fn quiet(&self, now: Duration) -> Option<Duration> {
        let quiet = now.saturating_sub(self.news_at);
        self.is_connected.then_some(quiet)
    }

    /// Whether there were operations, and all of them have ended, as far as they are followed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.operations
            .as_ref()
            .is_some_and(|it| it.all().next().is_some() && it.running().next().is_none())
    }

    /// Takes note of an update; some verdict when the watch is over with it.
    pub fn update(&mut self, update: &Update, now: Duration) -> Option<Verdict> {
        if let Some(tally) = &mut self.tally {
            tally.update(update, now);
        }
        match update {
            Update::Message(received) => {
                if let Some(operations) = &mut self.operations {
                    operations.update(&received.message, received.when(), now);
                }
                if !received.message.system {
                    self.news_at = now;
                }
                if let Some(last) = &mut self.last_event_id {
                    received.id.clone_into(last);
                }
                self.message(&received.message)
            }
            Update::Gap(gap) => {
                let missed = gap.missed().unwrap_or_default();
                if matches!(gap, Gap::BeforeJoining { .. }) {
                    self.older = self.older.saturating_add(missed);
                } else {
                    self.lost = self.lost.saturating_add(missed);
                }
                None
            }
            Update::End(End::Idle) if self.goals.stay => None,
            // An outcome that was waited for comes no more.
            Update::End(_) | Update::Gone if self.goals.until_done => Some(Verdict::Failed),
            Update::End(_) | Update::Gone => Some(Verdict::Done),
            Update::Connected { .. } => {
                self.is_connected = true;
                self.news_at = now;
                None
            }
            Update::Retrying { .. } => {
                self.is_connected = false;
                None
            }
            Update::Heartbeat | Update::Note(_) => None,
        }
    }

    fn message(&mut self, message: &Message) -> Option<Verdict> {
        self.received += u64::from(!message.system);
        // Failure goes first: a message may both fail and be the last one waited for.
        let matches = |it: &Option<Matcher>| it.as_ref().is_some_and(|it| it.matches(message));
        let (fails, stops) = (matches(&self.goals.fail_on), matches(&self.goals.stop_on));
        if fails || stops {
            self.failure.get_or_insert_with(|| quote(message));
        }
        if stops || fails && !self.goals.goes_on {
            return Some(Verdict::Alarm);
        }
        if message.system {
            // Its publisher is gone, and with it the outcome that was waited for.
            let is_lost = is_loss(message) && message.operation.is_some();
            return (self.goals.until_done && is_lost).then_some(Verdict::Failed);
        }
        if self.goals.until_done
            && let Some(outcome) = message.outcome
        {
            let ok = outcome == Outcome::Ok;
            return Some(if ok { Verdict::Done } else { Verdict::Failed });
        }
        let is_last = self.goals.count.is_some_and(|count| self.received >= count)
            || self
                .goals
                .until
                .as_ref()
                .is_some_and(|it| it.is_match(&visible(&message.text)));
        is_last.then_some(Verdict::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client::subscribe::Received, event::Format};

    const NOW: Duration = Duration::ZERO;

    fn message(message: Message) -> Update {
        Update::Message(Box::new(Received {
            id: String::new(),
            event: "debug".into(),
            time: None,
            message,
            foreign: None,
        }))
    }

    fn text(text: &str) -> Update {
        message(Message::text(text))
    }

    #[test]
    fn a_watch_ends_at_its_count_which_the_servers_own_messages_do_not_reach() {
        let mut model = Model::new(Goals {
            count: Some(2),
            ..Goals::default()
        });
        assert_eq!(
            model.update(&message(Message::system(None, "hello")), NOW),
            None
        );
        assert_eq!(model.update(&text("a"), NOW), None);
        assert_eq!(model.update(&text("b"), NOW), Some(Verdict::Done));
        assert_eq!(model.received(), 2);
    }

    #[test]
    fn an_outcome_decides_how_a_watch_until_done_ends() {
        for (outcome, verdict) in [
            (Outcome::Ok, Verdict::Done),
            (Outcome::Failed, Verdict::Failed),
            (Outcome::Cancelled, Verdict::Failed),
        ] {
            let mut model = Model::new(Goals {
                until_done: true,
                ..Goals::default()
            });
            assert_eq!(model.update(&text("working"), NOW), None);
            let done = Message {
                outcome: Some(outcome),
                ..Message::default()
            };
            assert_eq!(model.update(&message(done), NOW), Some(verdict));
        }
    }

    #[test]
    fn an_operation_whose_publisher_is_gone_has_failed() {
        let lost = |operation: Option<&str>| {
            message(Message {
                operation: operation.map(|it| it.parse().unwrap()),
                ..Message::system(Some(Level::Error), "Publisher disconnected")
            })
        };
        let model = |until_done| {
            Model::new(Goals {
                until_done,
                ..Goals::default()
            })
        };
        let build = Some("build");
        assert_eq!(model(true).update(&lost(build), NOW), Some(Verdict::Failed));
        assert_eq!(
            model(true).update(&lost(None), NOW),
            None,
            "another may go on"
        );
        assert_eq!(model(false).update(&lost(build), NOW), None);
    }

    #[test]
    fn failing_on_a_level_means_that_level_or_worse() {
        let goals = || Goals {
            fail_on: Some("warn".parse().unwrap()),
            ..Goals::default()
        };
        for (level, verdict) in [
            (Level::Info, None),
            (Level::Warn, Some(Verdict::Alarm)),
            (Level::Error, Some(Verdict::Alarm)),
        ] {
            let levelled = Message {
                level: Some(level),
                ..Message::text("x")
            };
            assert_eq!(Model::new(goals()).update(&message(levelled), NOW), verdict);
        }
        let fail_on: Matcher = "pan+ic".parse().unwrap();
        assert!(fail_on.matches(&Message::text("it pannnics")));
    }

    #[test]
    fn a_level_is_known_in_any_case_and_when_it_is_mistyped() {
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
            let told = format!(
                "{text} is no level; write {meant}, or /{text}/ for messages with that text"
            );
            assert_eq!(error, told);
        }
        for text in ["/eror/", "eror!", "fatal", "ERR", "panic"] {
            let said = text.trim_matches('/');
            let matcher = text.parse::<Matcher>().unwrap();
            assert!(matcher.matches(&Message::text(said)), "{text}");
        }
    }

    #[test]
    fn with_a_command_failure_is_remembered_and_ends_nothing_unless_it_is_to_stop() {
        let model = |stop_on: Option<&str>| {
            Model::new(Goals {
                fail_on: Some("warn".parse().unwrap()),
                goes_on: true,
                stop_on: stop_on.map(|it| it.parse().unwrap()),
                ..Goals::default()
            })
        };
        let at = |level, text| {
            message(Message {
                level: Some(level),
                ..Message::text(text)
            })
        };
        let mut goes_on = model(None);
        assert_eq!(goes_on.update(&at(Level::Warn, "first"), NOW), None);
        assert_eq!(goes_on.update(&at(Level::Error, "second"), NOW), None);
        assert_eq!(goes_on.failure(), Some("\"first\""));
        let mut stops = model(Some("error"));
        assert_eq!(stops.update(&at(Level::Warn, "first"), NOW), None);
        let verdict = stops.update(&at(Level::Error, "second"), NOW);
        assert_eq!(verdict, Some(Verdict::Alarm));
    }

    #[test]
    fn a_pattern_is_looked_for_in_what_is_seen_line_by_line() {
        for (wanted, said) in [
            (
                "error: disk full",
                "\x1b[1m\x1b[31merror\x1b[0m\x1b[1m: disk full\x1b[0m",
            ),
            ("^DONE$", "DONE\n"),
            ("^DONE$", "DONE\r\n"),
            ("^DONE$", "\x1b[32mDONE\x1b[0m\r"),
            ("^second$", "first\nsecond\nthird"),
        ] {
            let until = Some(pattern(wanted).unwrap());
            let mut model = Model::new(Goals {
                until,
                ..Goals::default()
            });
            let verdict = model.update(&text(said), NOW);
            assert_eq!(verdict, Some(Verdict::Done), "{said:?}");
            let fail_on: Matcher = wanted.parse().unwrap();
            assert!(fail_on.matches(&Message::text(said)), "{said:?}");
        }
    }

    #[test]
    fn the_servers_own_words_are_no_failure_but_its_errors_are() {
        let fails = |fail_on: &str, message| {
            let fail_on = Some(fail_on.parse().unwrap());
            Model::new(Goals {
                fail_on,
                ..Goals::default()
            })
            .update(&message, NOW)
        };
        let greeting = message(Message::system(None, "Starting server communication..."));
        assert_eq!(fails("server", greeting), None);
        let lost = message(Message::system(
            Some(Level::Error),
            "Publisher disconnected",
        ));
        assert_eq!(fails("error", lost), Some(Verdict::Alarm));
    }

    #[test]
    fn failure_goes_before_the_count() {
        let goals = Goals {
            count: Some(1),
            fail_on: Some("bad".parse().unwrap()),
            ..Goals::default()
        };
        let mut model = Model::new(goals);
        assert_eq!(model.update(&text("bad"), NOW), Some(Verdict::Alarm));
        assert_eq!(model.received(), 1);
    }

    #[test]
    fn it_is_quiet_since_the_last_message_or_the_connection_and_never_without_one() {
        let seconds = Duration::from_secs;
        let format = Format::Json;
        let mut model = Model::default();
        assert_eq!(model.quiet(seconds(1)), None);
        model.update(
            &Update::Connected {
                format,
                is_codechat: true,
            },
            seconds(1),
        );
        assert_eq!(model.quiet(seconds(3)), Some(seconds(2)));
        model.update(&text("a"), seconds(3));
        let farewell = Message::system(None, "Server shutting down...");
        model.update(&message(farewell), seconds(4));
        assert_eq!(model.quiet(seconds(5)), Some(seconds(2)));
        let lost = Update::Retrying {
            attempt: 1,
            delay: NOW,
            reason: "".into(),
        };
        model.update(&lost, seconds(6));
        assert_eq!(model.quiet(seconds(9)), None);
        model.update(
            &Update::Connected {
                format,
                is_codechat: true,
            },
            seconds(9),
        );
        assert_eq!(model.quiet(seconds(9)), Some(NOW));
    }

    #[test]
    fn an_outcome_that_comes_no_more_is_a_failure() {
        for end in [
            Update::End(End::Idle),
            Update::End(End::Stopped),
            Update::Gone,
        ] {
            let mut model = Model::new(Goals {
                until_done: true,
                ..Goals::default()
            });
            assert_eq!(model.update(&end, NOW), Some(Verdict::Failed), "{end:?}");
        }
        let mut model = Model::new(Goals {
            until_done: true,
            stay: true,
            ..Goals::default()
        });
        let idle = Update::End(End::Idle);
        assert_eq!(model.update(&idle, NOW), None);
        model.stay_no_longer();
        assert_eq!(model.update(&idle, NOW), Some(Verdict::Failed));
    }

    #[test]
    fn losses_are_counted_and_an_idle_end_can_be_outlived() {
        let mut model = Model::new(Goals {
            stay: true,
            ..Goals::default()
        });
        assert_eq!(
            model.update(&Update::Gap(Gap::Known { from: 3, to: 5 }), NOW),
            None
        );
        assert_eq!(model.lost(), 3);
        assert_eq!(model.update(&Update::End(End::Idle), NOW), None);
        assert_eq!(
            model.update(&Update::End(End::Stopped), NOW),
            Some(Verdict::Done)
        );
    }
}
