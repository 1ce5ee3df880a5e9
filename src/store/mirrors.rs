//! The mirrors of one node, and what reaches them from the feed.
//!
//! What a node asks of one channel goes in turn: so no report overtakes a later one, and nobody enters a mirror that is
//! being let go. What the feed brings while an answer to a join is under way waits for that answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Mutex as Turn;

use super::notice::Published;
use crate::control::ControlState;
use crate::event::{ClientId, End, EventId};
use crate::hub::{Mirror, Missing};
use crate::lock::lock;

/// Upper bound of the notices that wait for a join. If more come, the mirror joins once more.
const EARLY: usize = 1024;

/// Every mirror of this node, by client.
#[derive(Default)]
pub(super) struct Mirrors(Mutex<HashMap<ClientId, Arc<Slot>>>);

/// The place of one mirror.
#[derive(Default)]
pub(super) struct Slot {
    /// Held by whoever joins, reports or lets go.
    pub(super) turn: Turn<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    mirror: Option<Mirror>,
    /// Set while a join is under way: what came meanwhile.
    early: Option<Vec<Early>>,
    /// Whether the store may have lost messages since the mirror joined.
    is_unsure: bool,
    /// Whether it is no longer the client's slot.
    is_gone: bool,
}

enum Early {
    Published(Published),
    Ended(End, EventId),
}

impl Mirrors {
    /// The client's slot, made where there is none.
    pub(super) fn slot(&self, id: ClientId) -> Arc<Slot> {
        Arc::clone(lock(&self.0).entry(id).or_default())
    }

    pub(super) fn get(&self, id: ClientId) -> Option<Arc<Slot>> {
        lock(&self.0).get(&id).cloned()
    }

    /// How many slots there are.
    pub(super) fn count(&self) -> usize {
        lock(&self.0).len()
    }

    /// Every client that has a slot.
    pub(super) fn clients(&self) -> Vec<ClientId> {
        lock(&self.0).keys().copied().collect()
    }

    /// Notes that the store may have lost messages.
    pub(super) fn are_unsure(&self) {
        for slot in lock(&self.0).values() {
            slot.state().is_unsure = true;
        }
    }

    /// Removes a slot, in its turn.
    pub(super) fn remove(&self, id: ClientId, slot: &Arc<Slot>) {
        slot.state().is_gone = true;
        let mut slots = lock(&self.0);
        if slots.get(&id).is_some_and(|it| Arc::ptr_eq(it, slot)) {
            slots.remove(&id);
        }
    }
}

impl Slot {
    /// Whether another slot takes its place.
    pub(super) fn is_gone(&self) -> bool {
        self.state().is_gone
    }

    pub(super) fn is_unsure(&self) -> bool {
        self.state().is_unsure
    }

    pub(super) fn mirror(&self) -> Option<Mirror> {
        self.state().mirror.clone()
    }

    /// Begins a join: what the feed brings waits.
    pub(super) fn begin_join(&self) {
        self.state().early.get_or_insert_default();
    }

    /// Ends a join, with the mirror that it made or renewed. What came meanwhile follows.
    ///
    /// # Errors
    /// [`Missing`] where some of that did not come.
    pub(super) fn joined(&self, mirror: Mirror) -> Result<(), Missing> {
        let mut state = self.state();
        state.is_unsure = false;
        state.mirror = Some(mirror);
        state.catch_up()
    }

    /// Ends a join that failed. The mirror stays as it was, if there is one.
    ///
    /// # Errors
    /// [`Missing`] where it lacks what came meanwhile.
    pub(super) fn not_joined(&self) -> Result<(), Missing> {
        self.state().catch_up()
    }

    /// Appends what the store took.
    ///
    /// # Errors
    /// [`Missing`] where what comes before it has not come.
    pub(super) fn take(&self, published: Published) -> Result<(), Missing> {
        self.state().take(Early::Published(published))
    }

    /// Ends the channel here.
    pub(super) fn end(&self, end: End, last: EventId) {
        // Nothing can be missing in it.
        let _ = self.state().take(Early::Ended(end, last));
    }

    pub(super) fn set_audience(&self, control: ControlState) {
        if let Some(mirror) = self.mirror() {
            mirror.set_audience(control);
        }
    }

    /// Notes that a publisher waits for the readers here.
    pub(super) fn is_awaited(&self) {
        if let Some(mirror) = self.mirror() {
            mirror.is_awaited();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn catch_up(&mut self) -> Result<(), Missing> {
        let early = self.early.take().unwrap_or_default();
        early.into_iter().try_for_each(|it| self.take(it))
    }

    fn take(&mut self, news: Early) -> Result<(), Missing> {
        if let Some(early) = &mut self.early {
            // One that is left out here is missed when the next one is appended.
            if early.len() < EARLY || matches!(news, Early::Ended(..)) {
                early.push(news);
            }
            return Ok(());
        }
        match (&self.mirror, news) {
            (None, _) => Ok(()),
            (Some(mirror), Early::Published(it)) => mirror.append(it.held_from, it.from, it.events),
            (Some(mirror), Early::Ended(end, last)) => {
                mirror.end(end, last);
                self.mirror = None;
                Ok(())
            }
        }
    }
}
