//! Sending the queue's messages, in the publisher's own thread.

use std::mem;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::queue::{Batch, Queue, messages};
use crate::client::Client;
use crate::client::give_up::GiveUp;
use crate::client::publish::{HttpPublisher, PublishError, Tried};
use crate::client::retry::doubled;
use crate::control::ControlState;
use crate::event::ClientId;
use crate::lock::lock;
use crate::wire::answer::Published;

/// Upper bound of the requests under way, each of another client. A server may hold one back while a slow watcher reads, so
/// there are more than the throughput needs.
pub(super) const REQUESTS: usize = 32;
/// How long a message that cannot be sent is kept.
const KEPT: Duration = Duration::from_secs(30);
/// The shortest and the longest pause before an unknown client is tried again.
const UNKNOWN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// How often a server that is away is asked for its health.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// The shortest time between two warnings that the server is away, such as one that refuses every other request.
const WARN_AGAIN_AFTER: Duration = Duration::from_mins(1);

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
    /// When the last warning was logged.
    warned: Option<Instant>,
    /// Whether [`Sender::probe`] runs.
    is_probed: bool,
}

impl Sender {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            queue: Queue::default(),
            absence: Mutex::default(),
        }
    }

    /// Returns how long the server has accepted nothing; `None` if it accepts messages.
    pub(super) fn away(&self) -> Option<Duration> {
        lock(&self.absence).since.map(|it| it.elapsed())
    }

    /// Sends batch after batch, forever. Several of these run at once.
    pub(super) async fn run(self: Arc<Self>) {
        loop {
            let batch = self.queue.next().await;
            self.send(batch).await;
        }
    }

    /// Sends a batch, or returns it to the queue until its next try, so that another client's batch is sent meanwhile.
    async fn send(self: &Arc<Self>, mut batch: Batch) {
        while batch.left() > 0 {
            match self.try_once(&batch).await {
                Tried::Accepted(answer) => {
                    self.is_back();
                    batch.accept(answer.accepted);
                    self.queue.done(&batch);
                    return self.answered(batch.id, &answer);
                }
                Tried::Again {
                    reason,
                    retry_after,
                    accepted,
                } => {
                    batch.report(accepted);
                    return self.try_again(batch, &reason, retry_after);
                }
                Tried::Failed(PublishError::Refused {
                    status,
                    detail,
                    accepted,
                    is_over,
                    ..
                }) => match status {
                    401 | 403 => {
                        batch.report(accepted.unwrap_or_default());
                        let detail = without_id(&detail, batch.id);
                        tracing::error!(target: "codechat", "nothing is published any more, since the server refuses: {detail}");
                        self.queue.turn_off();
                        break;
                    }
                    404 | 410 => return self.is_unknown(batch, accepted, is_over),
                    _ if !self.is_refused(&mut batch, &detail, accepted) => break,
                    _ => {}
                },
                Tried::Failed(error) => return self.try_again(batch, &error.to_string(), None),
            }
        }
        self.queue.done(&batch);
    }

    async fn try_once(&self, batch: &Batch) -> Tried<Published> {
        let patience = GiveUp::of(KEPT.saturating_sub(batch.age()));
        let mut http = HttpPublisher::in_background(self.client.clone(), batch.id, patience);
        let key = batch.key.to_string();
        http.try_lines(batch.lines(), batch.left(), &key).await
    }

    /// Returns a batch that cannot be sent now to the queue until its next try, or drops it if it is too old.
    fn try_again(self: &Arc<Self>, mut batch: Batch, reason: &str, retry_after: Option<Duration>) {
        self.is_away(reason, batch.id);
        if !mem::replace(&mut lock(&self.absence).is_probed, true) {
            tokio::spawn(Arc::clone(self).probe());
        }
        let left = KEPT.saturating_sub(batch.age());
        if left.is_zero() {
            return self.queue.done(&batch);
        }
        let (_, pause) = batch.tries.next(None, retry_after);
        let id = batch.id;
        self.queue.pause(batch);
        self.wake_after(id, pause.min(left));
    }

    /// Handles an unknown client: its watcher is gone, or the server was restarted and the watcher is not back yet.
    fn is_unknown(self: &Arc<Self>, mut batch: Batch, accepted: Option<u64>, is_over: bool) {
        self.is_back();
        let id = batch.id;
        let may_return = !is_over && (batch.was_known || self.was_away());
        let pause = if may_return && batch.age() < KEPT {
            let (_, pause) = batch.tries.next(None, None);
            self.queue.pause(batch);
            pause
        } else {
            batch.report(accepted.unwrap_or_default());
            let misses = self.queue.make_dormant(&batch);
            doubled(UNKNOWN.0, UNKNOWN.1, misses.saturating_sub(1))
        };
        self.wake_after(id, pause);
    }

    fn wake_after(self: &Arc<Self>, id: ClientId, pause: Duration) {
        let sender = Arc::clone(self);
        tokio::spawn(async move {
            sleep(pause).await;
            sender.queue.wake(id);
        });
    }

    /// Waits until the server is back, and reports the messages that were dropped meanwhile to clients for which nothing else is
    /// sent any more.
    async fn probe(self: Arc<Self>) {
        loop {
            sleep(PROBE_EVERY).await;
            let is_back = {
                let mut absence = lock(&self.absence);
                // A failure from now on starts another probe.
                absence.is_probed = absence.since.is_some();
                absence.since.is_none()
            };
            let mut is_sent = !self.queue.has_counts();
            if !is_sent {
                let healthy = timeout(PROBE_EVERY, self.client.is_healthy()).await;
                is_sent = healthy.unwrap_or_default();
            }
            if is_sent {
                self.queue.send_counts();
            }
            if is_back && (is_sent || mem::replace(&mut lock(&self.absence).is_probed, true)) {
                return;
            }
        }
    }

    /// Handles the refusal of a line: those before it were accepted, and those after it may be. Returns whether to go on with
    /// these: without a number, the whole request is refused, such as by a proxy.
    fn is_refused(&self, batch: &mut Batch, detail: &str, accepted: Option<u64>) -> bool {
        self.is_back();
        let detail = without_id(detail, batch.id);
        let lines = batch.left();
        let Some(accepted) = accepted.filter(|_| lines > 1) else {
            tracing::warn!(target: "codechat", "{} refused: {detail}", messages(lines));
            return false;
        };
        tracing::warn!(target: "codechat", "1 message refused: {detail}");
        batch.accept(accepted);
        batch.skip_one();
        true
    }

    fn is_away(&self, reason: &str, id: ClientId) {
        let mut absence = lock(&self.absence);
        if absence.since.is_some() {
            return;
        }
        absence.since = Some(Instant::now());
        let warned = absence.warned;
        if warned.is_some_and(|it| it.elapsed() < WARN_AGAIN_AFTER) {
            return;
        }
        absence.warned = absence.since;
        drop(absence);
        let (server, reason) = (self.client.server(), without_id(reason, id));
        tracing::warn!(target: "codechat", %server, "messages wait for the server, for up to 30 s: {reason}");
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

    /// Passes on the control requests in an answer, unless there is a control stream, whose state is newer.
    fn answered(&self, id: ClientId, answer: &Published) {
        let state = ControlState {
            subscribers: answer.subscribers,
            requested: answer.requested(),
        };
        self.queue.set_control(id, state, false);
    }
}

