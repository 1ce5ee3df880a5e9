//! Reading the control requests to a publisher: [`ControlFeed`] connects, and reconnects after each lost connection.
//!
//! There is nothing to resume, because each connection begins with the current state.

use std::time::Duration;

use eventsource_client::SSE;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use super::Client;
use super::response::{Expected, Refusal};
use super::retry::Backoff;
use super::stream_url::shown;
use super::subscribe::FeedError;
use super::subscribe::connection::open;
use super::subscribe::ended::{Ended, ended_by, no_stream};
use super::subscribe::target::stream_request;
use super::transport::{NoStream, Transport};
use crate::control::ControlState;
use crate::event::ClientId;
use crate::message::Operation;
use crate::wire::control::parse_state;
use crate::wire::{Route, sse};

/// The shortest and the longest wait before a try. A server waits 2 s for a publisher to reconnect, so the first tries
/// must be quick.
const DELAYS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Upper bound of the updates that wait for the reader before the stream is no longer read.
const WAITING: usize = 8;

/// An update of a control feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlUpdate {
    /// The current state: once for each connection, and at every change.
    State(ControlState),
    /// The connection was lost, or could not be made again; the next try follows.
    Lost,
}

/// The requests to one client's publishers. Ends when the client's stream has ended, or with an error; dropping it
/// closes the connection at once.
#[derive(Debug)]
pub struct ControlFeed {
    updates: mpsc::Receiver<Result<ControlUpdate, FeedError>>,
    task: AbortHandle,
}

impl ControlFeed {
    pub(super) fn open(client: Client, id: ClientId, operation: Option<&Operation>) -> Self {
        let (sender, updates) = mpsc::channel(WAITING);
        let mut request = stream_request(&client, id, &Route::Control.path_for(id));
        let place = shown(&request.url);
        if let Some(operation) = operation {
            let mut query = request.url.query_pairs_mut();
            query.append_pair("operation", operation.as_str());
        }
        let listener = Listener {
            transport: Transport::new(
                client.http.clone(),
                request,
                Expected::Server,
                String::new(),
                client.heartbeat,
            ),
            client,
            place,
            was_known: false,
            out: sender,
        };
        Self {
            updates,
            // The parser logs each failed try, with an address that may contain the client ID.
            task: tokio::spawn(listener.run().with_subscriber(Dispatch::none())).abort_handle(),
        }
    }

    /// Waits for the next update; `None` once the client's stream has ended.
    ///
    /// # Errors
    /// If nothing answers at the first try, or the server refuses for good; nothing comes after it.
    pub async fn next(&mut self) -> Option<Result<ControlUpdate, FeedError>> {
        self.updates.recv().await
    }
}

impl Drop for ControlFeed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Listener {
    client: Client,
    place: String,
    transport: Transport,
    /// Whether the server has known the client. If it no longer does, it has restarted, and the watcher may reconnect.
    was_known: bool,
    out: mpsc::Sender<Result<ControlUpdate, FeedError>>,
}

impl Listener {
    async fn run(mut self) {
        let mut backoff = Backoff::new(DELAYS.0, DELAYS.1);
        loop {
            let retry_after = match self.read(&mut backoff).await {
                Ended::Over => return,
                Ended::Failed(error) => {
                    let _ = self.out.send(Err(error)).await;
                    return;
                }
                Ended::NoAnswer(_) if self.was_known => None,
                Ended::NoAnswer(lost) | Ended::Lasting(lost) => {
                    let error = lost.at(self.client.server()).into();
                    let _ = self.out.send(Err(error)).await;
                    return;
                }
                Ended::Refused(refusal) => refusal.retry_after,
                Ended::Unanswered(_) | Ended::Closed { .. } | Ended::Cut { .. } => None,
            };
            if self.out.send(Ok(ControlUpdate::Lost)).await.is_err() {
                return;
            }
            let floor = self.transport.memory.recall().retry;
            let (_, delay) = backoff.next(floor, retry_after);
            tokio::time::sleep(delay).await;
        }
    }

    /// Connects once and reads to the connection's end.
    async fn read(&mut self, backoff: &mut Backoff) -> Ended {
        let mut stream = match open(&self.transport) {
            Ok(stream) => stream,
            Err(error) => return ended_by(&error, &self.place),
        };
        loop {
            match stream.next().await {
                Some(Ok(SSE::Event(event))) if event.event_type == sse::END => return Ended::Over,
                Some(Ok(SSE::Event(event))) if event.event_type == sse::CONTROL => {
                    self.was_known = true;
                    backoff.reset();
                    if let Some(state) = parse_state(&event.data)
                        && self
                            .out
                            .send(Ok(ControlUpdate::State(state)))
                            .await
                            .is_err()
                    {
                        return Ended::Over;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return self.ended(&error),
                None => return self.ended(&eventsource_client::Error::Eof),
            }
        }
    }

    fn ended(&self, error: &eventsource_client::Error) -> Ended {
        match no_stream(error) {
            Some(NoStream::Refused(refusal)) if refusal.ended => Ended::Over,
            Some(NoStream::Refused(refusal)) if refusal.status == 404 && self.was_known => {
                Ended::Refused(Refusal {
                    retry_after: None,
                    ..refusal.clone()
                })
            }
            _ => ended_by(error, &self.place),
        }
    }
}
