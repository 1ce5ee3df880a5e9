//! What is being worked on, as its messages tell: how far each operation is, how fast it goes, how
//! it ended. The progress line and the pane both show this.
//!
//! Pure: every call is told the time since the watch began, so that a recording played at any speed
//! gives the same figures as the stream did.

mod guess;
mod rate;

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::UnixMillis;
use crate::message::{Level, Message, Operation, Outcome, Progress};
use crate::terminal::safe_text::visible;

use guess::Candidates;
use rate::Rate;

/// So many operations are remembered. Beyond it the oldest one that has ended goes, or the oldest.
pub const OPERATIONS_MAX: usize = 100;
/// An operation that has said nothing for so long may be stuck, which is then told.
pub const STALLED_AFTER: Duration = Duration::from_secs(10);
/// While its last guess is younger than this, an operation is not taken to count something else.
const GUESS_HOLDS: Duration = Duration::from_secs(3);
/// An estimate beyond this is none.
const ETA_MAX: Duration = Duration::from_hours(24 * 365);

/// Whether the server says that a publisher is gone before it had finished.
#[must_use]
pub fn is_loss(message: &Message) -> bool {
    message.system && message.level == Some(Level::Error)
}

/// Every operation that a stream's messages spoke of, the newest [`OPERATIONS_MAX`].
#[derive(Debug)]
pub struct Operations {
    guess: bool,
    /// The one that began first comes first.
    known: VecDeque<OperationState>,
    candidates: Candidates,
}

impl Operations {
    /// No operations yet. With `guess`, a progress may also be read from plain text.
    #[must_use]
    pub fn new(guess: bool) -> Self {
        Self {
            guess,
            known: VecDeque::new(),
            candidates: Candidates::default(),
        }
    }

    /// Every remembered one, the one that began first first.
    #[must_use]
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &OperationState> {
        self.known.iter()
    }

    /// Those that have not ended, the one that began first first.
    #[must_use]
    pub fn running(&self) -> impl DoubleEndedIterator<Item = &OperationState> {
        self.all().filter(|it| it.is_running())
    }

    /// Takes note of a message, a publisher's or the server's, and of when the server took it.
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

    /// A publisher is gone: its operation's, where the server names one. Where it does not, it is
    /// that of the messages without a name, or of the only operation there is.
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

/// Whether a message without an operation's name begins one all the same.
fn begins(message: &Message, guess: Option<&Progress>) -> bool {
    // What is complete when it is first heard of is a result, not a progress.
    let goes_on = |it: &Progress| it.total().is_some_and(|total| it.current() < total);
    message.progress.is_some() || message.outcome.is_some() || guess.is_some_and(goes_on)
}

/// What is known of one operation.
///
/// How long something took is told by the times at which the server took the messages: those that a log held when
/// the watch began arrive all at once.
#[derive(Debug)]
pub struct OperationState {
    name: Option<Box<str>>,
    messages: u64,
    errors: u64,
    began_at: Duration,
    /// When the server took its first message.
    first_time: Option<UnixMillis>,
    last_sign: Duration,
    /// How long after its first message its last one was published.
    span: Duration,
    ended_at: Option<Duration>,
    outcome: Option<Outcome>,
    lost: bool,
    progress: Option<Progress>,
    /// When the progress was last guessed, in its own time; `None` where a publisher tells it.
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

    /// Its name; `None` for what is told without one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How many messages it has sent.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// How many of them are errors.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// How far it is, where it was told or could be guessed.
    #[must_use]
    pub fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }

    /// How much of it is done, from 0 to 1. `None` if its total is not known, or 0.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        let (progress, total) = self.counted()?;
        (total > 0.0).then(|| (progress.current() / total).min(1.0))
    }

    /// Its progress and its total, if both are known.
    fn counted(&self) -> Option<(&Progress, f64)> {
        let progress = self.progress.as_ref()?;
        Some((progress, progress.total()?))
    }

    /// Whether it has done all that it said it would.
    fn has_done_all(&self) -> bool {
        self.counted()
            .is_some_and(|(progress, total)| progress.current() >= total)
    }

    /// How much it gets done in a second, as of late.
    #[must_use]
    pub fn rate(&self, now: Duration) -> Option<f64> {
        self.rate.per_second(self.elapsed(now))
    }

    /// How long it will take if it goes on as of late. `None` where that is not known, and once it has
    /// ended.
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

    /// How long it has been going on, or went on.
    #[must_use]
    pub fn elapsed(&self, now: Duration) -> Duration {
        let end = self.ended_at.unwrap_or(now);
        self.span + end.saturating_sub(self.last_sign)
    }

    /// How long it has said nothing, once that is longer than [`STALLED_AFTER`]. An operation that has
    /// done all it said it would is not stuck.
    #[must_use]
    pub fn stalled(&self, now: Duration) -> Option<Duration> {
        let quiet = now.saturating_sub(self.last_sign);
        let may_be = self.is_running() && !self.has_done_all();
        (may_be && quiet > STALLED_AFTER).then_some(quiet)
    }

    /// How it ended, where that was told.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Whether the server said that its publisher is gone, and nothing came from it since.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.lost
    }

    /// When it began, since the watch did.
    #[must_use]
    pub fn began_at(&self) -> Duration {
        self.began_at
    }

    /// When its outcome or its loss was told, since the watch began.
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
        // A publisher that speaks is not gone.
        self.lost = false;
        self.outcome = message.outcome;
        self.ended_at = message.outcome.map(|_| now);
        if let Some(progress) = &message.progress {
            self.guessed_at = None;
            self.advance(progress.clone());
        }
    }

    /// Takes a guess, where it goes on from the one before. Texts may count two things in turns (files,
    /// and the parts of each); one gauge can show one of them.
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
