//! The hub: the channels of all clients, their publishers and their readers.
//!
//! A channel is a bounded log and a subscriber is a position in it. The hub receives messages and returns bytes,
//! encoded by [`Frames`]; it knows no HTTP, JSON or terminal, and does no I/O. Its locks are short and never held
//! across an `.await`.

mod broadcast;
mod changes;
mod channel;
mod control_stream;
mod eviction;
mod held;
mod idempotency;
mod image;
mod limits;
mod log;
mod mirror;
mod publish_stream;
mod stats;
mod subscription;
mod sync;
mod tombstones;

#[cfg(all(test, codechat_loom))]
mod interleavings;

use std::collections::HashMap;

use tokio::sync::Notify;
use tokio::time::Instant;

pub use self::broadcast::Broadcast;
use self::changes::Changes;
use self::channel::Channel;
pub use self::channel::{BROKEN_OFF, CONTROL_STREAMS, ControlEvent, Position};
pub use self::control_stream::ControlStream;
use self::eviction::Candidates;
pub use self::held::Held;
pub use self::idempotency::{FINISHED_KEYS, UNFINISHED_KEYS};
pub use self::image::{Image, Loss, MirrorChange, Missing};
pub use self::limits::{Limits, Refusal};
pub use self::log::LogLimits;
pub use self::mirror::Mirror;
pub use self::publish_stream::PublishStream;
pub use self::stats::{ClientInfo, Stats, Users};
pub use self::subscription::{Delivery, Start, Subscription};
use self::sync::{
    Arc, AtomicBool, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError, SHARDS,
};
use self::tombstones::Tombstones;
pub use self::tombstones::{TOMBSTONE_AGE, TOMBSTONES};
use crate::control::Requested;
use crate::event::{ClientId, ClientPast, End, Event, EventId, unix_millis};
use crate::message::Message;

/// The encoders of events. Plain functions, so that the hub need not know the wire format.
#[derive(Clone, Copy)]
pub struct Frames {
    /// For [`Format::Text`](crate::event::Format::Text); called when the message is published.
    pub text: fn(&Event) -> Vec<u8>,
    /// For [`Format::Json`](crate::event::Format::Json); called when the first such reader reads the event.
    pub json: fn(&Event) -> Vec<u8>,
}

/// The outcome of a publish request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The ID of the last message; `None` if there was none.
    pub last: Option<EventId>,
    /// The number of accepted messages.
    pub accepted: u64,
    /// The number of the channel's subscribers.
    pub subscribers: usize,
    /// What is requested of the channel's publishers.
    pub requested: Requested,
}

/// All channels by ID. Clones are handles to the same hub.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
    registry: Arc<Registry>,
}

struct Registry {
    /// Short locks, never two at once.
    shards: [Mutex<HashMap<ClientId, Arc<Channel>>>; SHARDS],
    clients: AtomicUsize,
    tombstones: Mutex<Tombstones>,
    candidates: Mutex<Candidates>,
}

/// The part of the hub that every channel uses.
struct Shared {
    limits: Limits,
    frames: Frames,
    started: Instant,
    /// The size of all logs and idempotency keys, in bytes.
    memory: AtomicUsize,
    /// The size of all unfinished requests, in bytes.
    held: AtomicUsize,
    subscribers: AtomicUsize,
    published: AtomicU64,
    delivered: AtomicU64,
    closing: AtomicBool,
    /// Notified once `closing` is set.
    closed: Notify,
    /// The mirrors whose changes the store does not know yet.
    changes: Changes,
}

