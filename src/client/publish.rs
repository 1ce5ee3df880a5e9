//! Sending messages reliably: what is not acknowledged is sent again, with the same idempotency key, until the
//! publisher gives up.

mod error;

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderValue};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::error::Place;
use super::give_up::GiveUp;
use super::lost::{Cause, Lost};
use super::request::ClientRequest;
use super::response::{Expected, Refusal, has_type, read_json};
use super::retry::Backoff;
use super::{ANSWER_TIMEOUT, Client, ClientError};
use crate::event::ClientId;
use crate::message::Message;
use crate::wire::answer::{Broadcast, Published};
use crate::wire::{self, Route};

pub use error::PublishError;

/// Shortest and longest wait before a try. The first tries are within [`wire::RECONNECT_GRACE`], so that watchers see no
/// lost publisher if the network fails for a moment.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);
/// How long after a lost connection an unknown client ID is taken to mean that the watcher has not reconnected yet.
const RETURN: Duration = Duration::from_secs(30);

/// Publishes to one client, or to all of them.
#[derive(Debug)]
pub struct HttpPublisher {
    client: Client,
    /// `None` for all.
    id: Option<ClientId>,
    give_up: GiveUp,
    /// Whether the server has ever answered.
    reached: bool,
    /// Whether to retry if the client is unknown but may be reconnecting.
    awaits_return: bool,
    /// Whether a message was ever accepted, so that the client was known.
    accepted: bool,
    /// When the connection was last lost, or the client became unknown; `None` after an accepted body.
    lost: Option<Instant>,
}

/// A failed try, and when the next one follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How many tries of this body have failed, from 1.
    pub attempt: u32,
    /// The time until the next try.
    pub delay: Duration,
    /// What happened.
    pub reason: String,
}

/// How long the server may delay an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// Until its readers have room.
    Readers,
    /// Not at all.
    Never,
}

/// The outcome of one try.
pub(crate) enum Tried<T> {
    Accepted(T),
    Failed(PublishError),
    /// The same request may succeed later.
    Again {
        reason: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// The number of the request's messages that the server reports as accepted nevertheless.
        accepted: u64,
    },
}

impl HttpPublisher {
    /// Returns a publisher for one client.
    #[must_use]
    pub fn new(client: Client, id: ClientId, give_up: GiveUp) -> Self {
        Self::to(client, Some(id), give_up)
    }

    /// Returns a publisher for all clients of a server.
    #[must_use]
    pub fn to_all(client: Client, give_up: GiveUp) -> Self {
        Self::to(client, None, give_up)
    }

    /// Returns a publisher for one client that retries even if the server does not answer at the first try, and fails at
    /// once if the client is unknown.
    #[must_use]
    pub(crate) fn in_background(client: Client, id: ClientId, give_up: GiveUp) -> Self {
        Self {
            reached: true,
            awaits_return: false,
            ..Self::new(client, id, give_up)
        }
    }

    fn to(client: Client, id: Option<ClientId>, give_up: GiveUp) -> Self {
        Self {
            client,
            id,
            give_up,
            reached: false,
            awaits_return: true,
            accepted: false,
            lost: None,
        }
    }

    /// Sends one ndjson body of `lines` messages, each a `wire::json::push_line`, until it is
    /// acknowledged; calls `report` after every failed try.
    ///
    /// Before the end of the input there is no time limit, neither for one try nor for all: the server may delay the
    /// answer for as long as its readers need.
    ///
    /// # Errors
    /// [`PublishError`] if nothing answers at the very first try, the server refuses for good, or the publisher gives
    /// up.
    pub async fn send(
        &mut self,
        body: Bytes,
        lines: u64,
        report: impl FnMut(Retry),
    ) -> Result<Published, PublishError> {
        let request = self.request(wire::NDJSON, body, &new_key());
        self.deliver(request, lines, Hold::Readers, report).await
    }

    /// Tries once to send an ndjson body of `lines` messages. The caller repeats it with the same `key`. Gives up if the
    /// server does not answer in time.
    pub(crate) async fn try_lines(
        &mut self,
        body: Bytes,
        lines: u64,
        key: &str,
    ) -> Tried<Published> {
        // The server may hold ndjson back for its readers' sake, but not a single message.
        let (kind, hold) = match lines {
            1 => (wire::JSON, Hold::Never),
            _ => (wire::NDJSON, Hold::Readers),
        };
        let request = self.request(kind, body, key);
        let (client, give_up) = (self.client.clone(), self.give_up.clone());
        tokio::select! {
            biased;
            tried = self.attempt(request, lines, hold) => tried,
            () = give_up.over_without_answer(Instant::now(), &client) => Tried::Again {
                reason: "no answer".into(),
                retry_after: None,
                accepted: 0,
            },
        }
    }

    /// Sends one message until it is acknowledged; calls `report` after every failed try.
    ///
    /// # Errors
    /// As [`HttpPublisher::send`].
    pub async fn publish(
        &mut self,
        message: &Message,
        report: impl FnMut(Retry),
    ) -> Result<Published, PublishError> {
        self.deliver_one(message, report).await
    }

    /// Sends one message to all clients until it is acknowledged; calls `report` after every failed try. For a
    /// publisher [to all](HttpPublisher::to_all).
    ///
    /// # Errors
    /// As [`HttpPublisher::send`].
    pub async fn broadcast(
        &mut self,
        message: &Message,
        report: impl FnMut(Retry),
    ) -> Result<Broadcast, PublishError> {
        self.deliver_one(message, report).await
    }

