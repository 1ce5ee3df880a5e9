//! What watchers ask of the operation while it runs.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    client::control::{ControlFeed, Heard},
    message::{Level, Operation},
    talk,
    wish::Wish,
};

/// The control stream should stand by then. Without one the command runs all the same.
const OPENING: Duration = Duration::from_secs(2);

pub(super) struct Wishes {
    /// `None` once nothing is heard any more.
    feed: Option<ControlFeed>,
    operation: Operation,
    level: Option<Level>,
    cancel: bool,
}

/// What is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Another level is wanted.
    pub(super) level: bool,
    /// The operation should stop. Asked once.
    pub(super) cancel: bool,
}

impl Wishes {
    /// `wish` is what was asked for before.
    pub(super) fn new(feed: ControlFeed, operation: Operation, wish: &Wish) -> Self {
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

    /// Whether the operation should stop.
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

    /// What is heard next; `None` where it is not a wish. Never ready once nothing is heard any more.
    async fn hear(&mut self) -> Option<Asked> {
        let Some(feed) = &mut self.feed else {
            return std::future::pending().await;
        };
        match feed.next().await {
            Some(Ok(Heard::Audience(audience))) => return Some(self.take(&audience.wish)),
            Some(Ok(Heard::Lost)) => {}
            Some(Err(error)) => {
                talk::line(&format!("no wishes of watchers are heard: {error}"));
                self.feed = None;
            }
            None => self.feed = None,
        }
        None
    }

    fn take(&mut self, wish: &Wish) -> Asked {
        let cancel = wish.cancel.as_ref();
        let cancel = cancel.is_some_and(|it| it.is_for(Some(&self.operation)));
        let asked = Asked {
            level: wish.level != self.level,
            cancel: cancel && !self.cancel,
        };
        self.level = wish.level;
        self.cancel = cancel;
        asked
    }
}
