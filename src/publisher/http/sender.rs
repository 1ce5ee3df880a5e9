//! What runs in the publisher's own thread: sending what waits, and listening to control requests.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::queue::{Batch, Queue};
use crate::client::Client;
use crate::client::control_feed::ControlUpdate;
use crate::client::give_up::GiveUp;
use crate::client::publish::{HttpPublisher, PublishError, Retry};
use crate::client::retry::doubled;
use crate::control::ControlState;
use crate::event::ClientId;
use crate::lock::lock;
use crate::message::{Level, Message, Operation};
use crate::wire::answer::Published;
use crate::wire::json;

/// How many requests are under way at once.
pub(super) const REQUESTS: usize = 4;
/// For how long a message is kept that cannot be sent.
const KEPT: Duration = Duration::from_secs(30);
/// The shortest and the longest pause after which the server is asked for a client again that it does not know.
const UNKNOWN: Pauses = (Duration::from_secs(2), Duration::from_secs(30));
/// The same if the server was away, so that the client's watcher is probably about to come back.
const RETURNING: Pauses = (Duration::from_millis(250), Duration::from_secs(5));
/// A scope that is older than this has its client's control requests listened to; those of younger ones come with the answers.
const LISTEN_AFTER: Duration = Duration::from_millis(250);
/// The pause after a control stream that ended.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(5);

type Pauses = (Duration, Duration);

type FirstOperation = watch::Receiver<Option<Operation>>;

/// Sends the messages of a queue to a server.
pub(super) struct Sender {
    pub(super) client: Client,
    pub(super) queue: Queue,
    absence: Mutex<Absence>,
}

#[derive(Default)]
struct Absence {
    since: Option<Instant>,
    /// When the last one ended.
    ended: Option<Instant>,
}

impl Sender {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            queue: Queue::default(),
            absence: Mutex::default(),
        }
    }

    /// For how long the server has not taken anything; `None` if it does.
    pub(super) fn away(&self) -> Option<Duration> {
        lock(&self.absence).since.map(|it| it.elapsed())
    }

    /// Sends one client's messages after the other's. Several of these run at once.
    pub(super) async fn run(self: Arc<Self>) {
        loop {
            let batch = self.queue.next().await;
            self.send(batch).await;
        }
    }

    async fn send(self: &Arc<Self>, batch: Batch) {
        let mut body = Body::of(&batch);
        let mut accepted = 0;
        while !body.is_empty() {
            let patience = GiveUp::of(KEPT.saturating_sub(batch.age()));
            let http = HttpPublisher::in_background(self.client.clone(), batch.id, patience);
            match self.send_lines(http, &body, &batch).await {
                Ok(answer) => {
                    self.is_back();
                    self.answered(batch.id, &answer);
                    accepted += answer.accepted;
                    break;
                }
                Err(PublishError::Refused {
                    status: 401 | 403,
                    detail,
                    ..
                }) => {
                    let detail = without_id(&detail, batch.id);
                    tracing::error!(target: "codechat", "nothing is published any more, since the server refuses: {detail}");
                    self.queue.turn_off();
                    break;
                }
                Err(PublishError::Refused {
                    status: 404 | 410,
                    is_over,
                    ..
                }) => {
                    return self.is_unknown(batch, is_over);
                }
                Err(PublishError::Refused {
                    accepted: before,
                    detail,
                    ..
                }) => {
                    self.is_back();
                    let detail = without_id(&detail, batch.id);
                    // Without a number, it is the whole request that is refused, such as by a proxy.
                    let Some(before) = before.filter(|_| body.lines() > 1) else {
                        tracing::warn!(target: "codechat", "{} refused: {detail}", messages(body.lines()));
                        break;
                    };
                    // One line is refused; those after it may be as good as those before.
                    tracing::warn!(target: "codechat", "1 message refused: {detail}");
                    accepted += before;
                    body.skip(before + 1);
                }
                Err(error @ (PublishError::Client(_) | PublishError::GivenUp { .. })) => {
                    self.is_away(&error.to_string(), batch.id);
                    sleep(Duration::from_secs(1)).await;
                    break;
                }
            }
        }
        self.queue.done(&batch, accepted);
    }

    async fn send_lines(
        &self,
        mut http: HttpPublisher,
        body: &Body,
        batch: &Batch,
    ) -> Result<Published, PublishError> {
        let report = |retry: Retry| self.is_away(&retry.reason, batch.id);
        match (body.lines(), batch.waiting.last()) {
            // The server may hold ndjson back for its readers' sake, but not a single message.
            (1, Some(last)) => http.publish(&last.message, report).await,
            (lines, _) => http.send(body.rest(), lines, report).await,
        }
    }

    fn is_away(&self, reason: &str, id: ClientId) {
        let mut absence = lock(&self.absence);
        if absence.since.is_none() {
            absence.since = Some(Instant::now());
            drop(absence);
            let (server, reason) = (self.client.server(), without_id(reason, id));
            tracing::warn!(target: "codechat", %server, "messages wait for the server, for up to 30 s: {reason}");
        }
    }

    fn is_back(&self) {
        let mut absence = lock(&self.absence);
        if absence.since.take().is_some() {
            absence.ended = Some(Instant::now());
        }
    }

    fn was_away(&self) -> bool {
        let ended = lock(&self.absence).ended;
        ended.is_some_and(|it| it.elapsed() < KEPT)
    }

    /// The server does not know the client: its watcher is gone, or the server was started again and the watcher is not back yet.
    fn is_unknown(self: &Arc<Self>, batch: Batch, is_over: bool) {
        self.is_back();
        let id = batch.id;
        let may_return = !is_over && (batch.was_known || self.was_away());
        let pause = if may_return && batch.age() < KEPT {
            after(RETURNING, self.queue.put_back(batch))
        } else {
            after(UNKNOWN, self.queue.make_dormant(&batch))
        };
        let sender = Arc::clone(self);
        tokio::spawn(async move {
            sleep(pause).await;
            sender.queue.wake(id);
        });
    }

    /// What comes with an answer. A control stream knows better, so that it counts if there is one.
    fn answered(&self, id: ClientId, answer: &Published) {
        let state = ControlState {
            subscribers: answer.subscribers,
            requested: answer.requested(),
        };
        self.queue.set_control(id, &state, false);
    }

    /// Listens to what is asked of a client, until that is over.
    pub(super) async fn listen(self: Arc<Self>, id: ClientId, over: CancellationToken) {
        let listen = async {
            sleep(LISTEN_AFTER).await;
            let Some(mut first) = self.queue.first_operation(id) else {
                return;
            };
            loop {
                let is_outdated = self.read_control(id, &mut first).await;
                self.queue.lost_control_stream(id);
                if !is_outdated {
                    sleep(LISTEN_AGAIN_AFTER).await;
                }
            }
        };
        tokio::select! {
            () = listen => {}
            () = over.cancelled() => {}
        }
    }

    /// Reads a control stream to its end. Returns whether it stands for an operation that is over, so that another stream
    /// is needed: opened again, this one would have watchers told that the operation lost its publisher.
    async fn read_control(&self, id: ClientId, first: &mut FirstOperation) -> bool {
        let operation = first.borrow_and_update().clone();
        let mut feed = self.client.listen(id, operation.as_ref());
        loop {
            let update = tokio::select! {
                update = feed.next() => update,
                () = another(first, operation.as_ref()) => return true,
            };
            match update {
                Some(Ok(ControlUpdate::State(state))) => {
                    self.queue.wake(id);
                    self.queue.set_control(id, &state, true);
                }
                Some(Ok(ControlUpdate::Lost)) => {
                    self.queue.lost_control_stream(id);
                    if *first.borrow() != operation {
                        return true;
                    }
                }
                Some(Err(_)) | None => return false,
            }
        }
    }
}

