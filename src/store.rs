//! Channels that several servers share, in Redis or Valkey.
//!
//! Writes go to the store: each change of a channel is one script there, which numbers, bounds and keeps the messages.
//! Reads are local: a node has a mirror ([`crate::hub::Mirror`]) of each channel that somebody reads there, updated by
//! notices from the store. `docs/deployment.md` describes the keys, the scripts and what happens on failures.

mod address;
mod entry;
mod feed;
mod keeper;
mod link;
mod metrics;
mod mirrors;
mod node;
mod node_limits;
mod notice;
mod permissions;
mod publisher;
mod reading;
mod requested;
mod rooms;
mod scripts;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

pub use self::address::StoreAddress;
use self::keeper::Beats;
use self::link::{Link, LinkOptions, pause};
use self::mirrors::Mirrors;
pub use self::publisher::{BATCH_MESSAGES, Publisher};
use self::rooms::Rooms;
use self::scripts::{BUCKETS, Scripts};
pub use self::tls::{StoreTls, StoreTlsError};
use crate::control::{ControlRequest, ControlState};
use crate::event::{ClientId, End};
use crate::hub::{ClientInfo, Frames, Hub, Limits, Receipt};
use crate::message::Message;
pub use crate::refusal::Refusal;
use crate::token::Token;

/// The settings of a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Its address.
    pub address: StoreAddress,
    /// Its password.
    pub password: Option<Token>,
    /// The prefix of all its keys, without the colon that follows it.
    pub prefix: String,
    /// How long to wait for one answer.
    pub timeout: Duration,
    /// How long streaming publishers, subscriptions and the start of the server wait for a store that cannot be
    /// reached.
    pub patience: Duration,
    /// How long a publisher waits for a node that does not report its readers.
    pub stall_timeout: Duration,
}

/// The error if the store does not answer, or refuses. The reason has been logged.
#[derive(Debug, thiserror::Error)]
#[error("the store could not be used within {0:?}: {1}")]
pub struct StoreUnusable(Duration, String);

/// The channels of a store. Clones are handles to the same ones.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// The hub of the mirrors.
    hub: Hub,
    scripts: Scripts,
    /// The name of this node.
    node: String,
    mirrors: Mirrors,
    rooms: Rooms,
    beats: Beats,
    is_fed: watch::Sender<bool>,
    tickets: AtomicU64,
    /// Whether this node has stopped sending beats.
    is_leaving: AtomicBool,
    /// The number of channels at the last count.
    counted: AtomicUsize,
    /// The number of nodes at the last count.
    nodes: AtomicUsize,
    patience: Duration,
    stall_timeout: Duration,
}

/// Upper bound of the concurrent requests of a broadcast or of a list of clients.
const AT_ONCE: usize = 64;

/// Time limit for leaving the store when the server ends.
const LEAVING: Duration = Duration::from_secs(1);

impl Store {
    /// Connects to the store.
    ///
    /// # Errors
    /// If the store cannot be used within [`StoreOptions::patience`].
    pub async fn connect(
        options: StoreOptions,
        limits: Limits,
        frames: Frames,
    ) -> Result<Self, StoreUnusable> {
        let link = Link::new(LinkOptions {
            address: options.address,
            password: options.password,
            prefix: options.prefix,
            timeout: options.timeout,
        });
        let stall_millis = options.stall_timeout.as_millis();
        let inner = Arc::new(Inner {
            hub: Hub::with_frames(limits, frames),
            scripts: Scripts::new(link, limits, stall_millis),
            node: uuid::Uuid::new_v4().simple().to_string(),
            mirrors: Mirrors::default(),
            rooms: Rooms::default(),
            beats: Beats::default(),
            is_fed: watch::Sender::new(false),
            tickets: AtomicU64::new(0),
            is_leaving: AtomicBool::new(false),
            counted: AtomicUsize::new(0),
            nodes: AtomicUsize::new(1),
            patience: options.patience,
            stall_timeout: options.stall_timeout,
        });
        let mut is_fed = inner.is_fed.subscribe();
        tokio::spawn(Arc::clone(&inner).follow());
        let fed = timeout(options.patience, is_fed.wait_for(|it| *it)).await;
        if !matches!(fed, Ok(Ok(_))) {
            let why = inner.scripts.link().why();
            return Err(StoreUnusable(options.patience, why));
        }
        tokio::spawn(Arc::clone(&inner).report_changes());
        tokio::spawn(Arc::clone(&inner).report_awaited());
        tokio::spawn(Arc::clone(&inner).cut_streams());
        tokio::spawn(Arc::clone(&inner).beat());
        tokio::spawn(Arc::clone(&inner).sweep());
        Ok(Self { inner })
    }

