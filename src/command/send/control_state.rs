//! Watchers' control requests to a publisher while it sends.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::timeout;

use crate::client::control_feed::{ControlFeed, ControlUpdate};
use crate::control::Requested;
use crate::message::{Level, Operation};
use crate::terminal::stderr;

/// Time limit for opening the control stream. After it, the work starts without one.
const OPENING: Duration = Duration::from_secs(2);

pub(super) struct Control {
    /// `None` after the control stream has ended.
    feed: Option<ControlFeed>,
    operation: Option<Operation>,
    level: Option<Level>,
    cancel: bool,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ControlChange {
    /// Whether another level is wanted.
    pub(super) level: bool,
    /// Whether it should stop; reported once.
    pub(super) cancel: bool,
}

impl Control {
    /// Starts a control stream. `requested` is what was requested before. Ignores requests for other operations.
    pub(super) fn new(
        feed: ControlFeed,
        operation: Option<Operation>,
        requested: &Requested,
    ) -> Self {
        let mut control = Self {
            feed: Some(feed),
            operation,
            level: None,
            cancel: false,
        };
        control.take(requested);
        control
    }

    /// Returns the level that is wanted.
    pub(super) fn level(&self) -> Option<Level> {
        self.level
    }

    /// Returns whether it should stop.
    pub(super) fn cancel(&self) -> bool {
        self.cancel
    }

    /// Waits until the control stream is open, for at most [`OPENING`].
    pub(super) async fn opened(&mut self) {
        let opening = async { while self.feed.is_some() && self.receive().await.is_none() {} };
        let _ = timeout(OPENING, opening).await;
    }

    /// Waits for the next request.
    pub(super) async fn next(&mut self) -> ControlChange {
        loop {
            if let Some(change) = self.receive().await
                && (change.level || change.cancel)
            {
                return change;
            }
        }
    }

    /// Keeps the control stream open, but ignores its requests.
    pub(super) async fn ignored(&mut self) -> Infallible {
        loop {
            self.next().await;
        }
    }

    /// Returns the next request; `None` if the connection was lost. Pending for ever after the control stream has
    /// ended.
    async fn receive(&mut self) -> Option<ControlChange> {
        let Some(feed) = &mut self.feed else {
            return std::future::pending().await;
        };
        match feed.next().await {
            Some(Ok(ControlUpdate::State(state))) => return Some(self.take(&state.requested)),
            Some(Ok(ControlUpdate::Lost)) => {}
            Some(Err(error)) => {
                stderr::line(&format!(
                    "control requests of watchers cannot be received: {error}"
                ));
                self.feed = None;
            }
            None => self.feed = None,
        }
        None
    }

    fn take(&mut self, requested: &Requested) -> ControlChange {
        let cancel = requested.cancel.as_ref();
        let cancel = cancel.is_some_and(|it| it.is_for(self.operation.as_ref()));
        let change = ControlChange {
            level: requested.level != self.level,
            cancel: cancel && !self.cancel,
        };
        self.level = requested.level;
        self.cancel = cancel;
        change
    }
}
