//! The program's standard streams, read and written without loss in any mode.
//!
//! A program that shares a stream with this one may have set `O_NONBLOCK` on it (node does, and leaves it set). Then
//! "would block" is neither an error nor the end: these streams wait until they are ready. They never change the mode,
//! since the other program shares it.

use std::io::{self, ErrorKind, Read, Stderr, Stdin, Stdout, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A stream that waits until it is ready.
#[derive(Debug)]
pub struct Waiting<T>(T);

/// Returns stdin. Reads bypass the standard library's buffer, which nothing else here uses.
#[must_use]
pub fn stdin() -> Waiting<Stdin> {
    Waiting(io::stdin())
}

/// Returns stdout.
#[must_use]
pub fn stdout() -> Waiting<Stdout> {
    Waiting(io::stdout())
}

/// Returns stderr.
#[must_use]
pub fn stderr() -> Waiting<Stderr> {
    Waiting(io::stderr())
}

impl<T: AsFd> Waiting<T> {
    /// Wraps a stream, or anything with a file descriptor.
    pub fn new(stream: T) -> Self {
        Self(stream)
    }

    /// Waits until there is something to read, or an end; returns false if `until` comes first.
    ///
    /// # Errors
    /// If the system reports an error.
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

/// Waits until a stream is ready, or has an error, which the next call on it returns.
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
