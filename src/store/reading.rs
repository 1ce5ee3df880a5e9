//! Reading and listening at this node. It joins a channel if the mirror is missing, or lacks the wanted messages.

use std::sync::Arc;

use super::Store;
use super::mirrors::Slot;
use super::scripts::Joining;
use crate::event::{ClientId, ClientPast, EventId, Format};
use crate::hub::{self, ControlStream, Mirror, Position, Subscription};
use crate::message::Operation;
use crate::refusal::Refusal;

impl Store {
    /// See [`Hub::subscribe`](hub::Hub::subscribe), and [`Hub::attach`](hub::Hub::attach) if `makes` is false.
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn subscribe(
        &self,
        id: ClientId,
        format: Format,
        from: Position,
        makes: bool,
    ) -> Result<Subscription, Refusal> {
        let subscribe = || async {
            loop {
                self.inner.hub.admit()?;
                // The channel may end meanwhile.
                let store = self.clone();
                let task = async move { store.try_subscribe(id, format, from, makes).await };
                if let Some(subscription) = whole(task).await? {
                    return Ok(subscription);
                }
            }
        };
        self.inner.retry_while_away(subscribe).await
    }

    async fn try_subscribe(
        &self,
        id: ClientId,
        format: Format,
        from: Position,
        makes: bool,
    ) -> Result<Option<Subscription>, Refusal> {
        let inner = &self.inner;
        let slot = inner.mirrors.slot(id);
        let _turn = slot.turn.lock().await;
        if slot.is_gone() {
            return Ok(None);
        }
        let (mirror, past) = match slot.mirror() {
            Some(mirror) if !slot.is_unsure() && reaches(&mirror, from) => (mirror, None),
            known => {
                let (subscribers, listeners) = known.as_ref().map_or((0, 0), Mirror::users);
                let wanted = match from {
                    Position::After(cursor) => cursor,
                    Position::Start | Position::Tail(_) => BEGINNING,
                };
                let here = known.map(|it| it.last());
                let mut joining = Joining {
                    subscribers: subscribers + 1,
                    listeners,
                    makes,
                    from: here.into_iter().chain([wanted]).min_by_key(|it| it.seq),
                    resumes: matches!(from, Position::After(_)),
                };
                let joined = self.join(&slot, id, &joining).await;
                let (mirror, past) = match joined {
                    // A reader without a cursor cannot have read the ended channel, and gets a new one.
                    Err(Refusal::Hub(hub::Refusal::Ended)) if !joining.resumes => {
                        return Err(hub::Refusal::Unknown.into());
                    }
                    joined => joined?,
                };
                if !mirror.covers(from) {
                    joining.from = Some(BEGINNING);
                    self.join(&slot, id, &joining).await?;
                }
                (mirror, past)
            }
        };
        let Some(subscription) = mirror.subscribe(format, from, past) else {
            return Ok(None);
        };
        let subscription = subscription?;
        match inner.report_in_turn(id, &mirror).await {
            Err(refusal @ Refusal::Hub(hub::Refusal::TooManySubscribers(_))) => Err(refusal),
            // A notice tells the mirror if the channel has ended. If the store cannot be reached, the change is
            // reported later.
            _ => Ok(Some(subscription)),
        }
    }

    /// Joins a channel. The caller holds the slot's turn. If there is no mirror afterwards, the slot is removed.
    async fn join(
        &self,
        slot: &Arc<Slot>,
        id: ClientId,
        joining: &Joining,
    ) -> Result<(Mirror, Option<ClientPast>), Refusal> {
        let joined = self.inner.join(slot, id, joining).await;
        if slot.mirror().is_none() {
            self.inner.mirrors.remove(id, slot);
        }
        joined
    }

    /// See [`Hub::listen`](hub::Hub::listen).
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn listen(
        &self,
        id: ClientId,
        operation: Option<Operation>,
    ) -> Result<ControlStream, Refusal> {
        loop {
            self.inner.hub.admit()?;
            let (store, operation) = (self.clone(), operation.clone());
            let task = async move { store.try_listen(id, operation).await };
            if let Some(stream) = whole(task).await? {
                return Ok(stream);
            }
        }
    }

    async fn try_listen(
        &self,
        id: ClientId,
        operation: Option<Operation>,
    ) -> Result<Option<ControlStream>, Refusal> {
        let inner = &self.inner;
        let slot = inner.mirrors.slot(id);
        let _turn = slot.turn.lock().await;
        if slot.is_gone() {
            return Ok(None);
        }
        let mirror = if let Some(mirror) = slot.mirror() {
            mirror
        } else {
            let joining = Joining {
                subscribers: 0,
                listeners: 1,
                makes: false,
                from: None,
                resumes: false,
            };
            self.join(&slot, id, &joining).await?.0
        };
        let (stream, ticket) = match mirror.listen(operation.clone()) {
            Err(hub::Refusal::Ended) => return Ok(None),
            other => other?,
        };
        if let Some(operation) = operation {
            inner
                .scripts
                .stand(id, &inner.node, &inner.work(ticket), &operation)
                .await?;
        }
        inner.report_in_turn(id, &mirror).await?;
        Ok(Some(stream))
    }
}

/// Runs a join to its end even if the caller is dropped, such as when its client closes the connection: a mirror keeps its
/// notices until then, and the store has to learn that the reader is gone.
async fn whole<T: Send + 'static>(
    join: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    let joined = tokio::spawn(join).await;
    joined.unwrap_or(Err(Refusal::StoreAway))
}

/// The ID before all messages: a join from here gets everything that the store holds.
pub(super) const BEGINNING: EventId = EventId { seq: 0, time: 0 };

/// Returns whether the mirror can serve a reader that begins at this position. It cannot if messages up to the reader's cursor may not have
/// arrived here yet.
fn reaches(mirror: &Mirror, from: Position) -> bool {
    let is_ahead = matches!(from, Position::After(cursor) if cursor.seq > mirror.last().seq);
    !is_ahead && mirror.covers(from) && !mirror.is_cut()
}
