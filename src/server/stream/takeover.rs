//! Streams without hyper: hyper reads the request and writes the answer's head. Then the socket is taken back, and a
//! small task writes the encoded frames.
//!
//! The reason is cost. Hyper keeps a connection's buffers and state machine as long as the stream is open, and copies
//! every frame twice. `benches/load` measures the difference; `serve --plain-streams` turns the takeover off. Only
//! HTTP/1.1 can be taken over, where chunks are the only framing. In both cases, [`Stream`] provides the content.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Stream;
use crate::lock::lock;
use crate::server::deadline::Deadline;

/// Upper bound of what a client may send during a stream, in bytes; it has no reason to send anything.
const UNEXPECTED_BYTES: usize = 16 * 1024;
/// Length of a chunk's head: hexadecimal digits and CRLF (RFC 9112, 7.1).
const CHUNK_HEAD: usize = 8 + 2;
pub(in crate::server) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// Upper bound of the scratch buffer between two writes, in bytes.
const SCRATCH_BYTES: usize = 256 * 1024;

thread_local! {
    /// The buffer in which writes are gathered: one per worker thread, rather than one per stream.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The progress of a takeover, shared by the answer's body, the socket under hyper, and the task that drives
/// both.
#[derive(Clone, Default)]
pub(in crate::server) struct Handoff(Arc<State>);

#[derive(Default)]
struct State {
    /// One of the constants below.
    step: AtomicU8,
    stream: Mutex<Option<Stream>>,
}

/// Hyper has buffered the head and the first bytes: it asks for more.
const BUFFERED: u8 = 1;
/// Hyper has written its buffer.
const WRITTEN: u8 = 2;

impl Handoff {
    /// Returns the body of an answer whose stream is to be taken over.
    pub(in crate::server) fn body(&self, stream: Stream) -> HandoffBody {
        HandoffBody {
            handoff: self.clone(),
            stream: Some(stream),
            over: false,
        }
    }

    /// Notes that hyper flushes the socket. It does so when its own buffer is empty.
    pub(in crate::server) fn flushed(&self) {
        let steps = (BUFFERED, WRITTEN);
        let _ = self
            .0
            .step
            .compare_exchange(steps.0, steps.1, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Returns the stream if its first bytes have been sent and hyper buffers nothing.
    pub(in crate::server) fn take(&self) -> Option<Stream> {
        if self.0.step.load(Ordering::Acquire) == WRITTEN {
            lock(&self.0.stream).take()
        } else {
            None
        }
    }
}

/// The body that hyper gets. It returns the first bytes, so that they go into one write with the head, and then nothing
/// more.
pub(in crate::server) struct HandoffBody {
    handoff: Handoff,
    /// `None` after the first bytes were asked for.
    stream: Option<Stream>,
    /// Whether the first bytes were the last ones.
    over: bool,
}

impl http_body::Body for HandoffBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let State {
            step,
            stream: offered,
        } = &*this.handoff.0;
        if let Some(mut stream) = this.stream.take() {
            let mut first = Vec::new();
            stream.gather(&mut first, cx);
            if stream.is_over() {
                // Nothing is left to take over; hyper ends the answer.
                this.over = true;
                return Poll::Ready(Some(Ok(Frame::data(first.into()))));
            }
            *lock(offered) = Some(stream);
            if !first.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(first.into()))));
            }
        }
        if this.over {
            return Poll::Ready(None);
        }
        let _ = step.compare_exchange(0, BUFFERED, Ordering::AcqRel, Ordering::Relaxed);
        Poll::Pending
    }
}

/// Writes a stream to its socket until the stream ends, or the client disconnects or stalls.
pub(in crate::server) struct Writer {
    socket: TcpStream,
    stream: Stream,
    /// The bytes from `sent` on have not been taken by the socket. Allocates nothing while the socket takes everything.
    waiting: Vec<u8>,
    sent: usize,
    stall_timeout: Duration,
    /// The next heartbeat, or, while bytes are waiting, the end of the stall timeout.
    deadline: Deadline,
    unexpected: usize,
}

