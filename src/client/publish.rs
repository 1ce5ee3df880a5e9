//! Sending messages reliably: what is not acknowledged is sent again, with the same idempotency key, until the
//! publisher gives up.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderValue};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::error::{Cause, Lost, Place};
use super::give_up::GiveUp;
use super::request::ClientRequest;
use super::response::{Expected, Refusal, has_type, read_json};
use super::retry::Backoff;
use super::{ANSWER_TIMEOUT, Client, ClientError};
use crate::event::ClientId;
use crate::message::Message;
use crate::wire::answer::{Broadcast, Published};
use crate::wire::{self, Route};

/// Upper bound of the first waits after a loss, so that the tries are within [`wire::RECONNECT_GRACE`] and watchers see
/// no lost publisher if the network fails for a moment.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);
/// How long after a lost connection an unknown client ID means that the watcher has not reconnected yet.
const RETURN: Duration = Duration::from_secs(30);

/// Publishes to one client, or to all of them.
#[derive(Debug)]
pub struct HttpPublisher {
    client: Client,
    /// `None` for all.
    id: Option<ClientId>,
    patience: GiveUp,
    /// Whether the server has ever answered.
    reached: bool,
    /// Whether to wait for an unknown client if it was known once, or may be reconnecting.
    awaits_return: bool,
    /// Whether a message was ever accepted, so that the client was known.
    accepted: bool,
    /// Since when the connection has been lost, or the client unknown. Reset by an accepted body.
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

/// Why a body was not accepted.
#[derive(Clone, Debug, Error)]
pub enum PublishError {
    /// Nothing answers at the first try, or the answer is not valid.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server refused for good.
    #[error("the server {} ({status}): {detail}", refused(accepted.unwrap_or(0), *lines))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's reason.
        detail: String,
        /// How many lines of the body were accepted; `None` if that is not said, as where a proxy refuses the whole request.
        accepted: Option<u64>,
        /// How many there were.
        lines: u64,
        /// Whether the client's stream has ended for good.
        is_over: bool,
    },
    /// The publisher gave up.
    #[error(
        "the server took nothing for {}: {why}; try again when it is back, or wait longer with --give-up-after",
        humantime::format_duration(*after)
    )]
    GivenUp {
        /// How long it tried after the input's end.
        after: Duration,
        /// The outcome of the last try.
        why: String,
    },
}

fn refused(accepted: u64, lines: u64) -> String {
    match (accepted, lines) {
        (0, 1) => "refused".into(),
        _ => format!("took {accepted} of {lines} lines and refused the rest"),
    }
}

impl PublishError {
    /// Returns whether nobody can read the messages: there is no server, or no such client.
    #[must_use]
    pub fn is_nobody_there(&self) -> bool {
        match self {
            Self::Client(error) => error.is_not_there(),
            Self::Refused { status, .. } => matches!(status, 404 | 410),
            Self::GivenUp { .. } => true,
        }
    }

    /// Returns how many lines of the body were accepted nevertheless.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        match self {
            Self::Client(_) | Self::GivenUp { .. } => 0,
            Self::Refused { accepted, .. } => accepted.unwrap_or(0),
        }
    }
}

/// Whether the server may delay an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// As long as its readers need.
    Readers,
    /// It has no reason to.
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
    },
}

impl HttpPublisher {
    /// Returns a publisher for one client.
    #[must_use]
    pub fn new(client: Client, id: ClientId, patience: GiveUp) -> Self {
        Self::to(client, Some(id), patience)
    }

    /// Returns a publisher for all clients of a server.
    #[must_use]
    pub fn to_all(client: Client, patience: GiveUp) -> Self {
        Self::to(client, None, patience)
    }

    /// A publisher for one client that takes a server which does not answer at the first try for one that is away, and is
    /// told at once if the client is not known.
    #[must_use]
    pub(crate) fn in_background(client: Client, id: ClientId, patience: GiveUp) -> Self {
        Self {
            reached: true,
            awaits_return: false,
            ..Self::new(client, id, patience)
        }
    }

    fn to(client: Client, id: Option<ClientId>, patience: GiveUp) -> Self {
        Self {
            client,
            id,
            patience,
            reached: false,
            awaits_return: true,
            accepted: false,
            lost: None,
        }
    }

    /// Sends one ndjson body of `lines` messages, each a `wire::json::push_line`, until it is
    /// acknowledged; calls `report` after every failed try.
    ///
    /// Neither one try nor all together have a time limit before the input's end: the server may hold back the request
    /// for as long as its readers need.
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

    /// Tries once to send so many lines of ndjson, for a caller that tries again by itself, with the same key. Gives up if the
    /// server does not answer at all and the patience is over.
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
        let (client, patience) = (self.client.clone(), self.patience.clone());
        tokio::select! {
            biased;
            tried = self.attempt(request, lines, hold) => tried,
            () = patience.over_without_answer(Instant::now(), &client) => Tried::Again {
                reason: "no answer".into(),
                retry_after: None,
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
        let (client, patience, since) =
            (self.client.clone(), self.patience.clone(), Instant::now());
        let given_up = |why| PublishError::GivenUp {
            after: patience.limit(),
            why,
        };
        let mut newest = "no answer".to_owned();
        loop {
            let is_new = !self.reached;
            let tried = tokio::select! {
                biased;
                tried = self.attempt(request.clone(), lines, hold) => tried,
                () = mute(&client), if is_new && hold == Hold::Readers => {
                    let lost = Lost::new(Cause::Silent(ANSWER_TIMEOUT));
                    return Err(lost.at(client.server()).into());
                }
                () = patience.over_without_answer(since, &client) => return Err(given_up(newest)),
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
                () = patience.over(since) => return Err(given_up(newest)),
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
        request.carry(kind, body);
        request.name(key).expect("a UUID is visible ASCII");
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
            // The server restarted between two bodies; the watcher has to reconnect.
            self.lost.get_or_insert_with(Instant::now);
        }
        let coming_back = self.awaits_return && self.lost.is_some_and(|it| it.elapsed() < RETURN);
        if refusal.is_passing() || is_unknown && coming_back {
            return Tried::Again {
                reason: format!("{} {}", refusal.status, refusal.detail),
                retry_after: refusal.retry_after,
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
        let is_answerless = !lost.is_connected() || matches!(lost.cause, Cause::Silent(_));
        if lost.is_lasting() || is_answerless && !self.reached {
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
        }
    }
}

fn new_key() -> String {
    Uuid::new_v4().to_string()
}

/// Waits until a server that has not answered yet does not answer a check either.
async fn mute(client: &Client) {
    loop {
        sleep(ANSWER_TIMEOUT).await;
        // A check that fails at once is no silence; the request will fail, too.
        if timeout(ANSWER_TIMEOUT, client.is_well()).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_tries_after_a_loss_come_before_the_channel_is_told_of_it() {
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
