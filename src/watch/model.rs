//! What a watch has seen, and when it is over.
//!
//! Pure: updates come in, each with the time since the watch began, and a verdict comes out.

mod awaited;
mod goals;

use std::time::Duration;

pub use goals::{Goals, Matcher, pattern};

use self::awaited::Awaited;
use super::operations::{Operations, is_loss};
use super::tally::{Tally, quote};
use crate::client::subscribe::Update;
use crate::event::{End, Gap};
use crate::message::Message;
use crate::terminal::safe_text::visible;

/// How a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The stream ended, or the awaited message came.
    Done,
    /// The awaited outcome was a failure or a cancellation, or can never come.
    Failed,
    /// A message meant failure, by [`Goals::fail_on`] or [`Goals::stop_on`].
    Alarm,
}

/// What a watch has seen so far, and whether that ends it.
#[derive(Debug, Default)]
pub struct Model {
    goals: Goals,
    awaited: Awaited,
    received: u64,
    lost: u64,
    older: u64,
    /// The first message that meant failure.
    failure: Option<String>,
    is_connected: bool,
    /// The last event ID; `None` if it is not kept.
    last_event_id: Option<String>,
    /// When the last message came, or the connection was made.
    quiet_since: Duration,
    /// `None` if no view shows them: following them costs more than writing a line does.
    operations: Option<Operations>,
    /// `None` if no summary is wanted.
    tally: Option<Tally>,
}

impl Model {
    /// Creates the model of a watch that has seen nothing.
    #[must_use]
    pub fn new(goals: Goals) -> Self {
        Self {
            goals,
            ..Self::default()
        }
    }

    /// Makes the model follow the operations of the messages.
    #[must_use]
    pub fn with_operations(self, operations: Operations) -> Self {
        Self {
            operations: Some(operations),
            ..self
        }
    }

    /// Makes the model keep the counts for a summary.
    #[must_use]
    pub fn with_summary(self) -> Self {
        Self {
            tally: Some(Tally::default()),
            ..self
        }
    }

    /// Makes the model keep the last event ID.
    #[must_use]
    pub fn with_last_event_id(self) -> Self {
        Self {
            last_event_id: Some(String::new()),
            ..self
        }
    }

    /// Ends the watch if the server ends the stream for idleness, in spite of [`Goals::stay`].
    pub fn stay_no_longer(&mut self) {
        self.goals.stay = false;
    }

    pub(super) fn tally(&self) -> Option<&Tally> {
        self.tally.as_ref()
    }

    /// Returns the operations, if they are followed.
    #[must_use]
    pub fn operations(&self) -> Option<&Operations> {
        self.operations.as_ref()
    }

    /// Returns how many messages came from publishers.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Returns how many messages are known to be lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns how many messages had been dropped before the watch began.
    #[must_use]
    pub fn older(&self) -> u64 {
        self.older
    }

    /// Returns the first message that meant failure, quoted.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Returns the ID of the last event, if it has one and [`Self::with_last_event_id`] was called.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref().filter(|it| !it.is_empty())
    }

    /// Returns how long no message has come since the last one or the connection; `None` while disconnected.
    #[must_use]
    pub fn quiet(&self, now: Duration) -> Option<Duration> {
        let quiet = now.saturating_sub(self.quiet_since);
        self.is_connected.then_some(quiet)
    }

    /// Returns whether there were operations and all of them have ended; false if they are not followed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.operations
            .as_ref()
            .is_some_and(|it| it.all().next().is_some() && it.running().next().is_none())
    }

    /// Takes an update. Returns the verdict if it ends the watch.
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
                    self.quiet_since = now;
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
            // The awaited outcome can no longer come.
            Update::End(_) | Update::Gone if self.goals.until_done => Some(Verdict::Failed),
            Update::End(_) | Update::Gone => Some(Verdict::Done),
            Update::Connected { is_codechat, .. } => {
                self.awaited.is_any = !is_codechat;
                self.is_connected = true;
                self.quiet_since = now;
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
        // Failure goes first: one message may both fail and reach the count.
        let matches = |it: &Option<Matcher>| it.as_ref().is_some_and(|it| it.matches(message));
        let (fails, stops) = (matches(&self.goals.fail_on), matches(&self.goals.stop_on));
        if fails || stops {
            self.failure.get_or_insert_with(|| quote(message));
        }
        if stops || fails && !self.goals.goes_on {
            return Some(Verdict::Alarm);
        }
        if message.system {
            let lost = message.operation.as_ref().filter(|_| is_loss(message));
            let verdict = lost.and_then(|it| self.awaited.lost(it));
            return verdict.filter(|_| self.goals.until_done);
        }
        if self.goals.until_done
            && let Some(verdict) = self.awaited.message(message)
        {
            return Some(verdict);
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
mod tests;
