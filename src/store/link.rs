//! The link: the one pipelined connection that carries a node's requests to the store. It is reopened whenever it
//! breaks.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisError, RedisResult};
use redis::{ErrorKind, ServerErrorKind};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::address::StoreAddress;
use super::metrics::Metrics;
use super::permissions;
use super::tls::{IF_PLAIN, advice};
use crate::event::unix_millis;
use crate::refusal::Refusal;
use crate::token::Token;

/// Upper bound of the requests under way. Further ones are refused.
pub(super) const IN_FLIGHT: usize = 4096;
/// Upper bound of the random pause before the first retry of a connection; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The oldest Redis version that supports the scripts.
const OLDEST: (u32, u32) = (7, 0);
/// Version of the keys' format, kept after the dataset ID in the key `PREFIX:store`.
const FORMAT: &str = "1";

/// The settings of the connection.
#[derive(Clone, Debug)]
pub(super) struct LinkOptions {
    pub(super) address: StoreAddress,
    pub(super) password: Option<Token>,
    pub(super) prefix: String,
    /// How long to wait for one answer.
    pub(super) timeout: Duration,
}

/// The connection. Clones are handles to the same one.
#[derive(Clone)]
pub(super) struct Link {
    options: Arc<LinkOptions>,
    current: watch::Receiver<Option<Connection>>,
    slots: Arc<Semaphore>,
    /// How far the store's clock is ahead of this process's, in milliseconds.
    ahead: Arc<AtomicI64>,
    broken: Arc<Notify>,
    metrics: Arc<Metrics>,
    /// Why there is no connection.
    why: Arc<Mutex<String>>,
}

#[derive(Clone)]
struct Connection {
    redis: MultiplexedConnection,
    origin: Origin,
}

/// The identity of the store behind the connection. If it changes, data may have been lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Redis's `run_id`, new after each restart.
    run: String,
    /// The random ID in `PREFIX:store`, which a flush deletes.
    dataset: String,
}

impl Link {
    /// Starts a task that keeps the connection open until the process exits.
    pub(super) fn new(options: LinkOptions) -> Self {
        let (sender, current) = watch::channel(None);
        let link = Self {
            options: Arc::new(options),
            current,
            slots: Arc::new(Semaphore::new(IN_FLIGHT)),
            ahead: Arc::default(),
            broken: Arc::default(),
            metrics: Arc::default(),
            why: Arc::default(),
        };
        link.set_failure(link.unanswered());
        tokio::spawn(link.clone().keep(sender));
        link
    }

