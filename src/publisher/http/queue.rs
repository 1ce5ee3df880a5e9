//! The messages that wait to be sent, by client. Pushing never blocks and never fails: a full queue drops its oldest messages,
//! and counts them.

mod backlog;
mod batch;
mod client;
mod room;
mod state;
#[cfg(test)]
mod tests;

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub(super) use self::batch::{Batch, messages};
use self::client::{Client, Sending};
pub(crate) use self::client::{Controlled, Standing};
use self::state::State;
use crate::control::ControlState;
use crate::event::ClientId;
use crate::lock::lock;
use crate::message::{Message, Operation};
use crate::publisher::PublisherStats;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Wakes a sender if a client is ready.
    ready: Notify,
    /// Wakes the calls that wait for an empty queue.
    empty: Notify,
}

impl Queue {
    /// Adds a message. If the queue is full, drops the oldest message that is in no batch; messages that start or end an
    /// operation are dropped last.
    pub(super) fn push(&self, id: ClientId, mut message: Message) {
        // Spare capacity is not counted, so it is released.
        message.text.shrink_to_fit();
        let mut state = lock(&self.state);
        if state.is_closed_to(id) {
            state.counts.dropped += 1;
            return;
        }
        let ends_cancel = state.push(id, message);
        self.settle(state, id);
        if ends_cancel {
            self.tell(id);
        }
    }

    /// Takes a batch of the next client that is ready, once there is one.
    pub(super) async fn next(&self) -> Batch {
        loop {
            if let Some(batch) = self.take() {
                return batch;
            }
            self.ready.notified().await;
        }
    }

    fn take(&self) -> Option<Batch> {
        let mut state = lock(&self.state);
        let batch = state.take()?;
        if state.has_ready() {
            self.ready.notify_one();
        }
        Some(batch)
    }

    /// Ends a batch: its messages that were not accepted are dropped.
    pub(super) fn done(&self, batch: &Batch) {
        let mut state = lock(&self.state);
        let accepted = batch.accepted();
        let dropped = batch.waiting.len() as u64 - accepted;
        state.counts.accepted += accepted;
        state.counts.dropped += dropped;
        state.used.remove(batch.used());
        state.batched.remove(batch.used());
        if let Some(client) = state.clients.get_mut(&batch.id) {
            client.used.remove(batch.used());
            client.dropped += dropped + if batch.is_told() { 0 } else { batch.dropped };
            client.was_known |= accepted > 0 || batch.is_told();
            for it in &batch.waiting {
                client.note_left(&it.message);
            }
            if dropped > 0 {
                client.may_lack(&batch.waiting);
            }
            if accepted > 0 {
                client.note_accepted_until(batch.last());
            }
            client.misses = 0;
            client.sending = Sending::Possible;
        }
        self.settle(state, batch.id);
    }

    /// Keeps a batch to be sent again after [`Queue::wake`], before the client's other messages.
    pub(super) fn pause(&self, batch: Batch) {
        let mut state = lock(&self.state);
        let id = batch.id;
        if let Some(client) = state.clients.get_mut(&id) {
            client.sending = Sending::Paused;
            client.again = Some(batch);
        } else {
            // Publishing was turned off.
            drop(state);
            self.done(&batch);
        }
    }

    /// Drops a batch of a client that is unknown to the server, and what is pushed for it until [`Queue::wake`]. The client's
    /// control requests end. Returns how often in a row the client was unknown, from 1.
    pub(super) fn make_dormant(&self, batch: &Batch) -> u32 {
        let mut state = lock(&self.state);
        let Some(client) = state.clients.get_mut(&batch.id) else {
            drop(state);
            self.done(batch);
            return 1;
        };
        client.sending = Sending::Dormant;
        client.was_known = false;
        client.set_control(ControlState::default());
        client.misses += 1;
        client.dropped = 0;
        let backlog = mem::take(&mut client.backlog);
        for it in batch.waiting.iter().chain(backlog.iter()) {
            client.note_left(&it.message);
        }
        let misses = client.misses;
        let used = mem::take(&mut client.used);
        state.used.remove(used);
        state.batched.remove(batch.used());
        state.counts.accepted += batch.accepted();
        state.counts.dropped += used.messages as u64 - batch.accepted();
        self.settle(state, batch.id);
        self.tell(batch.id);
        misses
    }

    /// Ends a client's [`Queue::pause`] or [`Queue::make_dormant`].
    pub(super) fn wake(&self, id: ClientId) {
        self.wake_from(id, &[Sending::Paused, Sending::Dormant]);
    }

    /// Ends a client's [`Queue::make_dormant`]. A pause goes on.
    pub(super) fn wake_dormant(&self, id: ClientId) {
        self.wake_from(id, &[Sending::Dormant]);
    }

    fn wake_from(&self, id: ClientId, from: &[Sending]) {
        let mut state = lock(&self.state);
        let Some(client) = state.clients.get_mut(&id) else {
            return;
        };
        let was_dormant = client.sending == Sending::Dormant;
        if from.contains(&client.sending) {
            client.sending = Sending::Possible;
            self.settle(state, id);
        }
        if was_dormant {
            self.tell(id);
        }
    }

