//! Tasks of one node for its own mirrors: it updates them, and reports their readers to the store.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Inner;
use super::feed::Feed;
use super::link::{Origin, pause};
use super::mirrors::Slot;
use super::notice::Notice;
use super::scripts::{Join, Joining};
use crate::event::{ClientId, ClientPast};
use crate::hub::{self, BROKEN_OFF, Loss, Mirror, Missing};
use crate::message::{Level, Message};
use crate::refusal::Refusal;

/// Upper bound of the mirrors that are renewed at the same time.
const RENEWED_AT_ONCE: usize = 100;
/// How long streams stay open while the store is away, as a multiple of the store's patience.
const CUT_AFTER: u32 = 10;
/// Interval of the reports of readers that hold back a publisher.
const REPORT_EVERY: Duration = Duration::from_secs(1);

impl Inner {
    /// Reads the feed until the process exits. After each break, all mirrors join again.
    pub(super) async fn follow(self: Arc<Self>) {
        let mut tries = 0;
        let mut known: Option<Origin> = None;
        loop {
            match self.open_feed().await {
                Ok(mut feed) => {
                    tries = 0;
                    let origin = self.origin().await;
                    if known.as_ref().is_some_and(|it| *it != origin) {
                        tracing::warn!("the store was replaced or emptied; renewing all clients");
                        self.mirrors.note_unsure();
                    }
                    let is_start = known.replace(origin).is_none();
                    let metrics = self.scripts.link().metrics();
                    metrics.reconnects.add(usize::from(!is_start));
                    tokio::spawn(Arc::clone(&self).renew_all());
                    self.is_fed.send_replace(true);
                    let node = Arc::clone(&self);
                    tokio::spawn(async move { node.compare_limits(is_start).await });
                    tokio::select! {
                        error = self.read(&mut feed) => tracing::warn!(%error, "the connection for notices from the store broke"),
                        () = self.other_origin(known.as_ref()) => {}
                        () = self.beats.missed() => {}
                    }
                    self.is_fed.send_replace(false);
                }
                Err(error) => tracing::warn!(%error, "cannot receive notices from the store"),
            }
            pause(tries).await;
            tries += 1;
        }
    }

    /// Opens the feed; fails if the store does not answer in time.
    async fn open_feed(&self) -> io::Result<Feed> {
        let inbox = self.scripts.key(&format!("to:{}", self.node));
        let options = self.scripts.link().options();
        let opened = timeout(options.timeout, Feed::open(options, &inbox)).await;
        opened.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }

    /// Waits until a store answers requests, and returns its identity.
    async fn origin(&self) -> Origin {
        let mut link = self.scripts.link().clone();
        loop {
            if let Some(origin) = link.origin() {
                return origin;
            }
            link.changed().await;
        }
    }

    /// Waits until another store answers requests.
    async fn other_origin(&self, known: Option<&Origin>) {
        let mut link = self.scripts.link().clone();
        while link.origin().is_none_or(|it| Some(&it) == known) {
            link.changed().await;
        }
    }

    async fn read(self: &Arc<Self>, feed: &mut Feed) -> io::Error {
        loop {
            match feed.next().await {
                Ok(notice) => self.handle_notice(&notice),
                Err(error) => return error,
            }
        }
    }

    fn handle_notice(self: &Arc<Self>, notice: &[u8]) {
        match Notice::parse(notice) {
            Some(Notice::Published(id, published)) => {
                if let Some(slot) = self.mirrors.get(id)
                    && slot.take(published) == Err(Missing)
                {
                    self.renew_later(id);
                }
            }
            Some(Notice::Ended(id, end, last)) => {
                if let Some(slot) = self.mirrors.get(id) {
                    slot.end(end, last);
                }
            }
            Some(Notice::Audience(id, control)) => {
                if let Some(slot) = self.mirrors.get(id) {
                    slot.set_audience(control);
                }
            }
            Some(Notice::Lost(id, place)) => {
                // The mirror itself may hold what was lost, so it is compared with the store, which has the note.
                if let Some(slot) = self.mirrors.get(id)
                    && slot.may_lack_loss(place)
                {
                    self.renew_later(id);
                }
            }
            Some(Notice::Report(id)) => {
                if let Some(slot) = self.mirrors.get(id) {
                    slot.note_awaited();
                }
            }
            Some(Notice::Room(id)) => self.rooms.wake(id),
            Some(Notice::Beat(number)) => self.beats.came(number),
            None => tracing::warn!("the store sent a notice that this version does not know"),
        }
    }

