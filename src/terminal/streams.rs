//! The three streams that we are started with, read and written without loss whatever mode they are in.
//!
//! Whoever shares a stream with us may have set `O_NONBLOCK` on it (node does, and leaves it so). Then "not
//! now" is no error and no end: we wait until the stream is ready, as the system would have done for us. The
//! mode is never changed, since it is theirs too.

use std::io::{self, ErrorKind, Read, Stderr, Stdin, Stdout, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A stream that waits until it is ready.
#[derive(Debug)]
pub struct Waiting<T>(T);

/// Our stdin. Reads past the buffer of the standard library, which nobody else uses here.
#[must_use]
pub fn stdin() -> Waiting<Stdin> {
    Waiting(io::stdin())
}

/// Our stdout.
#[must_use]
pub fn stdout() -> Waiting<Stdout> {
    Waiting(io::stdout())
}

/// Our stderr.
#[must_use]
pub fn stderr() -> Waiting<Stderr> {
    Waiting(io::stderr())
}

impl<T: AsFd> Waiting<T> {
    /// A stream, or what else has a file descriptor.
    pub fn new(stream: T) -> Self {
        Self(stream)
    }

    /// Waits until there is something to read, or an end; false if `until` comes first.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub fn is_readable(&self, until: Option<Instant>) -> io::Result<bool> {
        wait(&self.0, PollFlags::IN, until)
    }
}

impl Read for Waiting<Stdin> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(&self.0, &mut *bytes) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => _ = wait(&self.0, PollFlags::IN, None)?,
                read => return Ok(read?),
            }
        }
    }
}

impl<T: Write + AsFd> Write for Waiting<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait(&self.0, PollFlags::OUT, None)?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        loop {
            match self.0.flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait(&self.0, PollFlags::OUT, None)?;
                }
                flushed => return flushed,
            }
        }
    }
}

/// Waits until a stream is ready, or broken, which the next call on it tells.
fn wait(stream: &impl AsFd, what: PollFlags, until: Option<Instant>) -> io::Result<bool> {
    loop {
        let left = until.map(|it| it.saturating_duration_since(Instant::now()));
        let left = left.map(timespec);
        match poll(&mut [PollFd::new(stream, what)], left.as_ref()) {
            Err(Errno::INTR) => {}
            Ok(ready) => return Ok(ready > 0),
            Err(error) => return Err(error.into()),
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}