    /// Drops all messages from now on: the server will never accept them.
    pub(super) fn turn_off(&self) {
        let mut state = lock(&self.state);
        let clients = state.turn_off();
        self.tell_if_empty(&state);
        drop(state);
        for scope in clients.values().flat_map(Client::scopes) {
            scope.set_standing(off());
        }
    }

    /// Adds a scope of a client. If that client's control stream is not read yet, returns the token that will end reading it.
    pub(super) fn enter(
        &self,
        id: ClientId,
        scope: &Weak<dyn Controlled>,
    ) -> Option<CancellationToken> {
        let mut state = lock(&self.state);
        if state.is_closed_to(id) {
            drop(state);
            scope.upgrade()?.set_standing(off());
            return None;
        }
        let client = state.clients.entry(id).or_default();
        client.scopes.retain(|it| it.strong_count() > 0);
        client.scopes.push(scope.clone());
        let listener = client.listener.is_none().then(CancellationToken::new);
        if let Some(over) = &listener {
            client.listener = Some(over.clone().drop_guard());
        }
        self.settle(state, id);
        let new = scope.upgrade();
        self.tell_until_known(id, Some(Standing::default()), |_| {
            new.iter().cloned().collect()
        });
        listener
    }

    /// Passes a client's standing to its scopes.
    fn tell(&self, id: ClientId) {
        self.tell_until_known(id, None, |state| {
            state.clients.get(&id).map_or_else(Vec::new, Client::scopes)
        });
    }

    /// Passes the standing of a client to the scopes that `whom` returns, unless it equals `told`, the last one that they
    /// got. Repeats this until it no longer changes: several threads may do this at once, and each scope must get the
    /// newest one last. Holds no lock while it calls the scopes.
    fn tell_until_known(
        &self,
        id: ClientId,
        mut told: Option<Standing>,
        whom: impl Fn(&State) -> Vec<Arc<dyn Controlled>>,
    ) {
        loop {
            let state = lock(&self.state);
            let standing = state.standing(id).unwrap_or_else(off);
            if told.as_ref() == Some(&standing) {
                return;
            }
            let scopes = whom(&state);
            drop(state);
            for scope in scopes {
                scope.set_standing(standing.clone());
            }
            told = Some(standing);
        }
    }

    /// Returns whether there are clients that are kept only for their number of dropped messages.
    pub(super) fn has_counts(&self) -> bool {
        !lock(&self.state).counted.is_empty()
    }

    /// Makes these clients ready to send their number of dropped messages, even without other messages.
    pub(super) fn send_counts(&self) {
        let mut state = lock(&self.state);
        let counted: Vec<_> = state.counted.values().copied().collect();
        for id in counted {
            if let Some(client) = state.clients.get_mut(&id) {
                client.owes_count = true;
            }
            state.settle(id);
        }
        self.wake_sender(state);
    }

    /// Notes that a scope of a client was dropped.
    pub(super) fn leave(&self, id: ClientId) {
        self.settle(lock(&self.state), id);
    }

    /// Notes that an operation started.
    pub(super) fn began(&self, id: ClientId, operation: &Operation) {
        if let Some(client) = lock(&self.state).clients.get_mut(&id) {
            client.began(operation);
        }
    }

    /// Returns a receiver of the operation that a client's control stream stands for: the first that runs.
    pub(super) fn first_operation(
        &self,
        id: ClientId,
    ) -> Option<watch::Receiver<Option<Operation>>> {
        let state = lock(&self.state);
        Some(state.clients.get(&id)?.first_operation.subscribe())
    }

    /// Stores a client's control state, and passes it to the client's scopes. While there is a control stream, the state in an
    /// answer is ignored.
    pub(super) fn set_control(&self, id: ClientId, control: ControlState, is_stream: bool) {
        if let Some(client) = lock(&self.state).clients.get_mut(&id) {
            client.has_control_stream |= is_stream;
            if client.has_control_stream != is_stream {
                return;
            }
            client.set_control(control);
        }
        self.tell(id);
    }

    pub(super) fn lost_control_stream(&self, id: ClientId) {
        if let Some(client) = lock(&self.state).clients.get_mut(&id) {
            client.has_control_stream = false;
        }
    }

    /// Returns the counts of messages; without [`PublisherStats::away`], which the queue does not know.
    pub(super) fn stats(&self) -> PublisherStats {
        let state = lock(&self.state);
        PublisherStats {
            pending: state.used.messages as u64,
            ..state.counts
        }
    }

    /// Waits until nothing waits and nothing is being sent.
    pub(super) async fn empty(&self) {
        loop {
            let emptied = self.empty.notified();
            if lock(&self.state).used.messages == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Updates the lists after a change of a client, and wakes what waits for it.
    fn settle(&self, mut state: MutexGuard<'_, State>, id: ClientId) {
        state.settle(id);
        self.tell_if_empty(&state);
        self.wake_sender(state);
    }

    /// Wakes a sender if a client became ready.
    fn wake_sender(&self, mut state: MutexGuard<'_, State>) {
        let is_news = mem::take(&mut state.became_ready);
        drop(state);
        if is_news {
            self.ready.notify_one();
        }
    }

    fn tell_if_empty(&self, state: &State) {
        if state.used.messages == 0 {
            self.empty.notify_waiters();
        }
    }
}

/// Returns the standing of all clients after [`Queue::turn_off`].
fn off() -> Standing {
    Standing {
        is_dormant: true,
        ..Standing::default()
    }
}
