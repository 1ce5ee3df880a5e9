//! Under any network fault between watchers, publishers and the server, each message arrives exactly once and in order,
//! or a gap with the right numbers reports its loss.
//!
//! Each schedule is made from a number, which a failure prints. `CODECHAT_TEST_SEED=NUMBER` runs only that one.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use codechat::internal::{
    client::{
        Client, ClientError, ClientOptions,
        give_up::GiveUp,
        publish::{HttpPublisher, PublishError},
        subscribe::{self, Feed, Update},
    },
    event::{ClientId, EventId, Format, Gap},
    hub::BROKEN_OFF,
    message::Message,
    wire::json,
};
use futures_util::{StreamExt, stream};
use tokio::{task::JoinSet, time::timeout};

use crate::support::{
    chance::Chance,
    fault_proxy::{FaultProxy, Faults},
    server::Server,
};

const SCHEDULES: u64 = 300;
const AT_ONCE: usize = 40;
const HEARTBEAT: Duration = Duration::from_millis(200);
/// Time limit for one attempt to publish a single message.
const ANSWER: Duration = Duration::from_secs(1);
const SCHEDULE: Duration = Duration::from_mins(1);
const LAST: &str = "the last message";

/// The parties of a schedule, each behind a proxy of its own.
struct Party {
    _proxy: FaultProxy,
    client: Client,
    id: ClientId,
    chance: Chance,
}

impl Party {
    async fn new(server: &Server, id: ClientId, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let faults = Faults {
            seed,
            connections: chance.below(6),
            spared: 0,
            bits: 14,
            replays: true,
        };
        let proxy = FaultProxy::start(server.address, faults).await;
        let options = ClientOptions::new().heartbeat(HEARTBEAT);
        Self {
            client: Client::new(proxy.url.parse().unwrap(), options).unwrap(),
            _proxy: proxy,
            id,
            chance,
        }
    }

    /// Returns some of this publisher's messages, numbered from `sent` on.
    fn texts(&mut self, name: usize, sent: usize, count: usize) -> Vec<String> {
        let numbered = (sent..sent + count).map(|number| {
            let rest = self.chance.size(11);
            let rest = "lorem\nipsum "
                .chars()
                .cycle()
                .take(rest.try_into().unwrap());
            format!("{name} {number} {}", rest.collect::<String>())
        });
        numbered.collect()
    }

    /// Publishes one message after the other, each until it is acknowledged.
    async fn publish_singly(mut self, name: usize) -> Vec<String> {
        let count = self.chance.below(12).try_into().unwrap();
        let texts = self.texts(name, 0, count);
        for (number, text) in texts.iter().enumerate() {
            let (message, key) = (Message::text(text), format!("{name}-{number}"));
            loop {
                let publishing = self.client.publish(self.id, &message, &key);
                match timeout(ANSWER, publishing).await {
                    Ok(Ok(_)) => break,
                    Err(_) | Ok(Err(ClientError::Lost { .. } | ClientError::NotThere { .. })) => {}
                    Ok(Err(error)) if matches!(error.status(), Some(408 | 429 | 503)) => {}
                    Ok(Err(error)) => panic!("{name} {number}: {error}"),
                }
            }
        }
        texts
    }

    /// Publishes bodies of many lines.
    async fn publish_bodies(mut self, name: usize) -> Vec<String> {
        let mut publisher = HttpPublisher::new(self.client.clone(), self.id, GiveUp::of(SCHEDULE));
        let mut sent = Vec::new();
        for _ in 0..self.chance.below(6) {
            let count = self.chance.size(5).max(1).try_into().unwrap();
            let texts = self.texts(name, sent.len(), count);
            let mut body = Vec::new();
            for text in &texts {
                json::push_line(&mut body, &Message::text(text));
            }
            let (body, lines) = (Bytes::from(body), count as u64);
            let accepted = loop {
                match publisher.send(body.clone(), lines, |_| {}).await {
                    // A connection that is reset while it is made, at the first attempt.
                    Err(PublishError::Client(ClientError::NotThere { .. })) => {}
                    accepted => break accepted.unwrap().accepted,
                }
            };
            assert_eq!(accepted, lines);
            sent.extend(texts);
        }
        sent
    }

    /// Reads up to the last message.
    async fn watch(mut self) -> Seen {
        let mut seen = Seen::default();
        let format = [Format::Text, Format::Json][usize::from(self.chance.below(2) == 0)];
        let options = subscribe::SubscribeOptions::new().format(format).wait(true);
        let mut feed: Feed = self.client.subscribe(self.id, options);
        while let Some(update) = feed.next().await {
            if seen.take(update.unwrap()) {
                return seen;
            }
        }
        panic!("the feed ended after {seen:?}");
    }
}

/// What a watcher has seen.
#[derive(Debug, Default)]
struct Seen {
    texts: BTreeMap<u64, String>,
    next: u64,
}

