//! What watchers ask of a publisher while it sends.

use std::{convert::Infallible, time::Duration};

use tokio::time::timeout;

use crate::{
    client::control_feed::{ControlFeed, Heard},
    control::Wish,
    message::{Level, Operation},
    terminal::stderr,
};

/// The control stream should stand by then. Without one the work goes on all the same.
const OPENING: Duration = Duration::from_secs(2);

pub(super) struct Wishes {
    /// `None` once nothing is heard any more.
    feed: Option<ControlFeed>,
    operation: Option<Operation>,
    level: Option<Level>,
    cancel: bool,
}

/// What is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Another level is wanted.
    pub(super) level: bool,
    /// It should stop. Asked once.
    pub(super) cancel: bool,
}

impl Wishes {
    /// `wish` is what was asked for before, if anything. What is meant for another operation is not heard.
    pub(super) fn new(feed: ControlFeed, operation: Option<Operation>, wish: &Wish) -> Self {
        let mut wishes = Self {
            feed: Some(feed),
            operation,
            level: None,
            cancel: false,
        };
        wishes.take(wish);
        wishes
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
    pub(super) async fn next(&mut self) -> Asked {
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

    /// What is heard next; `None` where it is not a wish. Never ready once nothing is heard any more.
    async fn hear(&mut self) -> Option<Asked> {
        let Some(feed) = &mut self.feed else {
            return std::future::pending().await;
        };
        match feed.next().await {
            Some(Ok(Heard::Audience(audience))) => return Some(self.take(&audience.wish)),
            Some(Ok(Heard::Lost)) => {}
            Some(Err(error)) => {
                stderr::line(&format!("no wishes of watchers are heard: {error}"));
                self.feed = None;
            }
            None => self.feed = None,
        }
        None
    }

    fn take(&mut self, wish: &Wish) -> Asked {
        let cancel = wish.cancel.as_ref();
        let cancel = cancel.is_some_and(|it| it.is_for(self.operation.as_ref()));
        let asked = Asked {
            level: wish.level != self.level,
            cancel: cancel && !self.cancel,
        };
        self.level = wish.level;
        self.cancel = cancel;
        asked
    }
}
