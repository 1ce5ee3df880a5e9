//! The mirrors of one node, and how notices from the feed reach them.
//!
//! A node makes its requests for one channel one after the other, so that reports arrive in order and no mirror is used
//! while it is being removed. Notices that arrive during a join wait for its answer.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Mutex as Turn;

use super::notice::Published;
use crate::control::ControlState;
use crate::event::{ClientId, End, EventId};
use crate::hub::{Mirror, Missing};
use crate::lock::lock;

/// Upper bound of the notices that wait for a join. If more arrive, the mirror joins again.
const EARLY: usize = 1024;

/// All mirrors of this node, by client.
#[derive(Default)]
pub(super) struct Mirrors(Mutex<HashMap<ClientId, Arc<Slot>>>);

/// The place of one mirror.
#[derive(Default)]
pub(super) struct Slot {
    /// Held during a join, a report or a removal.
    pub(super) turn: Turn<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    mirror: Option<Mirror>,
    /// What has arrived during a join; `None` if none is under way.
    early: Option<Box<Arrived>>,
    /// Whether the store may have lost messages since the mirror began to join.
    is_unsure: bool,
    /// Whether a renewal waits for its turn.
    awaits_renewal: bool,
    /// Whether the slot was removed.
    is_gone: bool,
}

/// What has arrived during a join.
#[derive(Default)]
struct Arrived {
    notices: Vec<Early>,
    /// The newest control state.
    audience: Option<ControlState>,
}

enum Early {
    Published(Published),
    Ended(End, EventId),
}

impl Mirrors {
    /// Returns the client's slot, which is created if it is missing.
    pub(super) fn slot(&self, id: ClientId) -> Arc<Slot> {
        Arc::clone(lock(&self.0).entry(id).or_default())
    }

    pub(super) fn get(&self, id: ClientId) -> Option<Arc<Slot>> {
        lock(&self.0).get(&id).cloned()
    }

    /// Returns the number of slots.
    pub(super) fn count(&self) -> usize {
        lock(&self.0).len()
    }

    /// Returns all clients that have a slot.
    pub(super) fn clients(&self) -> Vec<ClientId> {
        lock(&self.0).keys().copied().collect()
    }

    /// Notes that the store may have lost messages.
    pub(super) fn note_unsure(&self) {
        for slot in lock(&self.0).values() {
            slot.state().is_unsure = true;
        }
    }

    /// Removes a slot. The caller holds its turn.
    pub(super) fn remove(&self, id: ClientId, slot: &Arc<Slot>) {
        slot.state().is_gone = true;
        let mut slots = lock(&self.0);
        if slots.get(&id).is_some_and(|it| Arc::ptr_eq(it, slot)) {
            slots.remove(&id);
        }
    }
}

impl Slot {
    /// Returns whether the slot was removed.
    pub(super) fn is_gone(&self) -> bool {
        self.state().is_gone
    }

    pub(super) fn is_unsure(&self) -> bool {
        self.state().is_unsure
    }

    pub(super) fn mirror(&self) -> Option<Mirror> {
        self.state().mirror.clone()
    }

    /// Notes that a renewal waits for its turn. Returns false if one does already.
    pub(super) fn await_renewal(&self) -> bool {
        !mem::replace(&mut self.state().awaits_renewal, true)
    }

    /// Notes that the renewal that waited has its turn.
    pub(super) fn begin_renewal(&self) {
        self.state().awaits_renewal = false;
    }

    /// Begins a join: from now on, notices are kept until it ends. Returns whether the store may have lost messages since
    /// the last one.
    pub(super) fn begin_join(&self) -> bool {
        let mut state = self.state();
        state.early.get_or_insert_default();
        mem::take(&mut state.is_unsure)
    }

    /// Ends a join with the mirror that it created or renewed, and applies the kept notices.
    ///
    /// # Errors
    /// [`Missing`] if some notices are missing.
    pub(super) fn joined(&self, mirror: Mirror) -> Result<(), Missing> {
        let mut state = self.state();
        state.mirror = Some(mirror);
        state.catch_up()
    }

    /// Ends a join that failed, and began with `was_unsure`. The mirror, if any, stays as it was.
    ///
    /// # Errors
    /// [`Missing`] if some notices are missing.
    pub(super) fn not_joined(&self, was_unsure: bool) -> Result<(), Missing> {
        let mut state = self.state();
        state.is_unsure |= was_unsure;
        state.catch_up()
    }

    /// Appends messages that the store has accepted.
    ///
    /// # Errors
    /// [`Missing`] if earlier messages are missing.
    pub(super) fn take(&self, published: Published) -> Result<(), Missing> {
        self.state().take(Early::Published(published))
    }

    /// Returns whether the mirror may not know that the store has lost messages right before this number.
    pub(super) fn may_lack_loss(&self, place: u64) -> bool {
        let state = self.state();
        let lacks = |it: &Mirror| !it.knows_loss(place);
        // A join under way may have been answered before the loss was noted.
        state.early.is_some() || state.mirror.as_ref().is_some_and(lacks)
    }

    /// Ends the channel here.
    pub(super) fn end(&self, end: End, last: EventId) {
        // An end is applied even if earlier notices are missing.
        let _ = self.state().take(Early::Ended(end, last));
    }

    pub(super) fn set_audience(&self, control: ControlState) {
        let mut state = self.state();
        if let Some(early) = &mut state.early {
            // The answer of the join may be older.
            early.audience = Some(control.clone());
        }
        if let Some(mirror) = &state.mirror {
            mirror.set_audience(control);
        }
    }

    /// Notes that a publisher waits for readers at this node.
    pub(super) fn note_awaited(&self) {
        if let Some(mirror) = self.mirror() {
            mirror.note_awaited();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn catch_up(&mut self) -> Result<(), Missing> {
        let early = self.early.take().unwrap_or_default();
        if let (Some(control), Some(mirror)) = (early.audience, &self.mirror) {
            mirror.set_audience(control);
        }
        early.notices.into_iter().try_for_each(|it| self.take(it))
    }

    fn take(&mut self, news: Early) -> Result<(), Missing> {
        if let Some(early) = &mut self.early {
            // If a notice is dropped here, appending the next one fails with `Missing`.
            if early.notices.len() < EARLY || !matches!(news, Early::Published(_)) {
                early.notices.push(news);
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
