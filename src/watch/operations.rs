//! Operations, as the messages describe them: how far each one is, how fast it goes, how it ended. The progress
//! line and the pane both show this.
//!
//! Pure: every call is given the time since the watch began, so that a recording gives the same figures at any speed.

mod guess;
mod rate;

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::UnixMillis;
use crate::message::{Level, Message, Operation, Outcome, Progress};
use crate::terminal::safe_text::visible;

use guess::Candidates;
use rate::Rate;

/// Upper bound of the operations that are kept. Beyond it, the oldest ended one is dropped, or else the oldest.
pub const OPERATIONS_MAX: usize = 100;
/// After this time without a message, a running operation is shown as stalled.
pub const STALLED_AFTER: Duration = Duration::from_secs(10);
/// For this long after a guess, an operation's progress is not taken from a different count.
const GUESS_HOLDS: Duration = Duration::from_secs(3);
/// Longest estimate that is shown.
const ETA_MAX: Duration = Duration::from_hours(24 * 365);

/// Returns whether this is the server's notice that a publisher disconnected before it had finished.
#[must_use]
pub fn is_loss(message: &Message) -> bool {
    message.system && message.level == Some(Level::Error)
}

/// The operations of a stream's messages, at most the newest [`OPERATIONS_MAX`].
#[derive(Debug)]
pub struct Operations {
    guess: bool,
    /// In the order in which they began.
    known: VecDeque<OperationState>,
    candidates: Candidates,
}

impl Operations {
    /// Creates an empty list. With `guess`, progress may also be read from plain text.
    #[must_use]
    pub fn new(guess: bool) -> Self {
        Self {
            guess,
            known: VecDeque::new(),
            candidates: Candidates::default(),
        }
    }

    /// Returns all operations that are kept, in the order in which they began.
    #[must_use]
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &OperationState> {
        self.known.iter()
    }

    /// Returns the operations that have not ended, in the order in which they began.
    #[must_use]
    pub fn running(&self) -> impl DoubleEndedIterator<Item = &OperationState> {
        self.all().filter(|it| it.is_running())
    }

    /// Takes a message, and the time at which the server accepted it.
    pub fn update(&mut self, message: &Message, time: Option<UnixMillis>, now: Duration) {
        if is_loss(message) {
            self.lose(message, now);
        }
        if message.system {
            return;
        }
        let name = message.operation.as_ref().map(Operation::as_str);
        let guess = if self.guess && message.progress.is_none() {
            let guess = guess::guess(&visible(&message.text));
            guess.and_then(|it| self.candidates.confirmed(name, it))
        } else {
            None
        };
        let index = match self.known.iter().rposition(|it| it.name() == name) {
            Some(index) if self.known[index].outcome.is_none() => index,
            _ if name.is_none() && !begins(message, guess.as_ref()) => return,
            _ => self.begin(name, time, now),
        };
        let state = &mut self.known[index];
        state.update(message, time, now);
        if let Some(guess) = guess {
            state.guessed(guess);
        }
    }

    fn begin(&mut self, name: Option<&str>, time: Option<UnixMillis>, now: Duration) -> usize {
        if self.known.len() >= OPERATIONS_MAX {
            let ended = self.known.iter().position(|it| !it.is_running());
            self.known.remove(ended.unwrap_or(0));
        }
        self.known.push_back(OperationState::new(name, time, now));
        self.known.len() - 1
    }

    /// Ends the operation whose publisher is gone: the one that the server names, or else the one without a name, or
    /// the only one that is running.
    fn lose(&mut self, message: &Message, now: Duration) {
        let name = message.operation.as_ref().map(Operation::as_str);
        let running = || (0..self.known.len()).filter(|it| self.known[*it].is_running());
        let only = || {
            running()
                .next()
                .filter(|_| name.is_none() && running().count() == 1)
        };
        let lost = running()
            .rfind(|it| self.known[*it].name() == name)
            .or_else(only);
        if let Some(index) = lost {
            self.known[index].lost = true;
            self.known[index].ended_at = Some(now);
        }
    }
}

/// Returns whether a message without an operation's name begins an operation.
fn begins(message: &Message, guess: Option<&Progress>) -> bool {
    // A count that is complete from the start is a result, not progress.
    let goes_on = |it: &Progress| it.total().is_some_and(|total| it.current() < total);
    message.progress.is_some() || message.outcome.is_some() || guess.is_some_and(goes_on)
}

/// The state of one operation.
///
/// Durations are measured between the times at which the server accepted the messages, because replayed messages arrive
/// all at once.
#[derive(Debug)]
pub struct OperationState {
    name: Option<Box<str>>,
    messages: u64,
    errors: u64,
    began_at: Duration,
    /// When the server accepted its first message.
    first_time: Option<UnixMillis>,
    last_sign: Duration,
    /// Time between its first and its last message.
    span: Duration,
    ended_at: Option<Duration>,
    outcome: Option<Outcome>,
    lost: bool,
    progress: Option<Progress>,
    /// When its progress was last guessed; `None` if publishers report it.
    guessed_at: Option<Duration>,
    rate: Rate,
}

