//! A stream over HTTP/2, whose reader is watched by itself.
//!
//! There the socket does not tell whether a reader makes progress: it carries other streams, and a stream
//! whose window is used up is not even asked for its next bytes. So a task of its own reads on, hands over
//! a piece at a time, and leaves the channel where one is not taken within the stall timeout.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Stream, StreamBody};

/// Small, so that even a slow reader takes one within the stall timeout.
const PIECE_BYTES: usize = 4 * 1024;

pub(in crate::server) struct H2Body(mpsc::Receiver<io::Result<Bytes>>);

impl H2Body {
    pub(in crate::server) fn new(stream: Stream, stall_timeout: Duration) -> Self {
        let (sender, pieces) = mpsc::channel(1);
        tokio::spawn(hand_over(stream, sender, stall_timeout));
        Self(pieces)
    }
}

async fn hand_over(stream: Stream, pieces: mpsc::Sender<io::Result<Bytes>>, patience: Duration) {
    let mut body = StreamBody::new(stream);
    loop {
        let frame = tokio::select! {
            frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)) => frame,
            () = pieces.closed() => return,
        };
        let Some(Ok(frame)) = frame else { return };
        let mut bytes = frame.into_data().unwrap_or_default();
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
            match timeout(patience, pieces.send(Ok(piece))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => {
                    body.stalled();
                    drop(body);
                    tracing::debug!(timeout = ?patience, "closing a stream that takes no bytes");
                    // It learns so if it ever reads on, and comes back with its cursor.
                    let stalled =
                        io::Error::new(io::ErrorKind::TimedOut, "the client took no bytes");
                    let _ = pieces.send(Err(stalled)).await;
                    return;
                }
            }
        }
    }
}

impl Body for H2Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|it| it.map(Frame::data)))
    }
}