/// Waits until another operation than this one is the first, and not only for a moment: most are short.
async fn another(first: &mut FirstOperation, operation: Option<&Operation>) {
    let is_another = |it: &Option<Operation>| it.is_some() && it.as_ref() != operation;
    while first.wait_for(is_another).await.is_ok() {
        sleep(LISTEN_AFTER).await;
        if is_another(&first.borrow()) {
            return;
        }
    }
    // The client is forgotten, which ends its listener.
    pending::<()>().await;
}

/// The pause after so many times in a row, from 1.
fn after((shortest, longest): Pauses, times: u32) -> Duration {
    doubled(shortest, longest, times.saturating_sub(1))
}

/// The lines of a batch as ndjson, and which of them are still to be sent.
struct Body {
    bytes: bytes::Bytes,
    /// Where each line ends.
    ends: Vec<usize>,
    /// How many are done with.
    sent: usize,
}

impl Body {
    fn of(batch: &Batch) -> Self {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        let mut push = |message: &Message| {
            json::push_line(&mut bytes, message);
            ends.push(bytes.len());
        };
        if batch.dropped > 0 {
            push(&dropped_by_the_application(batch.dropped));
        }
        for it in &batch.waiting {
            push(&it.message);
        }
        Self {
            bytes: bytes.into(),
            ends,
            sent: 0,
        }
    }

    fn lines(&self) -> u64 {
        (self.ends.len() - self.sent) as u64
    }

    fn is_empty(&self) -> bool {
        self.lines() == 0
    }

    fn rest(&self) -> bytes::Bytes {
        let start = self.sent.checked_sub(1).map_or(0, |it| self.ends[it]);
        self.bytes.slice(start..)
    }

    fn skip(&mut self, lines: u64) {
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        self.sent = self.sent.saturating_add(lines).min(self.ends.len());
    }
}

/// Shortens the client's ID in a text for the application's log. An error may name an address that contains it, and
/// everybody who knows the ID can watch the client.
fn without_id(text: &str, id: ClientId) -> String {
    text.replace(&id.to_string(), &id.short())
}

fn dropped_by_the_application(count: u64) -> Message {
    let text = format!("{} dropped by the application", messages(count));
    Message::text(text).level(Level::Warn)
}

fn messages(count: u64) -> String {
    let noun = if count == 1 { "message" } else { "messages" };
    format!("{count} {noun}")
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::*;
    use crate::client::ClientOptions;

    #[test]
    fn the_log_never_has_a_whole_client_id() {
        let (mut log, writer) = io::pipe().unwrap();
        let subscriber = tracing_subscriber::fmt().with_writer(Mutex::new(writer));
        let server = "http://127.0.0.1:2428".parse().unwrap();
        let client = Client::new(server, ClientOptions::default()).unwrap();
        let id = ClientId::random();
        tracing::subscriber::with_default(subscriber.finish(), || {
            let reason = format!("cannot connect to http://elsewhere/api/v1/sse/debug/{id}");
            Sender::new(client).is_away(&reason, id);
        });
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        assert!(text.contains(&format!("debug/{}", id.short())), "{text}");
        assert!(!text.contains(&id.to_string()), "{text}");
    }
}
