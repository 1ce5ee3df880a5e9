//! Reads a body ahead while its earlier lines are being published.

use std::collections::VecDeque;
use std::pin::pin;

use axum::body::Body;
use bytes::Bytes;
use tokio::task::yield_now;

use crate::server::problem::Problem;
use crate::server::request::body::next_chunk;

/// Upper bound of what is read ahead, in bytes, apart from one chunk.
const AHEAD_BYTES: usize = 256 * 1024;

/// The part of the body that was read ahead.
#[derive(Default)]
pub(super) struct Ahead {
    chunks: VecDeque<Chunk>,
    pub(super) bytes: usize,
}

/// Bytes, the body's end, or an error.
type Chunk = Result<Option<Bytes>, Problem>;

impl Ahead {
    /// Reads what has arrived, without waiting.
    pub(super) async fn read_ready(&mut self, body: &mut Body) {
        while self.bytes < AHEAD_BYTES && !self.is_over() {
            tokio::select! {
                biased;
                chunk = next_chunk(body) => self.push(chunk),
                // The connection reads more only when this task is polled again.
                () = yield_now() => return,
            }
        }
    }

    /// Waits for `sending`, and reads ahead meanwhile. `note` gets the number of bytes that are held, and returns
    /// whether there is room for more.
    pub(super) async fn read_during<T>(
        &mut self,
        sending: impl Future<Output = T>,
        body: &mut Body,
        mut note: impl FnMut(usize) -> bool,
    ) -> T {
        let mut sending = pin!(sending);
        let mut has_room = true;
        loop {
            let reads = has_room && !self.is_over() && self.bytes < AHEAD_BYTES;
            tokio::select! {
                biased;
                sent = sending.as_mut() => return sent,
                chunk = next_chunk(body), if reads => {
                    self.push(chunk);
                    has_room = note(self.bytes);
                }
            }
        }
    }

    fn push(&mut self, chunk: Chunk) {
        self.bytes += length(&chunk);
        self.chunks.push_back(chunk);
    }

    /// Returns whether the body has ended.
    fn is_over(&self) -> bool {
        matches!(self.chunks.back(), Some(Ok(None) | Err(_)))
    }

    /// Returns the next chunk; waits for it if necessary.
    pub(super) async fn next(&mut self, body: &mut Body) -> Chunk {
        match self.chunks.pop_front() {
            Some(chunk) => {
                self.bytes -= length(&chunk);
                chunk
            }
            None => next_chunk(body).await,
        }
    }

    /// Returns the next bytes if they have arrived and at most `room` lines end in them.
    pub(super) fn pop_lines(&mut self, room: usize) -> Option<Bytes> {
        let fits = |chunk: &mut Chunk| match chunk {
            Ok(Some(bytes)) => memchr::memchr_iter(b'\n', bytes).count() <= room,
            _ => false,
        };
        let bytes = self.chunks.pop_front_if(fits)?.ok()??;
        self.bytes -= bytes.len();
        Some(bytes)
    }
}

fn length(chunk: &Chunk) -> usize {
    match chunk {
        Ok(Some(bytes)) => bytes.len(),
        _ => 0,
    }
}
