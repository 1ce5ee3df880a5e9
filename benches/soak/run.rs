//! The soak itself: a server that is restarted now and then, and its clients.

use std::{
    fs,
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use codechat::internal::{
    client::{
        Client, ClientError, ClientOptions,
        give_up::GiveUp,
        publish::{HttpPublisher, PublishError},
        subscribe::{self, Feed, Update},
    },
    event::ClientId,
    message::Message,
    wire::json,
};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    chance::Chance,
    fault_proxy::{FaultProxy, Faults},
    tally::{Book, Tally},
};

pub(crate) const CLIENTS: u64 = 6;
const HEARTBEAT: Duration = Duration::from_millis(400);
/// The number of servers, one after the other, between which the time is divided.
const LIVES: u32 = 4;
const LAST: &str = "the last message";
/// Upper bound of the time of one attempt.
const TRY: Duration = Duration::from_secs(2);
pub(crate) const CATCH_UP: Duration = Duration::from_mins(2);

/// Runs the soak for `time`, and counts.
pub(crate) async fn soak(codechat: &str, time: Duration) -> Tally {
    let mut server = Server::start(codechat, "127.0.0.1:0", &[]).await;
    let mut tally = Tally::default();
    tally.memory[0] = server.memory();
    let is_over = Arc::new(AtomicBool::new(false));
    let direct = client(&format!("http://{}", server.address));
    let (mut channels, begin) = (JoinSet::new(), Instant::now());
    for seed in 0..CLIENTS {
        let (id, _) = direct.connect().await.expect("an ID is issued");
        channels.spawn(channel(server.address, id, seed, Arc::clone(&is_over)));
    }
    for life in 1..=LIVES {
        tokio::time::sleep_until(begin + time * life / LIVES).await;
        if life < LIVES {
            tally.panicked |= server.restart(codechat, life).await;
            tally.restarts += 1;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for (sent, watched) in channels.join_all().await {
        tally.sent += sent;
        tally.add(&watched);
    }
    tally.memory[1] = server.memory();
    tally.panicked |= server.end("TERM").await;
    tally
}

/// Runs one client ID with its publishers and watchers.
pub(crate) async fn channel(
    server: SocketAddr,
    id: ClientId,
    seed: u64,
    is_over: Arc<AtomicBool>,
) -> (u64, Tally) {
    let mut chance = Chance::new(seed);
    let mut proxies = Vec::new();
    let mut behind_faults = async |chance: &mut Chance| {
        let faults = Faults {
            seed: chance.next(),
            connections: u64::MAX,
            // Each connection carries something, so that the waits do not grow.
            spared: 2000,
            bits: 17,
            // What was refused because of a missing watcher is sent again under another key.
            replays: false,
        };
        let proxy = FaultProxy::start(server, faults).await;
        let client = client(&proxy.url);
        proxies.push(proxy);
        client
    };
    let mut watchers = JoinSet::new();
    for pause in [0, 0, 20] {
        let client = behind_faults(&mut chance).await;
        // Only a watcher that has begun to read can lose something.
        let (feed, book) = greeted(&client, id).await;
        let pause = Duration::from_millis(pause);
        watchers.spawn(watch(feed, book, pause, Arc::clone(&is_over)));
    }
    let mut publishers = JoinSet::new();
    let (singly, in_bodies) = (chance.next(), chance.next());
    let clients = [
        behind_faults(&mut chance).await,
        behind_faults(&mut chance).await,
    ];
    let [one, other] = clients;
    publishers.spawn(publish_singly(one, id, singly, Arc::clone(&is_over)));
    publishers.spawn(publish_bodies(other, id, in_bodies, is_over));
    let sent = publishers.join_all().await;
    let direct = client(&format!("http://{server}"));
    until_accepted(&direct, id, &Message::text(LAST), "last").await;
    let mut tally = Tally::default();
    let books = timeout(CATCH_UP, watchers.join_all()).await;
    for book in books.expect("the watchers catch up") {
        tally.add(&book.close(&sent));
    }
    (sent.iter().map(|(_, count)| *count as u64).sum(), tally)
}

pub(crate) fn client(url: &str) -> Client {
    let options = ClientOptions::new().heartbeat(HEARTBEAT);
    Client::new(url.parse().expect("a URL"), options).expect("a client")
}

/// Returns a feed after its greeting.
async fn greeted(client: &Client, id: ClientId) -> (Feed, Book) {
    let options = subscribe::SubscribeOptions::new().wait(true);
    let mut feed = client.subscribe(id, options);
    let mut book = Book::default();
    loop {
        let update = feed.next().await.expect("the feed continues");
        let update = update.expect("the feed continues");
        let is_message = matches!(update, Update::Message(_));
        book.note(update);
        if is_message {
            return (feed, book);
        }
    }
}

/// Reads to the last message, with a pause after each until all is over: what is still in the sockets' buffers by then
/// would take minutes at that pace.
async fn watch(mut feed: Feed, mut book: Book, pause: Duration, is_over: Arc<AtomicBool>) -> Book {
    while let Some(update) = feed.next().await {
        let update = update.expect("the feed continues");
        let is_last = matches!(&update, Update::Message(it) if it.message.text == LAST);
        book.note(update);
        if is_last {
            break;
        }
        if !pause.is_zero() && !is_over.load(Ordering::Relaxed) {
            sleep(pause).await;
        }
    }
    book
}

/// Returns whether a refusal is temporary: after a restart an ID is unknown until its watchers are back, and a balancer
/// may find no server.
fn is_passing(status: u16) -> bool {
    matches!(status, 404 | 408 | 429 | 502 | 503 | 504)
}

async fn until_accepted(client: &Client, id: ClientId, message: &Message, key: &str) {
    loop {
        match timeout(TRY, client.publish(id, message, key)).await {
            Ok(Ok(_)) => return,
            Err(_) | Ok(Err(ClientError::Lost { .. } | ClientError::NotThere { .. })) => {}
            Ok(Err(error)) if error.status().is_some_and(is_passing) => {}
            Ok(Err(error)) => panic!("{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn text(name: &str, number: usize, chance: &mut Chance) -> String {
    let length = usize::try_from(chance.size(11)).expect("small");
    format!("{name} {number} {}", "x".repeat(length))
}

async fn publish_singly(
    client: Client,
    id: ClientId,
    seed: u64,
    is_over: Arc<AtomicBool>,
) -> (String, usize) {
    let (mut chance, mut sent) = (Chance::new(seed), 0);
    while !is_over.load(Ordering::Relaxed) {
        let message = Message::text(text("singly", sent, &mut chance));
        until_accepted(&client, id, &message, &format!("singly-{sent}")).await;
        sent += 1;
        sleep(Duration::from_millis(5 + chance.below(25))).await;
    }
    ("singly".into(), sent)
}

async fn publish_bodies(
    client: Client,
    id: ClientId,
    seed: u64,
    is_over: Arc<AtomicBool>,
) -> (String, usize) {
    let (mut chance, mut sent) = (Chance::new(seed), 0);
    let mut publisher = HttpPublisher::new(client, id, GiveUp::of(CATCH_UP));
    while !is_over.load(Ordering::Relaxed) {
        let count = usize::try_from(chance.size(6)).expect("small") + 1;
        let mut lines: Vec<_> = (sent..sent + count)
            .map(|number| {
                let mut line = Vec::new();
                let message = Message::text(text("bodies", number, &mut chance));
                json::push_line(&mut line, &message);
                line
            })
            .collect();
        while !lines.is_empty() {
            let body = Bytes::from(lines.concat());
            match publisher.send(body, lines.len() as u64, |_| {}).await {
                Ok(_) => lines.clear(),
                Err(PublishError::Client(_)) => {}
                Err(PublishError::Refused {
                    status, accepted, ..
                }) if is_passing(status) => {
                    let accepted = accepted.unwrap_or_default();
                    lines.drain(..usize::try_from(accepted).expect("small"));
                }
                Err(error) => panic!("{error}"),
            }
            sleep(Duration::from_millis(chance.below(40))).await;
        }
        sent += count;
    }
    ("bodies".into(), sent)
}

/// A server in a process of its own.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    panicked: Arc<AtomicBool>,
}

impl Server {
    pub(crate) async fn start(codechat: &str, address: &str, more: &[String]) -> Self {
        let mut command = Command::new(codechat);
        command
            .args(["serve", "--listen", address, "--heartbeat", "400ms"])
            .args(["--stall-timeout", "400ms", "--log-messages", "200"])
            .args(["--grace", "1s", "--log", "error"])
            .args(more)
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().expect("codechat starts");
        let stderr = process.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(stderr).lines();
        let address = loop {
            let line = lines.next_line().await.expect("stderr can be read");
            let line = line.expect("the server says where it listens");
            if let Some((_, rest)) = line.split_once("listening on http://") {
                let address = rest
                    .split(';')
                    .next()
                    .expect("split returns at least one part");
                break address.parse().expect("an address");
            }
        };
        let panicked = Arc::new(AtomicBool::new(false));
        let notes = Arc::clone(&panicked);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                notes.fetch_or(line.contains("panicked"), Ordering::Relaxed);
            }
        });
        Self {
            process,
            address,
            panicked,
        }
    }

    /// Ends the server, every other time by SIGKILL, and starts another in its place. Returns whether it panicked.
    async fn restart(&mut self, codechat: &str, life: u32) -> bool {
        let panicked = self
            .end(if life.is_multiple_of(2) {
                "TERM"
            } else {
                "KILL"
            })
            .await;
        *self = Self::start(codechat, &self.address.to_string(), &[]).await;
        panicked
    }

    pub(crate) async fn end(&mut self, signal: &str) -> bool {
        let pid = self.process.id().expect("it runs").to_string();
        let mut kill = Command::new("kill");
        kill.args([&format!("-{signal}"), &pid]);
        kill.status().await.expect("kill is installed");
        self.process.wait().await.expect("it ends");
        self.panicked.load(Ordering::Relaxed)
    }

    pub(crate) fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()?)).ok()?;
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }
}
