//! Tests of the scripts in a store: each rule alone, and any sequence of steps compared with a hub (`model`).

mod audience;
mod ending;
mod model;
#[path = "../../../tests/support/program.rs"]
#[expect(dead_code, reason = "the rest is for tests/e2e")]
mod program;
mod publishing;
#[path = "../../../tests/support/redis.rs"]
#[expect(dead_code, reason = "the rest is for tests/e2e")]
pub(in crate::store) mod redis_server;
mod work;

use std::time::Duration;

use redis::{Cmd, FromRedisValue};

use self::redis_server::Redis;
use super::publishing::Taken;
use super::*;
use crate::hub::{LogLimits, Receipt};
use crate::message::Message;
use crate::store::feed::Feed;
use crate::store::link::LinkOptions;
use crate::store::notice::Notice;

/// Upper bound of a log's messages.
const HELD: usize = 4;
/// Upper bound of a log, in bytes, including each message's time.
const BYTES: usize = 1000;
const SUBSCRIBERS: usize = 3;
const CLIENTS: usize = 5;

/// A store and its scripts, with small limits.
struct Stage {
    scripts: Scripts,
    _redis: Redis,
}

impl Stage {
    fn new() -> Option<Self> {
        Self::with(&[], Duration::from_secs(5))
    }

    /// Returns a stage with settings of the store, and the stall timeout of nodes that do not report.
    fn with(settings: &[&str], stall: Duration) -> Option<Self> {
        let log = LogLimits {
            messages: HELD,
            bytes: BYTES,
        };
        Self::with_log(settings, stall, log)
    }

    fn with_log(settings: &[&str], stall: Duration, log: LogLimits) -> Option<Self> {
        let redis = Redis::with(settings)?;
        let limits = Limits {
            log,
            clients: CLIENTS,
            subscribers: SUBSCRIBERS,
            ..Limits::default()
        };
        let scripts = scripts(&redis, limits, stall);
        Some(Self {
            scripts,
            _redis: redis,
        })
    }

    /// Opens a channel.
    async fn opened(&self) -> ClientId {
        let id = ClientId::random();
        self.scripts.open(id).await.unwrap();
        id
    }

    async fn say(&self, id: ClientId, text: &str) -> Receipt {
        self.scripts
            .publish(id, &Message::text(text), None)
            .await
            .unwrap()
    }

    /// Joins as a node with `subscribers`; returns all that is held.
    async fn join(&self, id: ClientId, node: &str, subscribers: usize) -> Image {
        match self.try_join(id, node, subscribers, true).await.unwrap() {
            Join::Joined(image, _) => image,
            Join::Ended(end, last) => panic!("ended: {end:?} at {last}"),
        }
    }

    async fn try_join(
        &self,
        id: ClientId,
        node: &str,
        subscribers: usize,
        makes: bool,
    ) -> Result<Join, Refusal> {
        let joining = Joining {
            subscribers,
            listeners: 0,
            makes,
            from: Some(EventId { seq: 0, time: 0 }),
            resumes: false,
        };
        self.scripts.join(id, node, &joining).await
    }

    async fn report(
        &self,
        id: ClientId,
        node: &str,
        readers: usize,
        listeners: usize,
        slowest: u64,
    ) -> Result<ControlState, Refusal> {
        let change = MirrorChange {
            readers,
            listeners,
            slowest,
            gone: Vec::new(),
            is_closing: false,
            is_unused: readers + listeners == 0,
        };
        self.scripts.report(id, node, &change).await
    }

    /// Publishes a part of a streaming request, which waits for readers.
    async fn stream(
        &self,
        id: ClientId,
        node: &str,
        (work, key, done): (&str, Option<&str>, u64),
        texts: &[&str],
    ) -> Result<Taken, Refusal> {
        let publication = Publication {
            work: Some(work),
            done,
            key,
            flow: true,
        };
        let messages: Vec<_> = texts.iter().map(|it| Message::text(*it)).collect();
        self.scripts
            .publish_some(id, node, &messages, &publication)
            .await
    }

    /// Returns whether readers hold back a part of a streaming request.
    async fn is_held(
        &self,
        id: ClientId,
        node: &str,
        part: (&str, Option<&str>, u64),
        texts: &[&str],
    ) -> bool {
        self.stream(id, node, part, texts).await.unwrap().is_held
    }

    /// Runs a command that no server would run.
    async fn run<T: FromRedisValue>(&self, command: &mut Cmd) -> T {
        self.scripts.link.query(command).await.unwrap()
    }

    fn channel_key(&self, id: ClientId, name: &str) -> String {
        let bucket = usize::from(id.as_bytes()[0]);
        self.scripts.bucket_key(bucket, &format!("{id}{name}"))
    }

    fn bucket_key(&self, id: ClientId, name: &str) -> String {
        self.scripts.bucket_key(usize::from(id.as_bytes()[0]), name)
    }

    async fn inbox(&self, node: &str) -> Inbox {
        let name = self.scripts.key(&format!("to:{node}"));
        let feed = Feed::open(self.scripts.link.options(), &name)
            .await
            .unwrap();
        Inbox {
            feed,
            name,
            link: self.scripts.link.clone(),
        }
    }

    /// Returns the keys that channels and nodes have left in the store.
    async fn keys_left(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.run(redis::cmd("KEYS").arg("*")).await;
        keys.sort();
        keys
    }
}

fn scripts(redis: &Redis, limits: Limits, stall: Duration) -> Scripts {
    let link = Link::new(LinkOptions {
        address: redis.url().parse().unwrap(),
        password: None,
        prefix: "test".into(),
        timeout: Duration::from_secs(20),
    });
    Scripts::new(link, limits, stall.as_millis())
}

/// The notices to a node.
struct Inbox {
    feed: Feed,
    name: String,
    link: Link,
}

impl Inbox {
    /// Waits for the next notice.
    async fn next(&mut self) -> Notice {
        let bytes = tokio::time::timeout(Duration::from_secs(20), self.feed.next()).await;
        Notice::parse(&bytes.expect("no notice").unwrap()).expect("an unknown notice")
    }

    /// Returns all notices up to now.
    async fn notices(&mut self) -> Vec<Notice> {
        let mark: i64 = self
            .link
            .query(redis::cmd("PUBLISH").arg(&self.name).arg("beat 0"))
            .await
            .unwrap();
        // An earlier connection to the inbox may still be open.
        assert!(mark >= 1);
        let mut notices = Vec::new();
        loop {
            match self.next().await {
                Notice::Beat(0) => return notices,
                notice => notices.push(notice),
            }
        }
    }
}

fn texts(image: &Image) -> Vec<&str> {
    image.events.iter().map(|(_, it)| &*it.text).collect()
}

fn is_hub<T>(answer: &Result<T, Refusal>, refusal: hub::Refusal) -> bool {
    matches!(answer, Err(Refusal::Hub(it)) if *it == refusal)
}

fn operation(name: &str) -> Operation {
    name.parse().unwrap()
}