impl Seen {
    /// Takes an update; returns whether it is the last message.
    fn take(&mut self, update: Update) -> bool {
        let next = self.next.max(1);
        match update {
            Update::Message(it) => {
                let EventId { seq, .. } = it.id.parse().unwrap();
                let text = it.message.text;
                if it.message.system && text != BROKEN_OFF {
                    // The greeting comes before the first message.
                    assert_eq!((seq, next), (0, 1), "{text}");
                    return false;
                }
                assert_eq!(seq, next, "repeated, reordered or silently lost");
                self.next = seq + 1;
                let is_last = text == LAST;
                self.texts.insert(seq, text);
                is_last
            }
            Update::Gap(Gap::Known { from, to }) => {
                assert_eq!(from, next, "a gap begins where the reading stopped");
                assert!(from <= to);
                self.next = to + 1;
                false
            }
            Update::Gap(Gap::BeforeJoining { to }) => {
                assert_eq!(next, 1, "it had begun to read");
                self.next = to + 1;
                false
            }
            // A note says that an answer is slow, as on a busy machine.
            Update::Connected { .. }
            | Update::Heartbeat
            | Update::Retrying { .. }
            | Update::Note(_) => false,
            other => panic!("{other:?}"),
        }
    }
}

async fn schedule(seed: u64) {
    let mut chance = Chance::new(seed);
    let server = Server::with(|limits, options| {
        if chance.below(3) == 0 {
            limits.log.messages = 4 + usize::try_from(chance.below(16)).unwrap();
        }
        options.heartbeat = HEARTBEAT;
        options.stall_timeout = HEARTBEAT;
        options.body_timeout = ANSWER;
        options.plain_streams = chance.below(2) == 0;
    })
    .await;
    let id = server.hub.connect().unwrap();
    let (mut watchers, mut publishers) = (JoinSet::new(), JoinSet::new());
    for _ in 0..=chance.below(3) {
        let party = Party::new(&server, id, chance.next()).await;
        watchers.spawn(party.watch());
    }
    for name in 0..=usize::try_from(chance.below(3)).unwrap() {
        let party = Party::new(&server, id, chance.next()).await;
        if chance.below(2) == 0 {
            publishers.spawn(party.publish_singly(name));
        } else {
            publishers.spawn(party.publish_bodies(name));
        }
    }
    let sent = publishers.join_all().await;
    // Until the server has noticed that each publisher is gone, it may still publish that.
    let last = server.hub.publish(id, Message::text(LAST), None).unwrap();
    let count = last.last.unwrap().seq;
    check(&sent, watchers.join_all().await, count);
}

/// Checks that watchers have seen what publishers have sent.
fn check(sent: &[Vec<String>], watchers: Vec<Seen>, count: u64) {
    let mut all = BTreeMap::new();
    for seen in watchers {
        assert_eq!(seen.next, count + 1);
        for (seq, text) in seen.texts {
            let known = all.entry(seq).or_insert_with(|| text.clone());
            assert_eq!(*known, text, "two watchers differ about {seq}");
        }
    }
    let unseen = count - all.len() as u64;
    assert_eq!(all.remove(&count).as_deref(), Some(LAST));
    let mut missing = 0;
    for texts in sent {
        let mut at = 0;
        for text in texts {
            let places: Vec<_> = all.iter().filter(|(_, it)| *it == text).collect();
            match places[..] {
                [] => missing += 1,
                [(&seq, _)] => {
                    assert!(seq > at, "{text:?} comes before its predecessor");
                    at = seq;
                }
                _ => panic!("{text:?} is there {} times", places.len()),
            }
        }
    }
    let foreign = all.values().filter(|it| *it != BROKEN_OFF).count() as u64;
    let sent = sent.iter().map(Vec::len).sum::<usize>() as u64;
    assert_eq!(
        foreign,
        sent - missing,
        "a message was not sent by any publisher"
    );
    assert!(missing <= unseen, "{missing} are missing, {unseen} in gaps");
}

#[tokio::test(flavor = "multi_thread")]
async fn network_faults_repeat_reorder_and_silently_lose_nothing() {
    let seeds = match std::env::var("CODECHAT_TEST_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..SCHEDULES).collect(),
    };
    let mut schedules = stream::iter(seeds)
        .map(async |seed| (seed, tokio::spawn(timeout(SCHEDULE, schedule(seed))).await))
        .buffer_unordered(AT_ONCE);
    let mut failed = Vec::new();
    while let Some((seed, ended)) = schedules.next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(_)) => failed.push(format!("{seed} (not over after {SCHEDULE:?})")),
            Err(error) => failed.push(format!("{seed} ({error})")),
        }
    }
    assert!(failed.is_empty(), "these seeds failed: {failed:?}");
}