    pub(super) fn options(&self) -> &LinkOptions {
        &self.options
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Returns the number of requests under way.
    pub(super) fn in_flight(&self) -> usize {
        IN_FLIGHT - self.slots.available_permits()
    }

    /// Returns the store that answers now; `None` without a connection.
    pub(super) fn origin(&self) -> Option<Origin> {
        self.current.borrow().as_ref().map(|it| it.origin.clone())
    }

    /// Waits until [`Link::origin`] has changed since the last call.
    pub(super) async fn changed(&mut self) {
        if self.current.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Reopens the connection, after an answer that shows that it leads to a replica or to a store that was flushed.
    pub(super) fn reconnect(&self) {
        self.broken.notify_one();
    }

    /// Returns an estimate of the store's time.
    pub(super) fn now(&self) -> u64 {
        unix_millis().saturating_add_signed(self.ahead.load(Ordering::Relaxed))
    }

    /// Sets the estimate of the store's time.
    pub(super) fn set_time(&self, time: u64) {
        let ahead = time.cast_signed() - unix_millis().cast_signed();
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    /// Returns whether `name`, the value of `PREFIX:store`, has the dataset ID that was read when this connection was opened;
    /// true without a connection.
    pub(super) fn has_dataset(&self, name: Option<&str>) -> bool {
        let current = self.current.borrow();
        let dataset = current.as_ref().map(|it| &*it.origin.dataset);
        dataset.is_none_or(|it| name.and_then(|name| name.split(' ').next()) == Some(it))
    }

    /// Returns why there is no connection.
    pub(super) fn why(&self) -> String {
        self.why
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the deadline of a request that is sent now, in the store's time.
    pub(super) fn deadline(&self) -> u64 {
        let timeout = u64::try_from(self.options.timeout.as_millis()).unwrap_or(u64::MAX);
        self.now().saturating_add(timeout)
    }

    /// Sends one command, once there is a connection.
    ///
    /// # Errors
    /// [`Refusal::StoreAway`] if too many requests are under way, the store answers with an error, or no answer comes in time, in
    /// which case the command may have run. [`Refusal::StoreFull`] if its memory is full.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Refusal> {
        self.run(async |redis| command.query_async(redis).await)
            .await
    }

    /// Sends several commands at once.
    ///
    /// # Errors
    /// As [`Link::query`].
    pub(super) async fn query_all<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, Refusal> {
        self.run(async |redis| commands.query_async(redis).await)
            .await
    }

    pub(super) async fn run<T>(
        &self,
        request: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, Refusal> {
        let _slot = self.slots.try_acquire().map_err(|_| Refusal::StoreAway)?;
        let answer = timeout(self.options.timeout, async {
            let mut current = self.current.clone();
            let redis = {
                let connection = current.wait_for(Option::is_some).await;
                let connection = connection.map_err(|_| Refusal::StoreAway)?;
                connection.as_ref().map(|it| it.redis.clone())
            };
            let mut redis = redis.ok_or(Refusal::StoreAway)?;
            let answer = request(&mut redis).await;
            answer.map_err(|error| self.refusal(&error))
        });
        answer.await.unwrap_or_else(|_| {
            self.metrics.timeouts.add(1);
            Err(Refusal::StoreAway)
        })
    }

    /// Keeps a connection open until the process exits.
    async fn keep(self, current: watch::Sender<Option<Connection>>) {
        let (mut tries, mut was_open) = (0, false);
        loop {
            let opened = timeout(self.options.timeout, open(&self.options)).await;
            let why = match opened {
                Ok(Ok((connection, time, driver))) => {
                    tries = 0;
                    self.metrics.reconnects.add(usize::from(was_open));
                    was_open = true;
                    self.set_time(time);
                    current.send_replace(Some(connection));
                    tokio::select! {
                        () = driver => {}
                        () = self.broken.notified() => {}
                    }
                    current.send_replace(None);
                    format!(
                        "the connection to the store at {} broke",
                        self.options.address
                    )
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => self.unanswered(),
            };
            tracing::warn!(why, "no connection to the store");
            self.set_failure(why);
            pause(tries).await;
            tries += 1;
        }
    }

    fn set_failure(&self, why: String) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Returns the reason to report until a connection attempt has ended.
    fn unanswered(&self) -> String {
        let LinkOptions { address, .. } = &*self.options;
        let advice = if address.is_encrypted() { IF_PLAIN } else { "" };
        format!("the store at {address} does not answer{advice}")
    }

    fn refusal(&self, error: &RedisError) -> Refusal {
        if error.code() == Some("OOM") {
            return Refusal::StoreFull;
        }
        if error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) {
            // After a failover, this is a replica.
            self.reconnect();
        }
        tracing::warn!(error = %described(error), "a request to the store failed");
        Refusal::StoreAway
    }
}

/// Describes an error in one line.
fn described(error: &RedisError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// Waits for a random time before another try. Its upper bound doubles with each try. The randomness spreads the tries
/// of several servers.
pub(super) async fn pause(tries: u32) {
    let longest = PAUSE.saturating_mul(1 << tries.min(10)).min(LONGEST_PAUSE);
    sleep(longest.mul_f64(random_fraction())).await;
}

/// Returns a random number from 0 to 1.
fn random_fraction() -> f64 {
    let [byte, ..] = uuid::Uuid::new_v4().into_bytes();
    f64::from(byte) / f64::from(u8::MAX)
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("cannot connect to the store at {0}: {1}{advice}", advice = advice(.0.is_encrypted(), .1))]
    Unreachable(StoreAddress, std::io::Error),
    #[error("the store at {0} refuses: {1}")]
    Refuses(StoreAddress, String),
    #[error(
        "the store at {0} does not let this user run {1}; docs/deployment.md has the rule for ACL SETUSER"
    )]
    Forbids(StoreAddress, String),
    #[error("the store at {0} is Redis {1}; it must be Redis 7.0 or Valkey 7.2, or newer")]
    TooOld(StoreAddress, String),
    #[error("the store at {0} is a replica; give the address of the primary")]
    Replica(StoreAddress),
    #[error(
        "servers of another version of codechat use the prefix {0} in the store (key format {1}); run the same version everywhere, or choose another --store-prefix"
    )]
    Format(String, String),
}

