//! Streaming publishers: one message per line, published as it arrives, as fast as readers allow.
//!
//! With a store, lines are sent in batches: those that arrive while one batch is being sent form the next one. A single
//! line never waits for others.

mod ahead;

use std::collections::VecDeque;
use std::mem;
use std::pin::pin;

use axum::body::Body;
use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use self::ahead::Ahead;
use crate::channels::{self, Publisher};
use crate::event::ClientId;
use crate::hub::{Hub, Receipt, Refusal};
use crate::message::Message;
use crate::server::App;
use crate::server::problem::{Problem, ProblemKind};
use crate::server::reconnect_grace::drop_later;
use crate::server::request::body::{check_json, check_size};
use crate::wire::json;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Publishes the body's lines one after the other. The first invalid line ends the request; the lines before it stay
/// published.
pub(in crate::server) async fn publish(
    app: &App,
    publisher: Publisher,
    body: &mut Body,
) -> Result<Receipt, Problem> {
    let mut publisher = Unfinished(Some(publisher));
    let mut lines = Lines::new(app.options.max_message);
    let mut held = app.channels.hub().hold();
    // When the end of the current line must have arrived.
    let mut line_due = None;
    let mut queue = VecDeque::new();
    let mut ahead = Ahead::default();
    let batch = publisher.get().batch();
    let mut closed = pin!(publisher.get().closed());
    loop {
        let next = tokio::select! {
            biased;
            next = ahead.next(body) => next,
            () = sleep_until(line_due.unwrap_or_else(Instant::now)), if line_due.is_some() => {
                let late = ProblemKind::LineLate(app.options.body_timeout);
                let accepted = publisher.get().accepted();
                return Err(Problem::from(late).in_line(lines.number + 1, accepted));
            }
            () = closed.as_mut() => return Err(publisher.refuse(Refusal::Closing).await),
        };
        let chunk = next.map_err(|broken| broken.after(publisher.get().accepted()))?;
        let number = lines.number;
        if batch.is_some() && chunk.is_some() {
            ahead.read_ready(body).await;
        }
        let parsed = lines.parse_more(chunk.as_ref(), &mut ahead, batch.unwrap_or(0), &mut queue);
        let is_same_line = line_due.is_some() && lines.number == number;
        let holds = lines.held() + queue.len() * size_of::<Message>();
        if let Err(refusal) = held.set(holds + ahead.bytes) {
            return Err(publisher.refuse(refusal).await);
        }
        let sending = Instant::now();
        let has_room = |ahead| held.set(holds + ahead).is_ok();
        let sent = send(publisher.get(), &mut queue, &mut ahead, body, has_room);
        if let Err(refusal) = sent.await {
            return Err(publisher.refuse(refusal).await);
        }
        if let Err(problem) = parsed {
            let accepted = publisher.finish().await.accepted;
            return Err(problem.in_line(lines.number, accepted));
        }
        if chunk.is_none() {
            return Ok(publisher.finish().await);
        }
        held.set(lines.held() + ahead.bytes)?;
        // While the hub holds back the publisher, its line is not read, so the time does not count.
        line_due = match line_due {
            _ if lines.partial.is_empty() => None,
            Some(due) if is_same_line => Some(due + sending.elapsed()),
            _ => Some(Instant::now() + app.options.body_timeout),
        };
    }
}

/// Publishes a body that has arrived completely, if nothing has to wait and nothing is refused.
///
/// If it returns `None`, some lines may have been published. The same request can then be passed to [`publish`], which
/// skips them by the request's `key`.
pub(in crate::server) fn publish_at_once(
    hub: &Hub,
    id: ClientId,
    key: &str,
    body: &[u8],
    max_message: usize,
) -> Option<Receipt> {
    let mut queue = VecDeque::new();
    Lines::new(max_message).parse_all(body, &mut queue).ok()?;
    hub.publish_all(id, &mut queue, key)
}

/// Publishes the queue; meanwhile, reads ahead as far as there is room.
async fn send(
    publisher: &mut Publisher,
    queue: &mut VecDeque<Message>,
    ahead: &mut Ahead,
    body: &mut Body,
    has_room: impl FnMut(usize) -> bool,
) -> Result<(), channels::Refusal> {
    let takes_none = publisher.batch().is_none();
    let sending = publisher.send(queue);
    if takes_none {
        return sending.await;
    }
    ahead.read_during(sending, body, has_room).await
}