impl OperationState {
    fn new(name: Option<&str>, time: Option<UnixMillis>, now: Duration) -> Self {
        Self {
            name: name.map(Into::into),
            messages: 0,
            errors: 0,
            began_at: now,
            first_time: time,
            last_sign: now,
            span: Duration::ZERO,
            ended_at: None,
            outcome: None,
            lost: false,
            progress: None,
            guessed_at: None,
            rate: Rate::default(),
        }
    }

    /// Returns its name; `None` for messages without one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns how many messages it has sent.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Returns how many of its messages are errors.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Returns its progress, if reported or guessed.
    #[must_use]
    pub fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }

    /// Returns the part that is done, from 0 to 1; `None` if its total is unknown or 0.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        let (progress, total) = self.counted()?;
        (total > 0.0).then(|| (progress.current() / total).min(1.0))
    }

    /// Returns its progress and its total, if both are known.
    fn counted(&self) -> Option<(&Progress, f64)> {
        let progress = self.progress.as_ref()?;
        Some((progress, progress.total()?))
    }

    /// Returns whether its progress has reached its total.
    fn has_done_all(&self) -> bool {
        self.counted()
            .is_some_and(|(progress, total)| progress.current() >= total)
    }

    /// Returns its recent rate, in units per second.
    #[must_use]
    pub fn rate(&self, now: Duration) -> Option<f64> {
        self.rate.per_second(self.elapsed(now))
    }

    /// Returns the time left at its recent rate; `None` if that is unknown or the operation has ended.
    #[must_use]
    pub fn eta(&self, now: Duration) -> Option<Duration> {
        let (progress, total) = self.counted().filter(|_| self.is_running())?;
        if total <= 0.0 {
            return None;
        }
        let left = (total - progress.current()).max(0.0);
        Duration::try_from_secs_f64(left / self.rate(now)?)
            .ok()
            .filter(|eta| *eta < ETA_MAX)
    }

    /// Returns how long it has been running, or ran.
    #[must_use]
    pub fn elapsed(&self, now: Duration) -> Duration {
        let end = self.ended_at.unwrap_or(now);
        self.span + end.saturating_sub(self.last_sign)
    }

    /// Returns how long it has sent nothing, if that is longer than [`STALLED_AFTER`]. An operation whose progress is
    /// complete is not stalled.
    #[must_use]
    pub fn stalled(&self, now: Duration) -> Option<Duration> {
        let quiet = now.saturating_sub(self.last_sign);
        let may_be = self.is_running() && !self.has_done_all();
        (may_be && quiet > STALLED_AFTER).then_some(quiet)
    }

    /// Returns its outcome, if one was sent.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Returns whether its publisher disconnected and has sent nothing since.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.lost
    }

    /// Returns when it began, measured from the start of the watch.
    #[must_use]
    pub fn began_at(&self) -> Duration {
        self.began_at
    }

    /// Returns when its outcome or its loss arrived, measured from the start of the watch.
    #[must_use]
    pub fn ended_at(&self) -> Option<Duration> {
        self.ended_at
    }

    fn is_running(&self) -> bool {
        self.ended_at.is_none()
    }

    fn update(&mut self, message: &Message, time: Option<UnixMillis>, now: Duration) {
        self.messages += 1;
        self.errors += u64::from(message.level == Some(Level::Error));
        self.span = match (self.first_time, time) {
            (Some(first), Some(time)) => Duration::from_millis(time.saturating_sub(first)),
            _ => now.saturating_sub(self.began_at),
        };
        self.last_sign = now;
        // A publisher that sends is not gone.
        self.lost = false;
        self.outcome = message.outcome;
        self.ended_at = message.outcome.map(|_| now);
        if let Some(progress) = &message.progress {
            self.guessed_at = None;
            self.advance(progress.clone());
        }
    }

    /// Takes a guess, if it continues the one before. Texts may alternate between two counts (files, and the parts of
    /// each); a gauge can show only one of them.
    fn guessed(&mut self, guess: Progress) {
        if let Some(progress) = &self.progress {
            let Some(guessed_at) = self.guessed_at else {
                return;
            };
            let goes_on = progress.total() == guess.total() && progress.unit() == guess.unit();
            let holds = self.span.saturating_sub(guessed_at) < GUESS_HOLDS;
            if !goes_on && holds && !self.has_done_all() {
                return;
            }
        }
        self.guessed_at = Some(self.span);
        self.advance(guess);
    }

    fn advance(&mut self, progress: Progress) {
        let goes_on = self.progress.as_ref().is_some_and(|before| {
            before.total() == progress.total()
                && before.unit() == progress.unit()
                && before.current() <= progress.current()
        });
        if !goes_on {
            self.rate = Rate::default();
        }
        self.rate.advance(progress.current(), self.span);
        self.progress = Some(progress);
    }
}

#[cfg(test)]
mod tests;