    pub(super) async fn renew_all(self: Arc<Self>) {
        let renewed = stream::iter(self.mirrors.clients());
        let renew = |id| Arc::clone(&self).renew(id);
        renewed.for_each_concurrent(RENEWED_AT_ONCE, renew).await;
    }

    /// Spawns a renewal, unless one already waits for its turn.
    fn renew_later(self: &Arc<Self>, id: ClientId) {
        let slot = self.mirrors.get(id);
        if slot.is_some_and(|it| it.await_renewal()) {
            tokio::spawn(Arc::clone(self).renew(id));
        }
    }

    /// Makes a mirror join again; repeats that until the store answers.
    async fn renew(self: Arc<Self>, id: ClientId) {
        let Some(slot) = self.mirrors.get(id) else {
            return;
        };
        let mut tries = 0;
        loop {
            let turn = slot.turn.lock().await;
            slot.begin_renewal();
            let Some(mirror) = slot.mirror().filter(|_| !slot.is_gone()) else {
                return;
            };
            let (subscribers, listeners) = mirror.users();
            let joining = Joining {
                subscribers,
                listeners,
                makes: true,
                from: Some(mirror.last()),
                resumes: true,
            };
            match self.join(&slot, id, &joining).await {
                Ok(_) | Err(Refusal::Hub(_)) => return,
                Err(_) => {}
            }
            drop(turn);
            if !slot.await_renewal() {
                return;
            }
            pause(tries).await;
            tries += 1;
        }
    }

    /// Joins a channel, and creates or renews its mirror. The caller holds the slot's turn. Also returns what was known
    /// of an earlier channel with the same ID.
    pub(super) async fn join(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        id: ClientId,
        joining: &Joining,
    ) -> Result<(Mirror, Option<ClientPast>), Refusal> {
        let was_unsure = slot.begin_join();
        let answer = self.scripts.join(id, &self.node, joining).await;
        let (joined, caught_up) = match (answer, slot.mirror()) {
            (Ok(Join::Joined(image, past)), Some(mirror)) => {
                let metrics = self.scripts.link().metrics();
                metrics.rejoins.add(1);
                let loss = mirror.renew(image, !was_unsure && !slot.is_unsure());
                metrics.rewinds.add(usize::from(loss.is_some()));
                if let Some(Loss::Before(place)) = loss {
                    tokio::spawn(Arc::clone(self).note_loss(id, place));
                }
                (Ok((mirror.clone(), past)), slot.joined(mirror))
            }
            (Ok(Join::Joined(image, past)), None) => match self.hub.mirror(id, image) {
                Ok(mirror) => (Ok((mirror.clone(), past)), slot.joined(mirror)),
                Err(refusal) => (Err(refusal.into()), slot.not_joined(was_unsure)),
            },
            (Ok(Join::Ended(end, last)), _) => {
                let caught_up = slot.not_joined(was_unsure);
                slot.end(end, last);
                (Err(hub::Refusal::Ended.into()), caught_up)
            }
            (Err(refusal), _) => (Err(refusal), slot.not_joined(was_unsure)),
        };
        if caught_up == Err(Missing) {
            self.renew_later(id);
        }
        joined
    }

