//! Notifications for the publishers of this node that wait for readers at any node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;

use crate::event::ClientId;
use crate::lock::lock;

/// The publishers that wait for room in a log, by client.
#[derive(Default)]
pub(super) struct Rooms(Mutex<HashMap<ClientId, Weak<Notify>>>);

impl Rooms {
    /// Returns what is notified when there is room in this client's log.
    pub(super) fn of(&self, id: ClientId) -> Arc<Notify> {
        let mut rooms = lock(&self.0);
        if let Some(room) = rooms.get(&id).and_then(Weak::upgrade) {
            return room;
        }
        // The other entries belong to publishers that have been dropped.
        rooms.retain(|_, it| it.strong_count() > 0);
        let room = Arc::new(Notify::new());
        rooms.insert(id, Arc::downgrade(&room));
        room
    }

    pub(super) fn wake(&self, id: ClientId) {
        if let Some(room) = lock(&self.0).get(&id).and_then(Weak::upgrade) {
            room.notify_waiters();
        }
    }
}
