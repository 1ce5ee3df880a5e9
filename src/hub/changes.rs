//! The mirrors whose readers or listeners changed: what is to be told to whoever keeps the channels.

use std::collections::VecDeque;

use tokio::sync::Notify;

use super::lock;
use super::sync::Mutex;
use crate::event::ClientId;

/// The queue of such mirrors. Each stands in it once at the most.
#[derive(Default)]
pub(super) struct Changes {
    waiting: Mutex<VecDeque<ClientId>>,
    more: Notify,
}

impl Changes {
    pub(super) fn push(&self, id: ClientId) {
        lock(&self.waiting).push_back(id);
        self.more.notify_one();
    }

    /// The mirror that has waited longest.
    pub(super) async fn next(&self) -> ClientId {
        loop {
            let more = self.more.notified();
            if let Some(id) = lock(&self.waiting).pop_front() {
                return id;
            }
            more.await;
        }
    }
}