    /// Stores the place of a loss, for readers at other nodes; repeats that until the store answers.
    async fn note_loss(self: Arc<Self>, id: ClientId, place: u64) {
        let mut tries = 0;
        while let Err(Refusal::StoreAway) = self.scripts.note_loss(id, place).await {
            pause(tries).await;
            tries += 1;
        }
    }

    /// Reports every mirror whose readers or listeners have changed.
    pub(super) async fn report_changes(self: Arc<Self>) {
        loop {
            let id = self.hub.changed_mirror().await;
            tokio::spawn(Arc::clone(&self).report(id));
        }
    }

    /// Closes all streams if the store has been away for long, because another node may still reach it.
    pub(super) async fn cut_streams(self: Arc<Self>) {
        let mut ticks = interval(self.patience);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut away = 0;
        loop {
            ticks.tick().await;
            away = if self.is_up() { 0 } else { away + 1 };
            if away <= CUT_AFTER {
                continue;
            }
            let clients = self.mirrors.clients();
            let mirrors = clients
                .into_iter()
                .filter_map(|id| self.mirrors.get(id)?.mirror());
            let open: Vec<_> = mirrors.filter(|it| it.users() != (0, 0)).collect();
            if !open.is_empty() {
                tracing::warn!(
                    clients = open.len(),
                    "the store is away for too long; closing streams"
                );
            }
            open.iter().for_each(Mirror::cut);
        }
    }

    /// Regularly reports the readers that a publisher waits for, because publishers do not wait for a node that is
    /// silent.
    pub(super) async fn report_awaited(self: Arc<Self>) {
        let mut ticks = interval(REPORT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for id in self.mirrors.clients() {
                let mirror = self.mirrors.get(id).and_then(|it| it.mirror());
                if let Some(mirror) = mirror.filter(Mirror::is_awaited) {
                    mirror.note_awaited();
                }
            }
        }
    }

    /// Reports a mirror's change, and removes it if nobody uses it.
    pub(super) async fn report(self: Arc<Self>, id: ClientId) {
        let Some(slot) = self.mirrors.get(id) else {
            return;
        };
        let mut tries = 0;
        loop {
            let turn = slot.turn.lock().await;
            let Some(mirror) = slot.mirror() else {
                // The channel has ended.
                return self.mirrors.remove(id, &slot);
            };
            match self.report_in_turn(id, &mirror).await {
                Ok(is_unused) => {
                    if is_unused && mirror.remove_if_unused() {
                        self.mirrors.remove(id, &slot);
                    }
                    return;
                }
                Err(Refusal::Hub(_)) => {
                    drop(turn);
                    return self.renew(id).await;
                }
                Err(_) => drop(turn),
            }
            pause(tries).await;
            tries += 1;
        }
    }

    /// Reports a change, if there is one. Returns whether nobody uses the mirror.
    pub(super) async fn report_in_turn(
        &self,
        id: ClientId,
        mirror: &Mirror,
    ) -> Result<bool, Refusal> {
        let Some(mut change) = mirror.take_change() else {
            return Ok(false);
        };
        while let Some((ticket, operation)) = change.gone.last() {
            let message = Message {
                operation: Some(operation.clone()),
                ..Message::system(Some(Level::Error), BROKEN_OFF)
            };
            let work = self.work(*ticket);
            let published = self.scripts.gone(id, &work, &message).await;
            match published {
                Ok(()) | Err(Refusal::Hub(_)) => drop(change.gone.pop()),
                Err(refusal) => {
                    mirror.requeue(change);
                    return Err(refusal);
                }
            }
        }
        match self.scripts.report(id, &self.node, &change).await {
            Ok(control) => {
                mirror.set_audience(control);
                Ok(change.is_unused)
            }
            Err(refusal) => {
                mirror.requeue(change);
                Err(refusal)
            }
        }
    }

    /// Returns the name of a piece of this node's work.
    pub(super) fn work(&self, ticket: u64) -> String {
        format!("{}:{ticket}", self.node)
    }
}
