//! The clients of the queue, and lists of those that are next for something, so that no step looks at all clients.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::time::Instant;

use super::backlog::{Rank, Waiting};
use super::batch::Batch;
use super::client::{BATCH, Client, Sending, Standing};
use super::room::Room;
use crate::event::ClientId;
use crate::message::Message;
use crate::publisher::PublisherStats;

/// Upper bounds of the messages that wait or are being sent, for all clients and for one.
pub(super) const ALL: Room = Room {
    messages: 8192,
    bytes: 8 << 20,
};
/// Upper bound of the messages in batches, apart from batches of one message. Messages in batches cannot be dropped, so that
/// batches become smaller the nearer this is: the other half of the queue stays free for newer messages.
pub(super) const BATCHED: Room = Room {
    messages: ALL.messages / 2,
    bytes: ALL.bytes / 2,
};
pub(super) const ONE: Room = Room {
    messages: 1024,
    bytes: 1 << 20,
};
/// Upper bound of the clients.
const CLIENTS_MAX: usize = 65_536;
/// Upper bound of the clients that are kept only for their number of dropped messages.
pub(super) const COUNTED_MAX: usize = 1024;

#[derive(Default)]
pub(super) struct State {
    pub(super) clients: HashMap<ClientId, Client>,
    /// Clients that are ready, in the order in which they are sent.
    pub(super) ready: BTreeMap<u64, ClientId>,
    /// Clients with messages in no batch, by their message that would be dropped first.
    to_drop: BTreeMap<Rank, ClientId>,
    /// Clients that are kept only for their number of dropped messages, in the order in which they are removed.
    pub(super) counted: BTreeMap<u64, ClientId>,
    /// Grows with each message, and with each place in a list.
    number: u64,
    /// Messages that wait or are being sent.
    pub(super) used: Room,
    /// Those of them that are in batches.
    pub(super) batched: Room,
    pub(super) counts: PublisherStats,
    /// Whether a client has become ready since a sender was last woken.
    pub(super) became_ready: bool,
    /// Whether publishing was turned off.
    is_off: bool,
}

impl State {
    /// Returns whether messages of this client are dropped at once.
    pub(super) fn is_closed_to(&self, id: ClientId) -> bool {
        let is_full = || self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&id);
        self.is_off || is_full()
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Returns the standing of a client's scopes; `None` after [`State::turn_off`].
    pub(super) fn standing(&self, id: ClientId) -> Option<Standing> {
        let client = || self.clients.get(&id).map(Client::standing);
        (!self.is_off).then(|| client().unwrap_or_default())
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Adds a message, and drops others if there is no room. Returns whether it ends a cancel.
    pub(super) fn push(&mut self, id: ClientId, message: Message) -> bool {
        let number = self.next_number();
        let client = self.clients.entry(id).or_default();
        let ends_cancel = client.ends_cancel(&message, number);
        if client.sending == Sending::Dormant {
            client.note_left(&message);
            self.counts.dropped += 1;
            return ends_cancel;
        }
        let bytes = size_of::<Waiting>() + size_of::<Message>() + message.heap_size();
        self.used.add(bytes);
        client.used.add(bytes);
        client.backlog.push(Waiting {
            bytes,
            number,
            is_kept: message.is_start() || message.outcome.is_some(),
            message: Box::new(message),
            since: Instant::now(),
        });
        while !client.used.fits(ONE)
            && let Some(freed) = client.drop_one()
        {
            self.used.remove(freed);
            self.counts.dropped += 1;
        }
        if !self.used.fits(ALL) {
            self.settle(id);
            self.drop_oldest();
        }
        ends_cancel
    }

    /// Drops the oldest messages of all clients until there is room.
    fn drop_oldest(&mut self) {
        while !self.used.fits(ALL)
            && let Some((_, id)) = self.to_drop.first_key_value()
        {
            let id = *id;
            let freed = self.clients.get_mut(&id).and_then(Client::drop_one);
            self.used.remove(freed.unwrap_or_default());
            self.counts.dropped += u64::from(freed.is_some());
            self.settle(id);
        }
    }

    /// Takes a batch of the client that is next.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let id = *self.ready.first_key_value()?.1;
        let client = self.clients.get_mut(&id)?;
        client.sending = Sending::UnderWay;
        let batch = client.again.take().unwrap_or_else(|| {
            let batch = client.take(id, self.batched.quarter_left(BATCHED, BATCH));
            self.batched.extend(batch.used());
            batch
        });
        self.settle(id);
        Some(batch)
    }

    /// Moves a changed client to its places in the lists, and removes one that is not needed any more.
    pub(super) fn settle(&mut self, id: ClientId) {
        let number = self.next_number();
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let place = |belongs: bool, now: Option<u64>| belongs.then(|| now.unwrap_or(number));
        let (is_used, is_ready) = (client.is_used(), client.is_ready());
        let places = &mut client.places;
        self.became_ready |= is_ready && places.ready.is_none();
        let ready = place(is_ready, places.ready);
        let counted = place(!is_used && client.dropped > 0, places.counted);
        list(&mut self.ready, id, &mut places.ready, ready);
        list(&mut self.counted, id, &mut places.counted, counted);
        let rank = client.backlog.rank();
        list(&mut self.to_drop, id, &mut places.to_drop, rank);
        if !is_used && client.dropped == 0 {
            self.clients.remove(&id);
        }
        if self.counted.len() > COUNTED_MAX
            && let Some((_, id)) = self.counted.pop_first()
        {
            self.clients.remove(&id);
        }
    }

    /// Drops all messages that wait, and accepts none from now on. Returns the clients that it had.
    pub(super) fn turn_off(&mut self) -> HashMap<ClientId, Client> {
        let clients = mem::take(&mut self.clients);
        let again = clients.values().filter_map(|it| it.again.as_ref());
        let again: u64 = again.clone().map(Batch::accepted).sum();
        let waits =
            |it: &Client| it.backlog.len() + it.again.as_ref().map_or(0, |it| it.waiting.len());
        let waiting: usize = clients.values().map(waits).sum();
        *self = Self {
            counts: PublisherStats {
                accepted: self.counts.accepted + again,
                dropped: self.counts.dropped + waiting as u64 - again,
                ..self.counts
            },
            is_off: true,
            ..Self::default()
        };
        clients
    }
}

/// Moves a client within a list, into it, or out of it.
fn list<K: Ord + Copy>(
    list: &mut BTreeMap<K, ClientId>,
    id: ClientId,
    now: &mut Option<K>,
    then: Option<K>,
) {
    if *now == then {
        return;
    }
    if let Some(now) = now {
        list.remove(now);
    }
    if let Some(then) = then {
        list.insert(then, id);
    }
    *now = then;
}
