//! A channel that mirrors a channel in a store: updates from the store, and reports to it.

mod reports;

use std::mem;

use super::losses::Losses;
use super::{Channel, Position, State, wake_all, wake_readers};
use crate::control::{ControlState, Requested};
use crate::event::{End, EventId, UnixMillis};
use crate::hub::image::{Image, Loss, Missing};
use crate::hub::log::Log;
use crate::hub::sync::{Ordering, PoisonError};
use crate::message::{Message, Operation};

/// The additional state of such a channel.
pub(super) struct Mirrored {
    /// Subscribers at all nodes.
    subscribers: usize,
    /// The oldest number that the store holds.
    held_from: u64,
    /// Whether it is in the queue of changes.
    is_queued: bool,
    /// Whether a publisher waits for its readers.
    is_awaited: bool,
    /// The number that the slowest reader had to read next at the last report.
    reported: u64,
    /// The slowest position of the readers that left because the hub closes.
    left: Option<u64>,
    /// The index of a reader that had not read far enough at the last check. It is checked first.
    behind: usize,
    /// The closed control streams, with the operations that they accompanied.
    gone: Vec<(u64, Operation)>,
    /// The places at which the store has lost messages.
    losses: Losses,
    /// Whether the store has been out of reach for so long that readers should try another server.
    is_cut: bool,
    /// The last event of the channel, set when the channel has ended.
    last: Option<EventId>,
}

impl Mirrored {
    fn new() -> Self {
        Self {
            subscribers: 0,
            held_from: 1,
            is_queued: false,
            is_awaited: false,
            reported: 0,
            left: None,
            behind: 0,
            gone: Vec::new(),
            losses: Losses::default(),
            is_cut: false,
            last: None,
        }
    }

    pub(super) fn subscribers(&self) -> usize {
        self.subscribers
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(super) fn losses(&self) -> &Losses {
        &self.losses
    }

    pub(super) fn losses_mut(&mut self) -> &mut Losses {
        &mut self.losses
    }

    /// Returns the last event if the channel has ended. That event may not have arrived here.
    pub(super) fn last(&self) -> Option<EventId> {
        self.last
    }

    /// Notes the position of a reader that left because the hub closes.
    pub(super) fn note_left(&mut self, unwritten: u64) {
        self.left = Some(self.left.unwrap_or(unwritten).min(unwritten));
    }

    /// Notes that a control stream which accompanied an operation was closed.
    pub(super) fn note_gone(&mut self, ticket: u64, operation: Operation) {
        self.gone.push((ticket, operation));
    }
}

impl Channel {
    /// Turns a new channel into a mirror with this content.
    pub(in crate::hub) fn mirroring(mut self, image: Image) -> Self {
        let state = self.state.get_mut();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state.mirrored = Some(Box::new(Mirrored::new()));
        state.created = image.created;
        state.log = Log::after(image.before);
        let _ = self.renew(image, true);
        self
    }

    /// Appends messages that the store has accepted, numbered from `from` on. Those that are already here are skipped.
    pub(in crate::hub) fn append_taken(
        &self,
        held_from: u64,
        from: u64,
        events: Vec<(UnixMillis, Message)>,
    ) -> Result<(), Missing> {
        let mut state = self.lock();
        let known = state.log.next().checked_sub(from).ok_or(Missing)?;
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let memory = state.log.memory();
        for (time, message) in events.into_iter().skip(known) {
            self.push_taken(&mut state, time, message);
        }
        if let Some(mirrored) = &mut state.mirrored {
            mirrored.held_from = mirrored.held_from.max(held_from);
        }
        state.log.drop_before(held_from);
        self.keep_to_budget(&mut state, memory);
        self.charge(memory, state.log.memory());
        wake_readers(state);
        Ok(())
    }

    fn push_taken(&self, state: &mut State, time: UnixMillis, message: Message) {
        self.shared.published.fetch_add(1, Ordering::Relaxed);
        state.notice_outcome(&message);
        let prepared = state.log.prepare(message, time, self.shared.frames);
        state.log.append(prepared);
    }

    /// If the memory budget is used up, the mirror does not grow: its oldest messages are dropped, and readers that
    /// have not read them get a gap.
    fn keep_to_budget(&self, state: &mut State, before: usize) {
        let others = self.shared.memory.load(Ordering::Relaxed) - before;
        let budget = self.shared.limits.memory;
        while state.log.memory() > before
            && others + state.log.memory() > budget
            && state.log.first() + 1 < state.log.next()
        {
            let first = state.log.first();
            state.log.drop_before(first + 1);
        }
    }

