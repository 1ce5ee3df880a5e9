//! Streaming publishers on a store: they send batches, and wait while a reader at any node would lose messages.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Inner;
use super::link::pause;
use super::scripts::Publication;
use crate::event::ClientId;
use crate::hub::{BROKEN_OFF, Receipt};
use crate::message::{Level, Message};
use crate::refusal::Refusal;

/// Upper bound of the messages in one call of a script, so that it does not hold up other requests for long.
pub const BATCH_MESSAGES: usize = 500;
/// Upper bound of the text in one call of a script, in bytes.
const BATCH_BYTES: usize = 256 * 1024;
/// Interval at which a waiting publisher asks again, because a notice may be lost.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// One streaming publish request. Dropping it unfinished publishes a message about that, under the same conditions as
/// for [`PublishStream`](crate::hub::PublishStream).
pub struct Publisher {
    inner: Arc<Inner>,
    id: ClientId,
    key: Option<Box<str>>,
    /// The name of the request in the store.
    work: String,
    receipt: Receipt,
    finished: bool,
}

impl Publisher {
    pub(super) async fn begin(
        inner: Arc<Inner>,
        id: ClientId,
        key: Option<Box<str>>,
    ) -> Result<Self, Refusal> {
        let work = inner.work(inner.next_ticket());
        let (scripts, node) = (&inner.scripts, &*inner.node);
        let begin = || scripts.begin(id, node, &work, key.as_deref());
        let subscribers = inner.retry_while_away(begin).await?;
        let receipt = Receipt {
            subscribers,
            ..Receipt::default()
        };
        Ok(Self {
            inner,
            id,
            key,
            work,
            receipt,
            finished: false,
        })
    }

    /// Publishes all of `messages`, in order, emptying the queue. Waits while a reader has not read what the log is
    /// about to drop, and while the store cannot be reached.
    ///
    /// # Errors
    /// [`Ended`](crate::Refusal::Ended) when the channel ends, [`Closing`](crate::Refusal::Closing) when this server closes,
    /// [`Refusal::StoreFull`], and [`Refusal::StoreAway`] after the store's patience. The messages that are still queued
    /// then are not known to be published.
    pub async fn send(&mut self, messages: &mut VecDeque<Message>) -> Result<(), Refusal> {
        let (mut away_since, mut tries) = (None, 0);
        while !messages.is_empty() {
            self.inner.hub.admit()?;
            let room = self.inner.rooms.of(self.id);
            // Created before the request, so that no notice is losses.
            let mut room = std::pin::pin!(room.notified());
            room.as_mut().enable();
            match self.send_batch(messages).await {
                Ok(false) => away_since = None,
                Ok(true) => {
                    away_since = None;
                    let closed = self.inner.hub.closed();
                    tokio::select! {
                        _ = timeout(ASK_AGAIN, room) => {}
                        () = closed => {}
                    }
                }
                Err(Refusal::StoreAway) => {
                    let since = *away_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.inner.patience {
                        return Err(Refusal::StoreAway);
                    }
                    pause(tries).await;
                    tries += 1;
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }

    /// Publishes one batch from the front. Returns whether a reader holds back the rest.
    async fn send_batch(&mut self, messages: &mut VecDeque<Message>) -> Result<bool, Refusal> {
        let mut bytes = 0;
        let fits = |message: &&Message| {
            let is_first = bytes == 0;
            bytes += message.heap_size() + 1;
            is_first || bytes <= BATCH_BYTES
        };
        let batch = messages.iter().take(BATCH_MESSAGES).take_while(fits);
        let publication = Publication {
            work: Some(&self.work),
            done: self.receipt.accepted,
            key: self.key.as_deref(),
            flow: true,
        };
        let scripts = &self.inner.scripts;
        let taken = scripts
            .publish_some(self.id, &self.inner.node, batch, &publication)
            .await?;
        let new = taken.receipt.accepted.saturating_sub(self.receipt.accepted);
        messages.drain(
            ..usize::try_from(new)
                .unwrap_or(usize::MAX)
                .min(messages.len()),
        );
        let last = taken.receipt.last.or(self.receipt.last);
        self.receipt = Receipt {
            last,
            ..taken.receipt
        };
        Ok(taken.is_held)
    }

    /// Waits until this server closes.
    pub fn closed(&self) -> impl Future<Output = ()> + use<> {
        self.inner.hub.closed()
    }

    /// Returns whether an interrupted request can be resumed, so that the message about it should be delayed.
    #[must_use]
    pub fn may_be_resumed(&self) -> bool {
        self.key.is_some()
    }

    /// Returns how many messages of this request were accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.receipt.accepted
    }

    /// Finishes the request.
    pub async fn finish(mut self) -> Receipt {
        self.finished = true;
        let (inner, receipt) = (Arc::clone(&self.inner), mem::take(&mut self.receipt));
        let (id, work, key) = (self.id, mem::take(&mut self.work), self.key.take());
        let done = async move {
            let done = inner
                .scripts
                .done(id, &work, key.as_deref(), &receipt)
                .await;
            match done {
                Ok(control) => Receipt {
                    requested: control.requested,
                    ..receipt
                },
                Err(_) => receipt,
            }
        };
        // In a task of its own, so that the request is finished even if this future is dropped.
        tokio::spawn(done).await.unwrap_or_default()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let (inner, id, work) = (Arc::clone(&self.inner), self.id, mem::take(&mut self.work));
        tokio::spawn(async move {
            let message = Message::system(Some(Level::Error), BROKEN_OFF);
            let begun = Instant::now();
            loop {
                let notices = inner.scripts.gone(id, &work, &message).await;
                if !matches!(notices, Err(Refusal::StoreAway)) || begun.elapsed() > inner.patience {
                    return;
                }
                sleep(ASK_AGAIN).await;
            }
        });
    }
}