    /// Returns the client that it uses.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    async fn deliver_one<T: DeserializeOwned>(
        &mut self,
        message: &Message,
        report: impl FnMut(Retry),
    ) -> Result<T, PublishError> {
        let body = wire::json::publication(message).into();
        let request = self.request(wire::JSON, body, &new_key());
        self.deliver(request, 1, Hold::Never, report).await
    }

    async fn deliver<T: DeserializeOwned>(
        &mut self,
        request: ClientRequest,
        lines: u64,
        hold: Hold,
        mut report: impl FnMut(Retry),
    ) -> Result<T, PublishError> {
        let mut backoff = Backoff::new(SHORTEST, LONGEST);
        let (client, give_up, since) = (self.client.clone(), self.give_up.clone(), Instant::now());
        let timed_out = |why| PublishError::GivenUp {
            after: give_up.limit(),
            why,
        };
        let mut newest = "no answer".to_owned();
        loop {
            let is_new = !self.reached;
            let tried = tokio::select! {
                biased;
                tried = self.attempt(request.clone(), lines, hold) => tried,
                () = is_silent(&client), if is_new && hold == Hold::Readers => {
                    let lost = Lost::new(Cause::Silent(ANSWER_TIMEOUT));
                    return Err(lost.at(client.server()).into());
                }
                () = give_up.over_without_answer(since, &client) => return Err(timed_out(newest)),
            };
            let (reason, retry_after) = match tried {
                Tried::Accepted(published) => {
                    (self.accepted, self.lost) = (true, None);
                    return Ok(published);
                }
                Tried::Failed(error) => return Err(error),
                Tried::Again {
                    reason,
                    retry_after,
                    ..
                } => (reason, retry_after),
            };
            let (attempt, delay) = backoff.next(None, retry_after);
            newest.clone_from(&reason);
            report(Retry {
                attempt,
                delay,
                reason,
            });
            tokio::select! {
                () = sleep(delay) => {}
                () = give_up.over(since) => return Err(timed_out(newest)),
            }
        }
    }

    fn request(&self, kind: &'static str, body: Bytes, key: &str) -> ClientRequest {
        let path = self.id.map_or_else(
            || Route::Broadcast.path().into(),
            |id| Route::Client.path_for(id),
        );
        let mut request = self.client.request(Method::POST, &path, self.id);
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static(wire::JSON));
        request.set_body(kind, body);
        request
            .set_idempotency_key(key)
            .expect("a UUID is visible ASCII");
        request
    }

    async fn attempt<T: DeserializeOwned>(
        &mut self,
        request: ClientRequest,
        lines: u64,
        hold: Hold,
    ) -> Tried<T> {
        let sent = request.send(&self.client.http);
        let sent = match hold {
            Hold::Readers => sent.await,
            Hold::Never => {
                let silent = |_| Err(Lost::new(Cause::Silent(ANSWER_TIMEOUT)));
                let sent = timeout(ANSWER_TIMEOUT, sent).await;
                sent.unwrap_or_else(silent)
            }
        };
        let response = match sent {
            Ok(response) => response,
            Err(lost) => return self.after_loss(lost),
        };
        self.reached = true;
        let place = Place::of(&response, self.client.server());
        let status = response.status().as_u16();
        if response.status().is_success() {
            if !has_type(&response, wire::JSON) {
                return Tried::Failed(ClientError::Unacknowledged { place, status }.into());
            }
            return match read_json(response, self.client.server()).await {
                Ok(published) => Tried::Accepted(published),
                Err(error @ ClientError::Lost { .. }) => self.again(error.to_string()),
                Err(error) => Tried::Failed(error.into()),
            };
        }
        let refusal = Refusal::of(response, Expected::Server).await;
        if matches!(refusal.status, 405 | 501) && !refusal.is_problem {
            return Tried::Failed(ClientError::NoPublishing { place }.into());
        }
        let is_unknown = refusal.status == 404 && !refusal.ended;
        if is_unknown && self.accepted {
            // The server has restarted, so the watcher has to reconnect.
            self.lost.get_or_insert_with(Instant::now);
        }
        let may_return = self.awaits_return && self.lost.is_some_and(|it| it.elapsed() < RETURN);
        if refusal.is_passing() || is_unknown && may_return {
            return Tried::Again {
                reason: format!("{} {}", refusal.status, refusal.detail),
                retry_after: refusal.retry_after,
                accepted: refusal.accepted.unwrap_or_default(),
            };
        }
        Tried::Failed(PublishError::Refused {
            status: refusal.status,
            detail: refusal.detail,
            accepted: refusal.accepted,
            lines,
            is_over: refusal.ended,
        })
    }

    fn after_loss<T>(&mut self, lost: Lost) -> Tried<T> {
        let is_unanswered = !lost.is_connected() || matches!(lost.cause, Cause::Silent(_));
        if lost.is_lasting() || is_unanswered && !self.reached {
            return Tried::Failed(lost.at(self.client.server()).into());
        }
        self.reached |= lost.is_connected();
        self.again(lost.to_string())
    }

    fn again<T>(&mut self, reason: String) -> Tried<T> {
        self.lost = Some(Instant::now());
        Tried::Again {
            reason,
            retry_after: None,
            accepted: 0,
        }
    }
}

fn new_key() -> String {
    Uuid::new_v4().to_string()
}

/// Waits until the server also fails to answer a health check in time.
async fn is_silent(client: &Client) {
    loop {
        sleep(ANSWER_TIMEOUT).await;
        // If the check fails at once, so will the request.
        if timeout(ANSWER_TIMEOUT, client.is_healthy()).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_tries_after_a_loss_are_within_the_reconnect_grace() {
        for _ in 0..1000 {
            let mut backoff = Backoff::new(SHORTEST, LONGEST);
            let tries = [(); 3].map(|()| backoff.next(None, None).1);
            assert!(
                tries.iter().sum::<Duration>() < wire::RECONNECT_GRACE,
                "{tries:?}"
            );
        }
    }
}