/// Shortens the client's ID in a text for the application's log. An error may name an address that contains it, and anybody
/// who knows the ID can watch the client.
fn without_id(text: &str, id: ClientId) -> String {
    text.replace(&id.to_string(), &id.short())
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::*;
    use crate::client::ClientOptions;

    /// Returns what is logged meanwhile.
    fn logged(work: impl FnOnce(&Sender)) -> String {
        let (mut log, writer) = io::pipe().unwrap();
        let subscriber = tracing_subscriber::fmt().with_writer(Mutex::new(writer));
        let server = "http://127.0.0.1:2428".parse().unwrap();
        let client = Client::new(server, ClientOptions::default()).unwrap();
        let sender = Sender::new(client);
        tracing::subscriber::with_default(subscriber.finish(), || work(&sender));
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_log_never_has_a_whole_client_id() {
        let id = ClientId::random();
        let reason = format!("cannot connect to http://elsewhere/api/v1/sse/debug/{id}");
        let text = logged(|it| it.is_away(&reason, id));
        assert!(text.contains(&format!("debug/{}", id.short())), "{text}");
        assert!(!text.contains(&id.to_string()), "{text}");
    }

    #[test]
    fn a_server_that_refuses_now_and_then_is_warned_about_once() {
        let text = logged(|it| {
            for _ in 0..10 {
                it.is_away("429 Too Many Requests", ClientId::random());
                assert!(it.away().is_some());
                it.is_back();
            }
        });
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
