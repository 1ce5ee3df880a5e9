//! Messages that wait to be sent, by client. Pushing never blocks and never fails: a full queue drops its oldest messages, and
//! counts them.

mod client;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Instant;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub(super) use self::client::Batch;
pub(crate) use self::client::Controlled;
use self::client::{Client, Room, Sending, Waiting};

use crate::control::ControlState;
use crate::event::ClientId;
use crate::lock::lock;
use crate::message::{Message, Operation};
use crate::publisher::PublisherStats;

/// Upper bounds of what waits or is being sent: messages and their bytes, for all clients and for one.
const ALL: Room = Room {
    messages: 8192,
    bytes: 8 << 20,
};
const ONE: Room = Room {
    messages: 1024,
    bytes: 1 << 20,
};
/// Upper bound of the clients that are known at once.
const CLIENTS_MAX: usize = 65_536;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Wakes a sender if a client has messages that nobody sends yet.
    ready: Notify,
    /// Wakes those who wait for an empty queue.
    empty: Notify,
}

#[derive(Default)]
struct State {
    clients: HashMap<ClientId, Client>,
    /// Clients with messages that nobody sends yet, each once.
    ready: VecDeque<ClientId>,
    /// What waits or is being sent.
    used: Room,
    counts: PublisherStats,
    /// Whether nothing is published any more.
    is_off: bool,
}

impl Queue {
    /// Adds a message. If the queue is full, the oldest one that neither starts nor ends an operation is dropped.
    pub(super) fn push(&self, id: ClientId, message: Message, is_kept: bool) {
        let mut state = lock(&self.state);
        let bytes = size_of::<Waiting>() + size_of::<Message>() + message.heap_size();
        let is_refused = state.is_off || state.is_full_of_clients(id);
        let client = state.clients.entry(id).or_default();
        if is_refused || client.sending == Sending::Dormant {
            client.is_done_with(&message);
            state.counts.dropped += 1;
            state.forget_unused(id);
            return;
        }
        let is_first = client.waiting.is_empty() && client.sending == Sending::Possible;
        client.waiting.push_back(Waiting {
            message: Box::new(message),
            bytes,
            is_kept,
            since: Instant::now(),
        });
        client.used.add(bytes);
        let is_over = !client.used.fits(ONE);
        state.used.add(bytes);
        if is_over {
            state.drop_one_of(id);
        }
        while !state.used.fits(ALL) {
            let Some(oldest) = state.client_with_oldest() else {
                break;
            };
            state.drop_one_of(oldest);
        }
        if is_first {
            state.ready.push_back(id);
            drop(state);
            self.ready.notify_one();
        }
    }

