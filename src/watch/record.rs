//! A recording: the updates of a watch and their times, as NDJSON.
//!
//! Each line is written before its update is shown: a watch that is killed loses at most the line it was writing.

mod line;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{FutureExt, Stream, StreamExt};
use tokio::task;
use tokio::task::JoinHandle;

pub(super) use line::LineReader;

use super::clock::Clock;
use super::private_file;
use crate::client::subscribe::{FeedError, Update};
use crate::file_error;

/// A stream of updates that also writes them to a file.
#[derive(Debug)]
pub struct Recorded<S> {
    updates: S,
    clock: Clock,
    path: PathBuf,
    /// Opened at the first update, so that a stream that fails leaves no file.
    file: Option<File>,
    /// The update being written and the task that writes it; `None` for a regular file, which is written at once.
    writing: Option<(Update, JoinHandle<io::Result<File>>)>,
}

impl<S> Recorded<S> {
    /// Writes `updates` to a new file.
    pub fn new(updates: S, clock: Clock, path: PathBuf) -> Self {
        Self {
            updates,
            clock,
            path,
            file: None,
            writing: None,
        }
    }

    /// Begins to write an update. Returns it if it is written already.
    fn write(&mut self, update: Update) -> io::Result<Option<Update>> {
        let mut line = line::of(&update, self.clock.now());
        line.push(b'\n');
        if is_special(&self.path) {
            // Opening or writing a pipe waits for its reader, which must not hold up anything else.
            let (file, path) = (self.file.take(), self.path.clone());
            let write = move || {
                let mut file = match file {
                    Some(file) => file,
                    None => File::options().write(true).open(path)?,
                };
                file.write_all(&line)?;
                Ok(file)
            };
            self.writing = Some((update, task::spawn_blocking(write)));
            return Ok(None);
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(private_file::create_new(&self.path)?),
        };
        file.write_all(&line)?;
        Ok(Some(update))
    }

    /// Polls the write in progress; returns its update when it is done.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Update>>> {
        let Some((_, writing)) = &mut self.writing else {
            return Poll::Ready(Ok(None));
        };
        let file = ready!(writing.poll_unpin(cx));
        let update = self.writing.take().map(|(update, _)| update);
        self.file = Some(file.map_err(io::Error::other).flatten()?);
        Poll::Ready(Ok(update))
    }

    /// Returns the error for an update that could not be written.
    fn failed(&self, error: &io::Error) -> FeedError {
        let path = self.path.display();
        FeedError::Recording(match error.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "{path} exists, and recordings are not overwritten; remove it, or name another file"
            ),
            _ => format!(
                "cannot write the recording {path}: {}",
                file_error::reason(error)
            ),
        })
    }
}

impl<S: Stream<Item = Result<Update, FeedError>> + Unpin> Stream for Recorded<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        loop {
            let written = ready!(self.poll_written(cx));
            let written = match written {
                Ok(None) => match ready!(self.updates.poll_next_unpin(cx)) {
                    Some(Ok(update)) => self.write(update),
                    end => return Poll::Ready(end),
                },
                written => written,
            };
            match written {
                Ok(Some(update)) => return Poll::Ready(Some(Ok(update))),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(self.failed(&error)))),
            }
        }
    }
}

/// Returns whether a path names a pipe or a device: writing it destroys nothing, but may block.
pub(super) fn is_special(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|it| !it.is_file() && !it.is_dir())
}
