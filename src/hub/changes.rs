//! The queue of mirrors whose readers or listeners have changed, to be reported to the store.

use std::collections::VecDeque;

use tokio::sync::Notify;

use super::lock;
use super::sync::Mutex;
use crate::event::ClientId;

/// The queue. It holds each mirror at most once.
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

    /// Waits for the mirror that was queued first.
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