    /// Replaces the content by what the store holds: it may have more messages, fewer, or others with the same numbers.
    /// If it lacks messages that were here, each reader gets a gap of unknown size before it continues. Returns what
    /// the store lacks.
    pub(in crate::hub) fn renew(&self, image: Image, is_sure: bool) -> Option<Loss> {
        let mut state = self.lock();
        let (memory, here) = (state.log.memory(), state.log.last().seq);
        let is_same = state.created == image.created;
        let same = is_same.then(|| agreement(&state.log, &image, is_sure));
        let agreed = same.flatten();
        let has_lost = !is_same || agreed.unwrap_or(0) < here;
        let begins_earlier = image.before.seq + 1 < state.log.first();
        let kept = agreed.filter(|seq| *seq >= image.before.seq && !begins_earlier);
        match kept {
            Some(seq) => state.log.take_back_after(seq),
            None => state.log = Log::after(image.before),
        }
        let known = kept.map_or(0, |seq| seq - image.before.seq);
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        for (time, message) in image.events.into_iter().skip(known) {
            self.push_taken(&mut state, time, message);
        }
        state.created = image.created;
        let loss = has_lost.then(|| state.rewind(agreed.unwrap_or(0), image.held_from, !is_same));
        if let Some(place) = image.lost {
            state.note_loss(place);
        }
        if let Some(mirrored) = &mut state.mirrored {
            mirrored.held_from = image.held_from;
            mirrored.reported = 0;
            mirrored.is_cut = false;
        }
        self.charge(memory, state.log.memory());
        state.set_audience(image.control);
        wake_readers(state);
        loss
    }

    /// Returns whether it is known that the store has lost messages right before this number.
    pub(in crate::hub) fn knows_loss(&self, place: u64) -> bool {
        self.lock().has_loss_at(place)
    }

    /// Sets the number of subscribers at all nodes, and the requests.
    pub(in crate::hub) fn set_audience(&self, control: ControlState) {
        let mut state = self.lock();
        state.set_audience(control);
        wake_readers(state);
    }

    /// Ends the channel. Its readers get the messages that are here, and a gap for those that are missing. Returns false
    /// if it had already ended.
    pub(in crate::hub) fn end_at(&self, end: End, last: EventId) -> bool {
        let mut state = self.lock();
        if state.end.is_some() {
            return false;
        }
        if let Some(mirrored) = &mut state.mirrored {
            mirrored.last = Some(last);
        }
        state.end = Some(end);
        wake_all(state);
        true
    }

    /// Ends all subscriptions and control streams, but not the channel, until the mirror is renewed.
    pub(in crate::hub) fn cut(&self) {
        let mut state = self.lock();
        if let Some(mirrored) = &mut state.mirrored {
            mirrored.is_cut = true;
        }
        wake_all(state);
    }

    /// Returns whether it was cut and has not been renewed since.
    pub(in crate::hub) fn is_cut(&self) -> bool {
        let state = self.lock();
        state.mirrored.as_ref().is_some_and(|it| it.is_cut)
    }

    /// Ends the mirror if it has no readers or listeners; the channel continues in the store.
    pub(in crate::hub) fn end_unused(&self) -> bool {
        let mut state = self.lock();
        if !state.is_unused() || state.end.is_some() {
            return false;
        }
        state.end = Some(End::Idle);
        true
    }

    /// Returns whether the mirror holds everything that the store holds from this position on.
    pub(in crate::hub) fn covers(&self, from: Position) -> bool {
        let state = self.lock();
        let first = state.log.first();
        let held_from = state.mirrored.as_ref().map_or(1, |it| it.held_from);
        match from {
            Position::Start => first <= held_from,
            Position::Tail(count) => {
                first <= held_from || state.log.next().saturating_sub(count) >= first
            }
            // A cursor of another channel begins at the oldest message.
            Position::After(cursor) => {
                first <= held_from || state.log.id_of(cursor.seq) == Some(cursor)
            }
        }
    }

    /// Returns the ID of the newest event here.
    pub(in crate::hub) fn last(&self) -> EventId {
        self.lock().log.last()
    }
}

impl State {
    fn set_audience(
        &mut self,
        ControlState {
            subscribers,
            requested,
        }: ControlState,
    ) {
        let Some(mirrored) = &mut self.mirrored else {
            return;
        };
        let is_changed = mem::replace(&mut mirrored.subscribers, subscribers) != subscribers;
        if self.control.is_some() || requested != Requested::default() {
            let control = self.control.get_or_insert_default();
            control.set_requested(requested);
            if is_changed {
                control.change();
            }
        }
    }
}

/// Returns the newest number up to which the log and the image have the same messages, as far as is known.
fn agreement(log: &Log, image: &Image, is_sure: bool) -> Option<u64> {
    let (here, there) = (log.last(), image.before);
    if there.seq > here.seq {
        // The store has dropped all messages that are here.
        return (is_sure && there.time >= here.time).then_some(here.seq);
    }
    let oldest = there.seq.max(log.first() - 1);
    let newest = here.seq.min(image.last().seq);
    (oldest..=newest)
        .rev()
        .find(|seq| Some(log.id_before(seq + 1)) == image.id_of(*seq))
}