impl Writer {
    /// Creates a writer. `unexpected` bytes came after the request.
    pub(in crate::server) fn new(
        socket: TcpStream,
        stream: Stream,
        stall_timeout: Duration,
        unexpected: usize,
    ) -> Self {
        let deadline = Deadline::new(Instant::now() + stream.heartbeat());
        Self {
            socket,
            stream,
            waiting: Vec::new(),
            sent: 0,
            stall_timeout,
            deadline,
            unexpected,
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.flush(cx)?.is_pending() {
            return Poll::Pending;
        }
        if self.stream.is_over() {
            SockRef::from(&self.socket).shutdown(std::net::Shutdown::Write)?;
            return Poll::Ready(Ok(()));
        }
        let more =
            SCRATCH.with_borrow_mut(|scratch| self.write_slice(scratch, Stream::gather, cx))?;
        if more {
            // One slice at a time, so that other tasks get their turn. Messages that are published meanwhile go into
            // the next slice.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Writes one chunk of what `gather` returns. Returns whether to call it again at once.
    fn write_slice(
        &mut self,
        scratch: &mut Vec<u8>,
        gather: impl FnOnce(&mut Stream, &mut Vec<u8>, &mut Context<'_>) -> bool,
        cx: &mut Context<'_>,
    ) -> io::Result<bool> {
        scratch.clear();
        scratch.resize(CHUNK_HEAD, 0);
        let mut more = gather(&mut self.stream, scratch, cx);
        let length = scratch.len() - CHUNK_HEAD;
        if length > 0 {
            scratch[..CHUNK_HEAD].copy_from_slice(format_head(length).as_slice());
            scratch.extend_from_slice(b"\r\n");
        } else {
            scratch.clear();
        }
        if self.stream.is_over() {
            scratch.extend_from_slice(LAST_CHUNK);
            more = true;
        }
        if !scratch.is_empty() {
            let now = Instant::now();
            let sent = match self.socket.try_write(scratch) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                sent => sent?,
            };
            if sent < scratch.len() {
                self.waiting.extend_from_slice(&scratch[sent..]);
                self.stream.note_unwritten();
                self.deadline.set(now + self.stall_timeout);
                more = true;
            } else {
                self.deadline.set(now + self.stream.heartbeat());
            }
        }
        scratch.shrink_to(SCRATCH_BYTES);
        Ok(more)
    }

    /// Writes the waiting bytes; pending while the socket takes no more.
    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        while self.sent < self.waiting.len() {
            match self.socket.try_write(&self.waiting[self.sent..]) {
                Ok(sent) => {
                    self.sent += sent;
                    self.deadline.set(Instant::now() + self.stall_timeout);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.socket.poll_write_ready(cx) {
                        Poll::Ready(ready) => ready?,
                        Poll::Pending => return Ok(Poll::Pending),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        if !self.waiting.is_empty() {
            (self.waiting, self.sent) = (Vec::new(), 0);
            // The deadline changes from the stall timeout back to the next heartbeat.
            self.deadline.set(Instant::now() + self.stream.heartbeat());
        }
        Ok(Poll::Ready(()))
    }

    /// Becomes ready with an error when the client has disconnected.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let mut buffer = [0; 1024];
        while let Poll::Ready(ready) = self.socket.poll_read_ready(cx) {
            match ready.and_then(|()| self.socket.try_read(&mut buffer)) {
                Ok(0) => return Poll::Ready(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.unexpected += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(error),
            }
            if self.unexpected > UNEXPECTED_BYTES {
                return Poll::Ready(io::Error::other("the client sent data during a stream"));
            }
        }
        Poll::Pending
    }

    /// Sends a heartbeat when it is due; becomes ready with an error when the client has stalled.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        while self.deadline.poll(cx).is_ready() {
            if !self.waiting.is_empty() {
                self.stream.stalled();
                let error = io::Error::new(io::ErrorKind::TimedOut, "the client takes no bytes");
                return Poll::Ready(error);
            }
            let heartbeat = |stream: &mut Stream, out: &mut Vec<u8>, _: &mut Context<'_>| {
                stream.beat(out);
                false
            };
            match SCRATCH.with_borrow_mut(|scratch| self.write_slice(scratch, heartbeat, cx)) {
                // The waiting bytes need the waker of the socket.
                Ok(true) => cx.waker().wake_by_ref(),
                Ok(false) => {}
                Err(error) => return Poll::Ready(error),
            }
        }
        Poll::Pending
    }
}

impl Future for Writer {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(written) = self.poll_write(cx) {
            return Poll::Ready(written);
        }
        if let Poll::Ready(error) = self.poll_read(cx) {
            return Poll::Ready(Err(error));
        }
        self.poll_deadline(cx).map(Err)
    }
}

fn format_head(length: usize) -> [u8; CHUNK_HEAD] {
    let mut head = *b"00000000\r\n";
    let mut rest = length;
    for digit in head[..8].iter_mut().rev() {
        *digit = b"0123456789abcdef"[rest & 0xf];
        rest >>= 4;
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunks_head_is_its_length_in_hexadecimal() {
        assert_eq!(&format_head(0), b"00000000\r\n");
        assert_eq!(&format_head(0x1_0a2f), b"00010a2f\r\n");
    }
}
