//! The body of a stream in another accept loop, which ends the stream if its reader takes no bytes.
//!
//! The socket is not accessible. If the reader stalls, hyper stops asking for more, and the body is not polled. So a
//! task checks at intervals, and drops the subscription, because publishers wait for it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, sleep};

use super::StreamBody;
use crate::lock::lock;

pub(in crate::server) struct StallTimeoutBody(Arc<Mutex<State>>);

struct State {
    /// `None` after its reader has stalled.
    body: Option<StreamBody>,
    /// Since when hyper has had bytes that it may not have written yet.
    given: Option<Instant>,
}

impl StallTimeoutBody {
    pub(super) fn new(body: StreamBody, stall_timeout: Duration) -> Self {
        let state = Arc::new(Mutex::new(State {
            body: Some(body),
            given: None,
        }));
        let watched = Arc::downgrade(&state);
        tokio::spawn(async move {
            loop {
                sleep(stall_timeout / 4).await;
                let Some(state) = watched.upgrade() else {
                    return;
                };
                let mut state = lock(&state);
                if state.given.is_some_and(|it| it.elapsed() >= stall_timeout) {
                    let stalled = state.body.take();
                    drop(state);
                    if let Some(body) = stalled {
                        body.stream.stalled();
                        tracing::debug!(timeout = ?stall_timeout, "ending a stream that takes no bytes");
                    }
                    return;
                }
            }
        });
        Self(state)
    }
}

impl Body for StallTimeoutBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut state = lock(&self.0);
        let Some(body) = &mut state.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(cx);
        state.given = matches!(polled, Poll::Ready(Some(_))).then(Instant::now);
        polled
    }
}
