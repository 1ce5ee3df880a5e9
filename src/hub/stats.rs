//! What there is in a hub, and what has gone through it.

use super::Hub;
use super::sync::Ordering;
use crate::event::{ClientId, UnixMillis, unix_millis};

/// How much there is of everything, and how much there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Channels that have not ended.
    pub channels: usize,
    /// Open subscriptions.
    pub subscribers: usize,
    /// Bytes that all logs hold.
    pub memory: usize,
    /// Messages that were ever appended to a log.
    pub published: u64,
    /// Messages that were ever read by a subscriber, each time counted.
    pub delivered: u64,
}

/// One channel, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// Its ID.
    pub id: ClientId,
    /// Open subscriptions.
    pub subscribers: usize,
    /// How many messages it was ever given.
    pub messages: u64,
    /// When it was opened.
    pub created: UnixMillis,
    /// When a subscription last opened or a message was last delivered.
    pub last_activity: UnixMillis,
}

/// Who uses a hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// Subscriptions of all clients.
    pub watchers: usize,
    /// Those of one client.
    pub here: usize,
    /// Publishers that listen for control requests.
    pub publishers: usize,
}

impl Hub {
    /// Who uses it, one client's watchers counted by themselves too. Looks at every client.
    #[must_use]
    #[doc(hidden)]
    pub fn users(&self, id: ClientId) -> Users {
        let mut users = Users::default();
        for channel in self.channels() {
            let (watchers, publishers) = channel.users();
            users.watchers += watchers;
            users.publishers += publishers;
            if channel.id == id {
                users.here = watchers;
            }
        }
        users
    }

    /// How much there is of everything.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            channels: self.registry.clients.load(Ordering::Relaxed),
            subscribers: self.shared.subscribers.load(Ordering::Relaxed),
            memory: self.shared.memory.load(Ordering::Relaxed),
            published: self.shared.published.load(Ordering::Relaxed),
            delivered: self.shared.delivered.load(Ordering::Relaxed),
        }
    }

    /// Every channel, oldest first.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientInfo> {
        let (wall, clock) = (unix_millis(), self.shared.now());
        let mut clients: Vec<_> = self
            .channels()
            .iter()
            .map(|channel| {
                let (subscribers, messages, created) = channel.counts();
                ClientInfo {
                    id: channel.id,
                    subscribers,
                    messages,
                    created,
                    last_activity: wall.saturating_sub(clock.saturating_sub(channel.active())),
                }
            })
            .collect();
        clients.sort_by_key(|it| it.created);
        clients
    }
}