impl Shared {
    /// Returns the hub's clock: milliseconds since it was created.
    fn now(&self) -> u64 {
        sync::millis_since(self.started)
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

impl Hub {
    /// Returns an empty hub that encodes its events by `frames`.
    #[must_use]
    #[doc(hidden)]
    pub fn with_frames(limits: Limits, frames: Frames) -> Self {
        let shared = Shared {
            limits,
            frames,
            started: Instant::now(),
            memory: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            subscribers: AtomicUsize::new(0),
            published: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            closed: Notify::new(),
            changes: Changes::default(),
        };
        let registry = Registry {
            shards: std::array::from_fn(|_| Mutex::default()),
            clients: AtomicUsize::new(0),
            tombstones: Mutex::default(),
            candidates: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            registry: Arc::new(registry),
        }
    }

    /// Returns the hub's limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Issues a client ID and opens its channel.
    ///
    /// # Errors
    /// [`Refusal::TooManyClients`], [`Refusal::Closing`].
    pub fn connect(&self) -> Result<ClientId, Refusal> {
        let id = ClientId::random();
        self.open(id)?;
        Ok(id)
    }

    /// Publishes one message. Never waits: if the log drops messages that a slow reader has not read, that reader gets
    /// a gap.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], [`Refusal::Ended`], [`Refusal::OutOfMemory`], [`Refusal::Closing`].
    pub fn publish(
        &self,
        id: ClientId,
        message: Message,
        key: Option<&str>,
    ) -> Result<Receipt, Refusal> {
        self.admit()?;
        let channel = self.known(id)?;
        channel.publish(message, key, self.evict(&channel))
    }

    /// Begins a streaming publish request.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], [`Refusal::Ended`], [`Refusal::Closing`].
    #[doc(hidden)]
    pub fn publish_stream(
        &self,
        id: ClientId,
        key: Option<Box<str>>,
    ) -> Result<PublishStream, Refusal> {
        self.admit()?;
        Ok(PublishStream::new(self.clone(), self.known(id)?, key))
    }

    /// Begins to publish a message to every channel that has not ended.
    ///
    /// # Errors
    /// [`Refusal::Closing`].
    #[doc(hidden)]
    pub fn broadcast(&self, message: Message, key: Option<Box<str>>) -> Result<Broadcast, Refusal> {
        self.admit()?;
        Ok(Broadcast::new(self.clone(), message, key))
    }

    /// Ends a channel and every stream on it; readers get what its log holds first. Returns false if there was none.
    #[must_use = "whether there was such a channel"]
    pub fn stop(&self, id: ClientId) -> bool {
        let Some(channel) = self.channel(id) else {
            return false;
        };
        self.remove_ended(&channel, End::Stopped, || channel.end(End::Stopped))
    }

    /// Ends every channel for this reason, as [`Hub::stop`] does.
    #[doc(hidden)]
    pub fn end_all(&self, reason: End) {
        for channel in self.channels() {
            self.remove_ended(&channel, reason, || channel.end(reason));
        }
    }

    /// Ends the channels that have been idle for the idle timeout, and returns how many. To be called at intervals.
    #[must_use = "how many ended"]
    #[doc(hidden)]
    pub fn sweep(&self) -> usize {
        let timeout =
            u64::try_from(self.shared.limits.idle_timeout.as_millis()).unwrap_or(u64::MAX);
        let Some(deadline) = self.shared.now().checked_sub(timeout) else {
            return 0;
        };
        let idle = self.channels_where(|channel| channel.active() <= deadline);
        idle.iter()
            .filter(|it| self.remove_ended(it, End::Idle, || it.end_if_idle(deadline)))
            .count()
    }

    /// Refuses all requests from now on, and ends every subscription with [`Delivery::Closing`] after what is left to
    /// read.
    pub fn close(&self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.closed.notify_waiters();
        for channel in self.channels() {
            channel.wake();
        }
    }

    /// Closes the hub once `shutdown` is ready, and is then ready itself: for a server's graceful shutdown, which open
    /// streams would delay for ever.
    pub fn close_on(
        &self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let hub = self.clone();
        async move {
            shutdown.await;
            hub.close();
        }
    }

    /// Returns whether [`Hub::close`] was called.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.shared.is_closing()
    }

    /// Waits until [`Hub::close`] is called.
    #[doc(hidden)]
    pub fn closed(&self) -> impl Future<Output = ()> + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            // In this order no notification is missed.
            let closed = shared.closed.notified();
            if !shared.is_closing() {
                closed.await;
            }
        }
    }

    /// Checks that the hub accepts requests.
    ///
    /// # Errors
    /// [`Refusal::Closing`].
    #[doc(hidden)]
    pub fn admit(&self) -> Result<(), Refusal> {
        if self.shared.is_closing() {
            Err(Refusal::Closing)
        } else {
            Ok(())
        }
    }

    fn known(&self, id: ClientId) -> Result<Arc<Channel>, Refusal> {
        match self.channel(id) {
            Some(channel) => Ok(channel),
            None if self.has_ended(id) => Err(Refusal::Ended),
            None => Err(Refusal::Unknown),
        }
    }

    fn channel(&self, id: ClientId) -> Option<Arc<Channel>> {
        self.shard(id).get(&id).cloned()
    }

    /// Returns when and why an ID has ended, if it is remembered.
    fn ended(&self, id: ClientId) -> Option<ClientPast> {
        let (ago, end) = lock(&self.registry.tombstones).get(id, Instant::now())?;
        let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        let at = unix_millis().saturating_sub(ago);
        Some(ClientPast::Ended { end, at })
    }

    fn has_ended(&self, id: ClientId) -> bool {
        lock(&self.registry.tombstones).contains(id, Instant::now())
    }

    /// Returns the channel of this ID, which is created if it is missing.
    fn open(&self, id: ClientId) -> Result<Arc<Channel>, Refusal> {
        self.admit()?;
        let max = self.shared.limits.clients;
        let counted =
            self.registry
                .clients
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                    (count < max).then_some(count + 1)
                });
        if counted.is_err() {
            return Err(Refusal::TooManyClients(max));
        }
        lock(&self.registry.tombstones).remove(id);
        let mut shard = self.shard(id);
        if let Some(known) = shard.get(&id) {
            // Another thread opened it first.
            self.registry.clients.fetch_sub(1, Ordering::Relaxed);
            return Ok(Arc::clone(known));
        }
        let channel = Arc::new(Channel::new(id, Arc::clone(&self.shared)));
        shard.insert(id, Arc::clone(&channel));
        Ok(channel)
    }

    /// Ends a channel by `end` and removes it from the registry. Its tombstone is added before, so that the ID is known
    /// at every moment.
    fn remove_ended(&self, channel: &Arc<Channel>, why: End, end: impl FnOnce() -> bool) -> bool {
        if !end() {
            return false;
        }
        lock(&self.registry.tombstones).add(channel.id, why, Instant::now());
        let removed = self.shard(channel.id).remove(&channel.id);
        debug_assert!(
            removed.is_some_and(|it| Arc::ptr_eq(&it, channel)),
            "a channel leaves the registry only when it ends"
        );
        self.registry.clients.fetch_sub(1, Ordering::Relaxed);
        true
    }

    fn channels(&self) -> Vec<Arc<Channel>> {
        self.channels_where(|_| true)
    }

    fn channels_of(&self, shard: usize) -> Vec<Arc<Channel>> {
        let shard = lock(&self.registry.shards[shard]);
        shard.values().cloned().collect()
    }

    fn channels_where(&self, condition: impl Fn(&Channel) -> bool) -> Vec<Arc<Channel>> {
        let mut found = Vec::new();
        for shard in &self.registry.shards {
            found.extend(lock(shard).values().filter(|it| condition(it)).cloned());
        }
        found
    }

    fn shard(&self, id: ClientId) -> MutexGuard<'_, HashMap<ClientId, Arc<Channel>>> {
        // The first byte of a version 4 UUID is random.
        lock(&self.registry.shards[usize::from(id.as_bytes()[0]) % SHARDS])
    }
}

/// A panic while a lock was held leaves nothing half-done in these maps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
