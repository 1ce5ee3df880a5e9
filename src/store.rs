//! Channels that several servers share, in Redis or Valkey.
//!
//! Writing is remote: what changes a channel is one script in the store, which numbers, bounds and keeps the messages.
//! Reading is replicated: a node mirrors each channel that somebody reads there ([`crate::hub::Mirror`]), fed by notices
//! from the store. Keys, scripts and what happens when something fails are in `docs/deployment.md`.

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

/// How to use a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where it is.
    pub address: StoreAddress,
    /// What opens it.
    pub password: Option<Token>,
    /// All its keys begin with this and a colon.
    pub prefix: String,
    /// It must answer within this.
    pub timeout: Duration,
    /// How long streaming publishers, subscriptions and the start of the server wait for it while it is away.
    pub patience: Duration,
    /// How long a publisher waits for a node that reports nothing of its readers.
    pub stall_timeout: Duration,
}

/// The store cannot be used: it does not answer, or refuses. The log said why.
#[derive(Debug, thiserror::Error)]
#[error("the store could not be used within {0:?}: {1}")]
pub struct StoreUnusable(Duration, String);

/// The channels of a store. Cloning it gives another handle to the same ones.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// The mirrors' hub.
    hub: Hub,
    scripts: Scripts,
    /// This node's name.
    node: String,
    mirrors: Mirrors,
    rooms: Rooms,
    beats: Beats,
    is_fed: watch::Sender<bool>,
    tickets: AtomicU64,
    /// Whether this node shows no longer that it lives.
    is_leaving: AtomicBool,
    /// How many channels there were when that was last asked.
    counted: AtomicUsize,
    /// How many nodes there were when that was last asked.
    nodes: AtomicUsize,
    patience: Duration,
}

/// How many channels are published to at once, in a broadcast, and asked about at once, in a list.
const AT_ONCE: usize = 64;

/// How long a server that ends may take to say so to the store.
const LEAVING: Duration = Duration::from_secs(1);

impl Store {
    /// Connects to the store.
    ///
    /// # Errors
    /// Where it cannot be used within its patience.
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
        tokio::spawn(Arc::clone(&inner).beat());
        tokio::spawn(Arc::clone(&inner).sweep());
        Ok(Self { inner })
    }

    /// The hub of this server's mirrors.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// Whether the store answers, and tells this server what happens.
    ///
    /// # Errors
    /// [`Refusal::StoreAway`] if not; [`Closing`](crate::hub::Refusal::Closing).
    pub fn ready(&self) -> Result<(), Refusal> {
        self.inner.hub.admit()?;
        self.is_up().then_some(()).ok_or(Refusal::StoreAway)
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
    /// As there, and the store's: [`Refusal::StoreAway`] where it is not known whether the message stands.
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

    /// See [`Hub::broadcast`]. Returns how many channels took the message.
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
                    // It ended meanwhile: no longer one of those it is for.
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

    /// Takes this server out of all channels' audiences, and from those that live.
    pub async fn leave(&self) {
        let reports = stream::iter(self.inner.mirrors.clients());
        let report = |id| Arc::clone(&self.inner).report(id);
        let leaving = async {
            reports.for_each_concurrent(AT_ONCE, report).await;
            self.inner.end_beats().await;
        };
        // Where the store does not answer, the other servers notice that this one is gone.
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
    /// Asks the store, and again while it is away, for at most `patience`.
    async fn patiently<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Refusal>
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
        // Those of control streams are small.
        const FIRST: u64 = 1 << 32;
        FIRST + self.tickets.fetch_add(1, Ordering::Relaxed)
    }
}
