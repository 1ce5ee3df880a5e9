//! A batch: messages of one client, in their order, that are sent in one request.

use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;

use super::backlog::Waiting;
use super::room::Room;
use crate::client::retry::Backoff;
use crate::event::ClientId;
use crate::message::{Level, Message};
use crate::wire::json;

/// The shortest and the longest pause before the next try.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Messages of a client, each a line, and how many of them are done. It may have no messages, only the number of those that were
/// dropped.
pub(in crate::publisher::http) struct Batch {
    pub(in crate::publisher::http) id: ClientId,
    pub(super) waiting: Vec<Waiting>,
    /// How many messages were dropped before these. If it is not 0, a line before them says so.
    pub(super) dropped: u64,
    /// Whether the server has ever known the client.
    pub(in crate::publisher::http) was_known: bool,
    /// The idempotency key of the lines that are left.
    pub(in crate::publisher::http) key: Uuid,
    pub(in crate::publisher::http) tries: Backoff,
    since: Instant,
    /// Lines that are done, accepted or not.
    done: u64,
    /// Lines that were accepted.
    accepted: u64,
    /// How many of the lines that are left the server has reported as accepted when it failed.
    reported: u64,
}

impl Batch {
    pub(super) fn new(id: ClientId, waiting: Vec<Waiting>, dropped: u64, was_known: bool) -> Self {
        Self {
            id,
            waiting,
            dropped,
            was_known,
            key: Uuid::new_v4(),
            tries: Backoff::new(PAUSES.0, PAUSES.1),
            since: Instant::now(),
            done: 0,
            accepted: 0,
            reported: 0,
        }
    }

    /// Returns how long its newest message has waited; without one, its age.
    pub(in crate::publisher::http) fn age(&self) -> Duration {
        let newest = self.waiting.last();
        newest.map_or(self.since, |it| it.since).elapsed()
    }

    /// Returns the number of its last message.
    pub(super) fn last(&self) -> u64 {
        self.waiting.last().map_or(0, |it| it.number)
    }

    /// Returns how many lines are left.
    pub(in crate::publisher::http) fn left(&self) -> u64 {
        let lines = self.waiting.len() as u64 + u64::from(self.dropped > 0);
        lines - self.done
    }

    /// Returns the lines that are left, as NDJSON.
    pub(in crate::publisher::http) fn lines(&self) -> Bytes {
        let note = (self.dropped > 0).then(|| dropped_by_the_application(self.dropped));
        let messages = self.waiting.iter().map(|it| &*it.message);
        let done = usize::try_from(self.done).unwrap_or(usize::MAX);
        let mut lines = Vec::new();
        for message in note.iter().chain(messages).skip(done) {
            json::push_line(&mut lines, message);
        }
        lines.into()
    }

    /// Notes that the server reports this many of the lines that are left as accepted. More than are left count as all.
    pub(in crate::publisher::http) fn accept(&mut self, lines: u64) {
        let lines = lines.min(self.left());
        self.accepted += lines;
        self.done += lines;
        self.reported = 0;
    }

    /// Notes that the server has accepted this many of the lines that are left before it failed. All of them are sent again with
    /// the same key, and the server skips those that it has.
    pub(in crate::publisher::http) fn report(&mut self, lines: u64) {
        self.reported = self.reported.max(lines.min(self.left()));
    }

    /// Notes that the server refused the first of the lines that are left. The rest is another request, with a new key.
    pub(in crate::publisher::http) fn skip_one(&mut self) {
        self.done += self.left().min(1);
        self.reported = 0;
        self.key = Uuid::new_v4();
    }

    /// Returns whether the line about dropped messages was accepted.
    pub(super) fn is_told(&self) -> bool {
        self.dropped > 0 && self.accepted + self.reported > 0
    }

    /// Returns how many of the messages were accepted.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted + self.reported - u64::from(self.is_told())
    }

    pub(super) fn used(&self) -> Room {
        let mut used = Room::default();
        for it in &self.waiting {
            used.add(it.bytes);
        }
        used
    }
}

fn dropped_by_the_application(count: u64) -> Message {
    let text = format!("{} dropped by the application", messages(count));
    Message::text(text).level(Level::Warn)
}

/// Returns a number of messages, in words.
pub(in crate::publisher::http) fn messages(count: u64) -> String {
    let noun = if count == 1 { "message" } else { "messages" };
    format!("{count} {noun}")
}
