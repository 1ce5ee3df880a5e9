//! The guard of an operation, from its start to its outcome.

use std::fmt;
use std::thread;

use tokio::time::Instant;

use super::Scope;
use crate::duration;
use crate::hub::ControlStream;
use crate::message::{Level, Message, Outcome};
use crate::message_builder::{self, Number};

/// A running operation. If it is dropped unfinished, it ends as `cancelled` if a watcher asked for that, else as `failed`.
///
/// While it runs, its client does not end as idle.
#[must_use = "dropping it ends the operation"]
pub struct OperationGuard {
    scope: Scope,
    unit: Option<Box<str>>,
    begun: Instant,
    /// Keeps the client from ending as idle. Dropped after the outcome; if there was none, watchers are informed.
    stands: Option<ControlStream>,
}

impl OperationGuard {
    pub(super) fn begin(scope: &Scope, name: &str) -> Self {
        let link = scope.link.as_ref();
        let running = link.map(|it| it.begin(name, scope.operation.clone()));
        let stands = link
            .zip(running.as_ref())
            .and_then(|(link, running)| link.stand_for(&running.name));
        let guard = Self {
            scope: Scope {
                link: scope.link.clone(),
                operation: running,
            },
            unit: None,
            begun: Instant::now(),
            stands,
        };
        if let (Some(link), Some(running)) = (&guard.scope.link, &guard.scope.operation) {
            link.send_start(running);
        }
        guard
    }

    /// Sets the unit of its progress, such as `files`.
    pub fn unit(mut self, unit: &str) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// Sends its progress, at most 10 times a second. The last one is sent with the outcome if not before.
    pub fn progress<N: Number>(&self, current: N, total: Option<N>) {
        let progress = message_builder::progress(current, total, self.unit.as_deref());
        if progress.is_some() {
            self.scope.send(Message {
                progress,
                ..Message::default()
            });
        }
    }

    /// Returns the scope within the operation, whose messages belong to the operation.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Returns whether a watcher asked to cancel it, or the operation that it was started in.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let running = self.scope.operation.as_ref();
        running.is_some_and(|it| it.is_cancelled())
    }

    /// Ends it with this outcome.
    pub fn finish(self, outcome: Outcome) {
        self.finish_with(outcome, None);
    }

    /// Ends it with this outcome; the message is the text, the outcome and the time that it took.
    pub(crate) fn finish_with(mut self, outcome: Outcome, text: Option<String>) {
        self.end(outcome, text);
    }

    /// Returns the time since it started, as people write it.
    pub(crate) fn took(&self) -> String {
        let took = self.begun.elapsed();
        match took.as_secs() {
            0 => format!("{} ms", took.as_millis()),
            _ => duration::in_seconds(took),
        }
    }

    /// Sends the outcome, unless there was one.
    fn end(&mut self, outcome: Outcome, text: Option<String>) {
        let Some(running) = self.scope.operation.take() else {
            return;
        };
        let Some(link) = self.scope.link.take() else {
            return;
        };
        let (how, level) = match outcome {
            Outcome::Ok => ("Finished", Level::Info),
            Outcome::Failed => ("Failed", Level::Error),
            Outcome::Cancelled => ("Cancelled", Level::Warn),
        };
        let text = text.unwrap_or_else(|| format!("{how} after {}", self.took()));
        let message = Message::text(text).level(level).outcome(outcome);
        link.send(message.repaired(), Some(&running));
        link.end(&running);
        self.stands = None;
    }
}

impl Drop for OperationGuard {
    fn drop(&mut self) {
        let outcome = if self.is_cancelled() && !thread::panicking() {
            Outcome::Cancelled
        } else {
            Outcome::Failed
        };
        self.end(outcome, None);
    }
}

impl fmt::Debug for OperationGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.scope.operation.as_ref().map(|it| it.name.as_str());
        f.debug_tuple("OperationGuard").field(&name).finish()
    }
}
