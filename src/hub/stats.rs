//! Statistics of a hub.

use super::Hub;
use super::sync::Ordering;
use crate::event::{ClientId, UnixMillis, unix_millis};

/// Current numbers and totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Channels that have not ended.
    pub channels: usize,
    /// Open subscriptions.
    pub subscribers: usize,
    /// Size of all logs and idempotency keys, in bytes.
    pub memory: usize,
    /// Messages ever appended to a log.
    pub published: u64,
    /// Messages ever read, each counted once per subscriber.
    pub delivered: u64,
}

/// Summary of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientInfo {
    /// Its ID.
    pub id: ClientId,
    /// Open subscriptions.
    pub subscribers: usize,
    /// Messages ever appended.
    pub messages: u64,
    /// When it was opened.
    pub created: UnixMillis,
    /// When a subscription was last opened or a message last delivered.
    pub last_activity: UnixMillis,
}

/// The users of a hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// Subscriptions of all clients.
    pub watchers: usize,
    /// Subscriptions of one client.
    pub here: usize,
    /// Publishers that listen for control requests.
    pub publishers: usize,
}

impl Hub {
    /// Returns the users, including one client's watchers. Reads every channel.
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

    /// Returns current numbers and totals.
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

    /// Returns every channel, oldest first.
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
