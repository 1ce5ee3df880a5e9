//! The answers on one connection of HTTP/2, and whether its client takes them.
//!
//! There the socket does not tell that: a client that grants no window (RFC 9113, 5.2) and answers pings keeps it
//! going. An answer waits for its client from when a piece of it is handed over until the next one is asked for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// The answers of one connection. Clones are of the same connection.
#[derive(Clone, Debug)]
pub(super) struct Answers(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug)]
struct State {
    /// How many are not all out.
    open: usize,
    /// How many of them wait for the client.
    waiting: usize,
    /// When the client last took a piece of any, or the first of those that wait began to.
    progress: Instant,
}

impl Answers {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State {
            open: 0,
            waiting: 0,
            progress: Instant::now(),
        })))
    }

    /// Begins an answer, which is open until it is dropped or its body is.
    pub(super) fn begin(&self) -> Answer {
        self.0.send_modify(|it| it.open += 1);
        Answer {
            answers: self.clone(),
            is_waiting: false,
        }
    }

    /// Ready once no answer was open for so long.
    pub(super) async fn idle(&self, patience: Duration) {
        let mut state = self.0.subscribe();
        while state.wait_for(|it| it.open == 0).await.is_ok() {
            if timeout(patience, state.wait_for(|it| it.open > 0))
                .await
                .is_err()
            {
                return;
            }
        }
    }

    /// Ready once answers have waited for the client, and it has taken nothing of any, for so long.
    pub(super) async fn stalled(&self, patience: Duration) {
        let mut state = self.0.subscribe();
        while state.wait_for(|it| it.waiting > 0).await.is_ok() {
            let due = state.borrow().progress + patience;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }
}

/// An answer that is not all out.
#[derive(Debug)]
pub(super) struct Answer {
    answers: Answers,
    is_waiting: bool,
}

impl Answer {
    /// Notes whether it waits for the client from now on.
    fn set_waiting(&mut self, is_waiting: bool) {
        let was_waiting = std::mem::replace(&mut self.is_waiting, is_waiting);
        self.answers.0.send_if_modified(|it| {
            it.progress = Instant::now();
            it.waiting = it.waiting + usize::from(is_waiting) - usize::from(was_waiting);
            was_waiting != is_waiting
        });
    }

    /// The answer's body, which is watched from now on.
    pub(super) fn body<B>(mut self, body: B) -> AnswerBody<B> {
        self.set_waiting(true);
        AnswerBody { body, answer: self }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.set_waiting(false);
        self.answers.0.send_modify(|it| it.open -= 1);
    }
}

/// The body of an answer.
pub(super) struct AnswerBody<B> {
    body: B,
    answer: Answer,
}

impl<B: Body<Data = Bytes> + Unpin> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.answer.set_waiting(frame.is_ready());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