    /// Returns the hub of this server's mirrors.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// Checks that the store answers and its notices arrive.
    ///
    /// # Errors
    /// [`Refusal::StoreAway`] if not; [`Closing`](crate::hub::Refusal::Closing).
    pub fn ready(&self) -> Result<(), Refusal> {
        self.inner.hub.admit()?;
        self.inner.is_up().then_some(()).ok_or(Refusal::StoreAway)
    }

    /// See [`Hub::connect`].
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn open(&self) -> Result<ClientId, Refusal> {
        self.inner.hub.admit()?;
        let id = ClientId::random();
        self.inner.scripts.open(id).await?;
        Ok(id)
    }

    /// See [`Hub::publish`].
    ///
    /// # Errors
    /// As there, and the store's: [`Refusal::StoreAway`] if it is not known whether the message was accepted.
    pub async fn publish(
        &self,
        id: ClientId,
        message: Message,
        key: Option<&str>,
    ) -> Result<Receipt, Refusal> {
        self.inner.hub.admit()?;
        self.inner.scripts.publish(id, &message, key).await
    }

    /// See [`Hub::publish_stream`].
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn publish_stream(
        &self,
        id: ClientId,
        key: Option<Box<str>>,
    ) -> Result<Publisher, Refusal> {
        self.inner.hub.admit()?;
        Publisher::begin(Arc::clone(&self.inner), id, key).await
    }

    /// See [`Hub::broadcast`]. Returns how many channels accepted the message.
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn broadcast(&self, message: Message, key: Option<&str>) -> Result<usize, Refusal> {
        self.inner.hub.admit()?;
        let (mut reached, mut refused) = (0, None);
        for bucket in 0..BUCKETS {
            let ids = stream::iter(self.ids_in(bucket).await?);
            let publish = |id| self.inner.scripts.publish(id, &message, key);
            let mut published = ids.map(publish).buffer_unordered(AT_ONCE);
            while let Some(published) = published.next().await {
                match published {
                    Ok(_) => reached += 1,
                    // The channel has ended meanwhile.
                    Err(Refusal::Hub(_)) => {}
                    Err(refusal) => refused = Some(refusal),
                }
            }
        }
        refused.filter(|_| reached == 0).map_or(Ok(reached), Err)
    }

    /// See [`Hub::stop`].
    ///
    /// # Errors
    /// The store's.
    pub async fn stop(&self, id: ClientId) -> Result<bool, Refusal> {
        match self.inner.scripts.end(id, End::Stopped).await {
            Ok(()) => Ok(true),
            Err(Refusal::Hub(_)) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// See [`Hub::request_control`].
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn request_control(
        &self,
        id: ClientId,
        request: ControlRequest,
    ) -> Result<ControlState, Refusal> {
        self.inner.hub.admit()?;
        self.inner.scripts.request(id, request).await
    }

    /// See [`Hub::clients`].
    ///
    /// # Errors
    /// The store's.
    pub async fn clients(&self) -> Result<Vec<ClientInfo>, Refusal> {
        let mut clients = Vec::new();
        for bucket in 0..BUCKETS {
            let ids = self.ids_in(bucket).await?;
            let mut infos = stream::iter(ids)
                .map(|id| self.inner.scripts.info(id))
                .buffer_unordered(AT_ONCE);
            while let Some(info) = infos.next().await {
                clients.extend(info?);
            }
        }
        clients.sort_by_key(|it| it.created);
        Ok(clients)
    }

    /// Reports that this server's readers have left, and removes it from the live nodes.
    pub async fn leave(&self) {
        let reports = stream::iter(self.inner.mirrors.clients());
        let report = |id| Arc::clone(&self.inner).report(id);
        let leaving = async {
            reports.for_each_concurrent(AT_ONCE, report).await;
            self.inner.end_beats().await;
        };
        // If the store does not answer, the other servers notice the missing beats.
        let _ = timeout(LEAVING, leaving).await;
    }

    async fn ids_in(&self, bucket: usize) -> Result<Vec<ClientId>, Refusal> {
        let open = self.inner.scripts.bucket_key(bucket, "open");
        let range = redis::cmd("ZRANGE").arg(open).arg(0).arg(-1).to_owned();
        let ids: Vec<String> = self.inner.scripts.link().query(&range).await?;
        Ok(ids.iter().filter_map(|it| it.parse().ok()).collect())
    }
}

impl Inner {
    /// Returns whether the store answers and its notices arrive.
    fn is_up(&self) -> bool {
        let answers = self.scripts.link().origin().is_some();
        *self.is_fed.borrow() && answers && self.beats.are_back()
    }

    /// Calls `ask`, and repeats it for up to `patience` while the store cannot be reached.
    async fn retry_while_away<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            match ask().await {
                Err(Refusal::StoreAway) if begun.elapsed() < self.patience => {
                    pause(tries).await;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }

    fn next_ticket(&self) -> u64 {
        // Control streams have smaller tickets.
        const FIRST: u64 = 1 << 32;
        FIRST + self.tickets.fetch_add(1, Ordering::Relaxed)
    }
}
