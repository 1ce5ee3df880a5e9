//! Messages that wait to be sent, by client. Pushing never blocks and never fails: a full queue drops its oldest messages, and
//! counts them.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::control::ControlState;
use crate::event::ClientId;
use crate::lock::lock;
use crate::message::{Message, Operation};

/// Upper bounds of what waits or is being sent: messages and their bytes, for all clients and for one.
const ALL: Room = Room {
    messages: 8192,
    bytes: 8 << 20,
};
const ONE: Room = Room {
    messages: 1024,
    bytes: 1 << 20,
};
/// Upper bounds of one request.
const BATCH: Room = Room {
    messages: 1000,
    bytes: 256 << 10,
};
/// Upper bound of the clients that are known at once.
const CLIENTS_MAX: usize = 65_536;

/// The scopes of one client, as far as the queue is concerned.
pub(crate) trait Controlled: Send + Sync {
    /// Takes note of how many watch, and what they ask for.
    fn set_control(self: Arc<Self>, state: ControlState);
    /// Stops, or resumes, formatting and sending messages.
    fn set_dormant(&self, is_dormant: bool);
}

/// A number of messages, and their size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Room {
    messages: usize,
    bytes: usize,
}

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
    counts: Counts,
    /// Whether nothing is published any more.
    is_off: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) dropped: u64,
    /// Messages that wait or are being sent.
    pub(super) pending: u64,
}

#[derive(Default)]
struct Client {
    waiting: VecDeque<Waiting>,
    used: Room,
    /// Messages that were dropped since the last batch.
    dropped: u64,
    progress: Sending,
    scopes: Vec<Weak<dyn Controlled>>,
    /// The first operation that began.
    operation: Option<Operation>,
    /// Whether the server knew it once.
    was_known: bool,
    /// How often in a row the server did not know it.
    misses: u32,
    /// Ends the task that listens to control requests.
    listener: Option<DropGuard>,
    /// Whether that task has a stream, which knows more than the answers do.
    has_control_stream: bool,
}

/// Whether a client's messages may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sending {
    #[default]
    Possible,
    UnderWay,
    /// The server does not know the client: not before it is asked again.
    Paused,
    /// The same, and what is pushed is dropped.
    Dormant,
}

pub(super) struct Waiting {
    pub(super) message: Box<Message>,
    bytes: usize,
    /// Whether it starts or ends an operation, which would else run for ever on screen.
    is_kept: bool,
    since: Instant,
}

/// What a sender takes: messages of one client, in their order. There is at least one.
pub(super) struct Batch {
    pub(super) id: ClientId,
    pub(super) waiting: Vec<Waiting>,
    /// How many were dropped before them, which a line before them says if it is not 0.
    pub(super) dropped: u64,
    /// Whether the server knew the client once.
    pub(super) was_known: bool,
}

impl Queue {
    /// Adds a message. If the queue is full, the oldest one that neither starts nor ends an operation is dropped.
    pub(super) fn push(&self, id: ClientId, message: Message, is_kept: bool) {
        let mut state = lock(&self.state);
        let bytes = size_of::<Waiting>() + size_of::<Message>() + message.heap_size();
        let is_refused = state.is_off || state.is_full_of_clients(id);
        let client = state.clients.entry(id).or_default();
        if is_refused || client.progress == Sending::Dormant {
            state.counts.dropped += 1;
            state.forget_unused(id);
            return;
        }
        let is_first = client.waiting.is_empty() && client.progress == Sending::Possible;
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
        client.progress = Sending::Paused;
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
        client.progress = Sending::Dormant;
        client.was_known = false;
        client.misses += 1;
        client.dropped = 0;
        client.waiting.clear();
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
        let scopes = match client.progress {
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
        if client.progress == Sending::Dormant {
            drop(state);
            scope.upgrade()?.set_dormant(true);
        }
        None
    }

    /// Takes note that a scope of a client is gone.
    pub(super) fn leave(&self, id: ClientId) {
        lock(&self.state).forget_unused(id);
    }

    /// Takes note of an operation that began: the first one names the client's control stream.
    pub(super) fn began(&self, id: ClientId, operation: &Operation) {
        if let Some(client) = lock(&self.state).clients.get_mut(&id) {
            client.operation.get_or_insert_with(|| operation.clone());
        }
    }

    /// The first operation of a client that began.
    pub(super) fn operation(&self, id: ClientId) -> Option<Operation> {
        let state = lock(&self.state);
        state.clients.get(&id)?.operation.clone()
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

    pub(super) fn counts(&self) -> Counts {
        let state = lock(&self.state);
        Counts {
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
        client.progress = Sending::Possible;
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
        client.dropped += 1;
        self.used.remove(freed);
        self.counts.dropped += 1;
    }
}

impl Client {
    fn take(&mut self, id: ClientId) -> Option<Batch> {
        if self.progress != Sending::Possible || self.waiting.is_empty() {
            return None;
        }
        self.progress = Sending::UnderWay;
        let mut used = Room::default();
        let fits = |it: &&Waiting| {
            used.add(it.bytes);
            used.fits(BATCH)
        };
        let count = self.waiting.iter().take_while(fits).count().max(1);
        Some(Batch {
            id,
            waiting: self.waiting.drain(..count).collect(),
            dropped: mem::take(&mut self.dropped),
            was_known: self.was_known,
        })
    }

    /// Where the message is that is dropped next, if one has to be.
    fn next_to_drop(&self) -> Option<usize> {
        let droppable = self.waiting.iter().position(|it| !it.is_kept);
        droppable.or((!self.waiting.is_empty()).then_some(0))
    }

    fn is_used(&self) -> bool {
        let has_scopes = self.scopes.iter().any(|it| it.strong_count() > 0);
        has_scopes || !self.waiting.is_empty() || self.progress != Sending::Possible
    }

    fn scopes(&self) -> Vec<Arc<dyn Controlled>> {
        self.scopes.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Batch {
    fn used(&self) -> Room {
        let mut used = Room::default();
        for it in &self.waiting {
            used.add(it.bytes);
        }
        used
    }

    /// For how long its oldest message waits.
    pub(super) fn age(&self) -> Duration {
        self.waiting[0].since.elapsed()
    }
}

impl Room {
    fn of(waiting: &Waiting) -> Self {
        Self {
            messages: 1,
            bytes: waiting.bytes,
        }
    }

    /// Adds one message of this size.
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, freed: Self) {
        // All was removed at once if nothing is published any more.
        self.messages = self.messages.saturating_sub(freed.messages);
        self.bytes = self.bytes.saturating_sub(freed.bytes);
    }

    fn fits(self, bound: Self) -> bool {
        self.messages <= bound.messages && self.bytes <= bound.bytes
    }
}