/// A publisher that has not finished; it is dropped with the request.
struct Unfinished(Option<Publisher>);

impl Unfinished {
    fn get(&mut self) -> &mut Publisher {
        self.0
            .as_mut()
            .expect("taken only by finish and drop, which end it")
    }

    async fn finish(&mut self) -> Receipt {
        self.0.take().expect("finished once").finish().await
    }

    /// Finishes it; adds to the problem how many messages were published.
    async fn refuse(&mut self, problem: impl Into<Problem>) -> Problem {
        let accepted = self.finish().await.accepted;
        problem.into().after(accepted)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(publisher) = self.0.take()
            && publisher.may_be_resumed()
        {
            drop_later(publisher);
        }
    }
}

/// Splits chunks into lines, and parses the lines.
struct Lines {
    /// The beginning of an incomplete line.
    partial: Vec<u8>,
    /// The number of the current line, from 1.
    number: u64,
    max_message: usize,
}

impl Lines {
    fn new(max_message: usize) -> Self {
        Self {
            partial: Vec::new(),
            number: 0,
            max_message,
        }
    }

    /// Appends the messages of all lines that end in `chunk`, or of the rest at the body's end. Then appends those of
    /// further chunks that have arrived, up to one `batch`.
    fn parse_more(
        &mut self,
        chunk: Option<&Bytes>,
        ahead: &mut Ahead,
        batch: usize,
        queue: &mut VecDeque<Message>,
    ) -> Result<(), Problem> {
        let Some(chunk) = chunk else {
            return self.parse_rest(queue);
        };
        self.parse(chunk, queue)?;
        while let Some(chunk) = ahead.pop_lines(batch.saturating_sub(queue.len())) {
            self.parse(&chunk, queue)?;
        }
        Ok(())
    }

    /// Appends the messages of all lines that end in `chunk`.
    fn parse(&mut self, chunk: &[u8], queue: &mut VecDeque<Message>) -> Result<(), Problem> {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', chunk) {
            let line = &chunk[start..end];
            start = end + 1;
            self.number += 1;
            if self.partial.is_empty() {
                queue.extend(self.message(line)?);
            } else {
                let mut whole = mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                queue.extend(self.message(&whole)?);
            }
        }
        self.partial.extend_from_slice(&chunk[start..]);
        check_json(self.partial.len(), self.max_message).inspect_err(|_| self.number += 1)
    }

    /// Returns how many bytes it holds.
    fn held(&self) -> usize {
        self.partial.capacity()
    }

    /// Parses the last line, which may lack its end.
    fn parse_rest(&mut self, queue: &mut VecDeque<Message>) -> Result<(), Problem> {
        let line = mem::take(&mut self.partial);
        self.parse_last(&line, queue)
    }

    fn parse_last(&mut self, line: &[u8], queue: &mut VecDeque<Message>) -> Result<(), Problem> {
        self.number += 1;
        queue.extend(self.message(line)?);
        Ok(())
    }

    /// Appends the messages of a whole body.
    fn parse_all(&mut self, body: &[u8], queue: &mut VecDeque<Message>) -> Result<(), Problem> {
        let last = memchr::memrchr(b'\n', body).map_or(0, |end| end + 1);
        self.parse(&body[..last], queue)?;
        self.parse_last(&body[last..], queue)
    }

    /// Parses a line; a blank line has no message.
    fn message(&self, line: &[u8]) -> Result<Option<Message>, Problem> {
        check_json(line.len(), self.max_message)?;
        // A byte order mark is allowed only at the start of the body.
        let line = match self.number {
            1 => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line),
            _ => line,
        };
        let line =
            std::str::from_utf8(line).map_err(|error| ProblemKind::NotUtf8(error.valid_up_to()))?;
        if line.chars().all(char::is_whitespace) {
            return Ok(None);
        }
        let message = json::parse_line(line)
            .map_err(|error| ProblemKind::LineMalformed(error.to_string()))?;
        check_size(message, self.max_message).map(Some)
    }
}