    /// Takes the messages of a client that nobody sends yet, once there are some.
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
        loop {
            let id = state.ready.pop_front()?;
            if !state.ready.is_empty() {
                self.ready.notify_one();
            }
            let Some(client) = state.clients.get_mut(&id) else {
                continue;
            };
            // It may have been dropped meanwhile.
            if let Some(batch) = client.take(id) {
                return Some(batch);
            }
            state.forget_unused(id);
        }
    }

    /// Ends a batch: so many of its lines were accepted, and the rest dropped.
    pub(super) fn done(&self, batch: &Batch, lines: u64) {
        let mut state = lock(&self.state);
        let is_told = batch.dropped > 0 && lines > 0;
        let accepted = lines - u64::from(is_told);
        let dropped = batch.waiting.len() as u64 - accepted;
        state.counts.accepted += accepted;
        state.counts.dropped += dropped;
        state.used.remove(batch.used());
        if let Some(client) = state.clients.get_mut(&batch.id) {
            client.used.remove(batch.used());
            client.dropped += dropped + if is_told { 0 } else { batch.dropped };
            client.was_known |= lines > 0;
            for it in &batch.waiting {
                client.is_done_with(&it.message);
            }
            client.misses = 0;
        }
        self.resume(state, batch.id);
    }

    /// Puts a batch back whose client the server does not know again yet, to be sent after [`Queue::wake`]. Returns how often in
    /// a row that was so, from 1.
    pub(super) fn put_back(&self, batch: Batch) -> u32 {
        let mut state = lock(&self.state);
        let Some(client) = state.clients.get_mut(&batch.id) else {
            return 1;
        };
        client.sending = Sending::Paused;
        client.dropped += batch.dropped;
        client.misses += 1;
        for it in batch.waiting.into_iter().rev() {
            client.waiting.push_front(it);
        }
        client.misses
    }

    /// Drops a batch whose client the server does not know, and what is pushed for that client until [`Queue::wake`]. Returns
    /// how often in a row that was so, from 1.
    pub(super) fn make_dormant(&self, batch: &Batch) -> u32 {
        let mut state = lock(&self.state);
        let Some(client) = state.clients.get_mut(&batch.id) else {
            return 1;
        };
        client.sending = Sending::Dormant;
        client.was_known = false;
        client.known = None;
        client.misses += 1;
        client.dropped = 0;
        let waiting = mem::take(&mut client.waiting);
        for it in batch.waiting.iter().chain(&waiting) {
            client.is_done_with(&it.message);
        }
        let (misses, scopes) = (client.misses, client.scopes());
        let used = mem::take(&mut client.used);
        state.used.remove(used);
        state.counts.dropped += used.messages as u64;
        self.tell_if_empty(&state);
        drop(state);
        for scope in scopes {
            scope.set_dormant(true);
        }
        misses
    }

    /// Has a client's messages sent again, which the server did not know.
    pub(super) fn wake(&self, id: ClientId) {
        let mut state = lock(&self.state);
        let Some(client) = state.clients.get_mut(&id) else {
            return;
        };
        let scopes = match client.sending {
            Sending::Possible | Sending::UnderWay => return,
            Sending::Paused => Vec::new(),
            Sending::Dormant => client.scopes(),
        };
        self.resume(state, id);
        for scope in scopes {
            scope.set_dormant(false);
        }
    }

    /// Drops everything from now on: the server will never take it.
    pub(super) fn turn_off(&self) {
        let mut state = lock(&self.state);
        state.is_off = true;
        state.ready.clear();
        let clients = mem::take(&mut state.clients);
        let waiting: usize = clients.values().map(|it| it.waiting.len()).sum();
        state.counts.dropped += waiting as u64;
        state.used = Room::default();
        self.tell_if_empty(&state);
        drop(state);
        for scope in clients.values().flat_map(Client::scopes) {
            scope.set_dormant(true);
        }
    }

    /// Adds a scope of a client. Returns what ends listening to that client's control requests, if nobody listens to them yet.
    pub(super) fn enter(
        &self,
        id: ClientId,
        scope: &Weak<dyn Controlled>,
    ) -> Option<CancellationToken> {
        let mut state = lock(&self.state);
        if state.is_off || state.is_full_of_clients(id) {
            drop(state);
            scope.upgrade()?.set_dormant(true);
            return None;
        }
        let client = state.clients.entry(id).or_default();
        client.scopes.retain(|it| it.strong_count() > 0);
        client.scopes.push(scope.clone());
        if client.listener.is_none() {
            let over = CancellationToken::new();
            client.listener = Some(over.clone().drop_guard());
            return Some(over);
        }
        let is_dormant = client.sending == Sending::Dormant;
        drop(state);
        let scope = scope.upgrade()?;
        if is_dormant {
            scope.set_dormant(true);
        }
        self.tell_known(id, &scope);
        None
    }

    /// Tells a new scope what its client's others were told last. Repeats that if they are told something else meanwhile.
    fn tell_known(&self, id: ClientId, scope: &Arc<dyn Controlled>) {
        let known = || lock(&self.state).clients.get(&id)?.known.clone();
        let mut told = None;
        while let Some(news) = known().filter(|it| told.as_ref() != Some(it)) {
            Arc::clone(scope).set_control(news.clone());
            told = Some(news);
        }
    }

    /// Takes note that a scope of a client is gone.
    pub(super) fn leave(&self, id: ClientId) {
        lock(&self.state).forget_unused(id);
    }

    /// Takes note of an operation that began.
    pub(super) fn began(&self, id: ClientId, operation: &Operation) {
        if let Some(client) = lock(&self.state).clients.get_mut(&id) {
            client.began(operation);
        }
    }

    /// The operation that a client's control stream is to stand for: the first that runs.
    pub(super) fn first_operation(
        &self,
        id: ClientId,
    ) -> Option<watch::Receiver<Option<Operation>>> {
        let state = lock(&self.state);
        Some(state.clients.get(&id)?.first_operation.subscribe())
    }

    /// Tells a client's scopes how many watch, and what they ask for: what a control stream says, or, as long as there is none,
    /// an answer.
    pub(super) fn set_control(&self, id: ClientId, known: &ControlState, is_stream: bool) {
        let mut state = lock(&self.state);
        let Some(client) = state.clients.get_mut(&id) else {
            return;
        };
        client.has_control_stream |= is_stream;
        if client.has_control_stream != is_stream {
            return;
        }
        client.known = Some(known.clone());
        let scopes = client.scopes();
        drop(state);
        for scope in scopes {
            scope.set_control(known.clone());
        }
    }

    pub(super) fn lost_control_stream(&self, id: ClientId) {
        if let Some(client) = lock(&self.state).clients.get_mut(&id) {
            client.has_control_stream = false;
        }
    }

    /// What became of the messages; it does not know whether the server is away.
    pub(super) fn stats(&self) -> PublisherStats {
        let state = lock(&self.state);
        PublisherStats {
            pending: state.used.messages as u64,
            ..state.counts
        }
    }

    /// Ready once nothing waits and nothing is being sent.
    pub(super) async fn empty(&self) {
        loop {
            let emptied = self.empty.notified();
            if lock(&self.state).used.messages == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn resume(&self, mut state: MutexGuard<'_, State>, id: ClientId) {
        let Some(client) = state.clients.get_mut(&id) else {
            return self.tell_if_empty(&state);
        };
        client.sending = Sending::Possible;
        if client.waiting.is_empty() {
            state.forget_unused(id);
            self.tell_if_empty(&state);
        } else {
            state.ready.push_back(id);
            drop(state);
            self.ready.notify_one();
        }
    }

    fn tell_if_empty(&self, state: &State) {
        if state.used.messages == 0 {
            self.empty.notify_waiters();
        }
    }
}

impl State {
    fn is_full_of_clients(&self, id: ClientId) -> bool {
        self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&id)
    }

    /// Forgets a client for whom nothing is to be done any more.
    fn forget_unused(&mut self, id: ClientId) {
        let client = self.clients.get(&id);
        if client.is_some_and(|it| !it.is_used()) {
            self.clients.remove(&id);
        }
    }

    /// The client whose next message to be dropped is the oldest. Looks at all clients, which a full queue has few of: each may
    /// fill an eighth of it.
    fn client_with_oldest(&self) -> Option<ClientId> {
        let oldest = |client: &Client| {
            let at = client.next_to_drop()?;
            Some((client.waiting[at].is_kept, client.waiting[at].since))
        };
        let clients = self.clients.iter();
        clients
            .filter_map(|(id, client)| Some((oldest(client)?, *id)))
            .min_by_key(|it| it.0)
            .map(|it| it.1)
    }

    fn drop_one_of(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let at = client.next_to_drop();
        let Some(dropped) = at.and_then(|at| client.waiting.remove(at)) else {
            return;
        };
        let freed = Room::of(&dropped);
        client.used.remove(freed);
        client.is_done_with(&dropped.message);
        client.dropped += 1;
        self.used.remove(freed);
        self.counts.dropped += 1;
    }
}