/// Opens a connection and finds out which store answers. Also returns the store's time, and a future that is ready when
/// the connection breaks.
async fn open(
    options: &LinkOptions,
) -> Result<(Connection, u64, impl Future<Output = ()> + use<>), Unusable> {
    let address = &options.address;
    let refuses = |error: RedisError| {
        let advice = advice(address.is_encrypted(), &error);
        Unusable::Refuses(address.clone(), described(&error) + advice)
    };
    let socket = address.dial().await;
    let socket = socket.map_err(|error| Unusable::Unreachable(address.clone(), error))?;
    let info = address.introduction(options.password.as_ref());
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let made = MultiplexedConnection::new_with_config(&info, socket, config);
    let (mut redis, driver) = made.await.map_err(refuses)?;
    // Must be polled for the commands below to be answered.
    let driver = AbortOnDropHandle::new(tokio::spawn(driver));
    let server: String = redis::cmd("INFO")
        .arg(&["server", "memory"])
        .query_async(&mut redis)
        .await
        .map_err(refuses)?;
    let line = |name: &str| {
        let line = server
            .lines()
            .find_map(|it| it.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    };
    let version = line("redis_version");
    if !is_new_enough(&version) {
        return Err(Unusable::TooOld(address.clone(), version));
    }
    let policy = line("maxmemory_policy");
    if line("maxmemory") != "0" && policy != "noeviction" {
        tracing::warn!(
            policy,
            "the store may evict messages and clients when its memory is full; set maxmemory-policy noeviction"
        );
    }
    let role: redis::Value = redis::cmd("ROLE")
        .query_async(&mut redis)
        .await
        .map_err(refuses)?;
    if let redis::Value::Array(parts) = &role
        && parts.first() == Some(&redis::Value::BulkString(b"slave".to_vec()))
    {
        return Err(Unusable::Replica(address.clone()));
    }
    let forbidden = permissions::refused(&mut redis, &options.prefix);
    let forbidden = forbidden.await.map_err(refuses)?;
    if !forbidden.is_empty() {
        return Err(Unusable::Forbids(address.clone(), forbidden.join(", ")));
    }
    let (dataset, time) = dataset(&mut redis, &options.prefix)
        .await
        .map_err(refuses)?;
    let (dataset, format) = dataset.split_once(' ').unwrap_or((&dataset, ""));
    if format != FORMAT {
        return Err(Unusable::Format(options.prefix.clone(), format.to_owned()));
    }
    let origin = Origin {
        run: line("run_id"),
        dataset: dataset.to_owned(),
    };
    let driver = async {
        let _ = driver.await;
    };
    Ok((Connection { redis, origin }, time, driver))
}

/// Reads the store's time and the value of `PREFIX:store`, which is created if it is missing.
async fn dataset(redis: &mut MultiplexedConnection, prefix: &str) -> RedisResult<(String, u64)> {
    let key = format!("{prefix}:store");
    let mut commands = redis::pipe();
    commands.cmd("GET").arg(&key).cmd("TIME");
    let (found, (seconds, micros)): (Option<String>, (u64, u64)) =
        commands.query_async(redis).await?;
    let time = seconds * 1000 + micros / 1000;
    if let Some(found) = found {
        // Not written again: a store whose memory is full would refuse that.
        return Ok((found, time));
    }
    let new = format!("{} {FORMAT}", uuid::Uuid::new_v4().simple());
    let mut commands = redis::pipe();
    commands.cmd("SET").arg(&key).arg(new).arg("NX").ignore();
    commands.cmd("GET").arg(&key);
    let (dataset,): (String,) = commands.query_async(redis).await?;
    Ok((dataset, time))
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => false,
    }
}
