//! What watchers ask of a publisher while it sends.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::timeout;

use crate::client::control_feed::{ControlFeed, ControlUpdate};
use crate::control::Requested;
use crate::message::{Level, Operation};
use crate::terminal::stderr;

/// The control stream should stand by then. Without one the work goes on all the same.
const OPENING: Duration = Duration::from_secs(2);

pub(super) struct Control {
    /// `None` once nothing is heard any more.
    feed: Option<ControlFeed>,
    operation: Option<Operation>,
    level: Option<Level>,
    cancel: bool,
}

/// What is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct News {
    /// Another level is wanted.
    pub(super) level: bool,
    /// It should stop; reported once.
    pub(super) cancel: bool,
}

impl Control {
    /// `requested` is what was requested before. Requests for another operation are passed over.
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

    /// The level that is wanted.
    pub(super) fn level(&self) -> Option<Level> {
        self.level
    }

    /// Whether it should stop.
    pub(super) fn cancel(&self) -> bool {
        self.cancel
    }

    /// Waits until the control stream stands, but not for long.
    pub(super) async fn opened(&mut self) {
        let opening = async { while self.feed.is_some() && self.hear().await.is_none() {} };
        let _ = timeout(OPENING, opening).await;
    }

    /// The next thing that is asked for.
    pub(super) async fn next(&mut self) -> News {
        loop {
            if let Some(asked) = self.hear().await
                && (asked.level || asked.cancel)
            {
                return asked;
            }
        }
    }

    /// Goes on listening, so that the control stream stands, but to nothing in particular.
    pub(super) async fn ignored(&mut self) -> Infallible {
        loop {
            self.next().await;
        }
    }

    /// Returns what is requested next; `None` if the connection was lost. Never ready once the control stream is over.
    async fn hear(&mut self) -> Option<News> {
        let Some(feed) = &mut self.feed else {
            return std::future::pending().await;
        };
        match feed.next().await {
            Some(Ok(ControlUpdate::State(state))) => return Some(self.take(&state.requested)),
            Some(Ok(ControlUpdate::Lost)) => {}
            Some(Err(error)) => {
                stderr::line(&format!("requests of watchers are not received: {error}"));
                self.feed = None;
            }
            None => self.feed = None,
        }
        None
    }

    fn take(&mut self, requested: &Requested) -> News {
        let cancel = requested.cancel.as_ref();
        let cancel = cancel.is_some_and(|it| it.is_for(self.operation.as_ref()));
        let asked = News {
            level: requested.level != self.level,
            cancel: cancel && !self.cancel,
        };
        self.level = requested.level;
        self.cancel = cancel;
        asked
    }
}
