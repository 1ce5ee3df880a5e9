//! A recording: what a watch has seen, and when, as NDJSON.
//!
//! Each line is in the file before what it tells is shown: a watch that is killed loses at most the line
//! it was writing.

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

/// Updates that are written to a file as they pass.
#[derive(Debug)]
pub struct Recorded<S> {
    updates: S,
    clock: Clock,
    path: PathBuf,
    /// Open from the first update on: a stream that cannot be had leaves no file.
    file: Option<File>,
    /// The update that is being written, and its writing; none of a regular file, which is written at once.
    writing: Option<(Update, JoinHandle<io::Result<File>>)>,
}

impl<S> Recorded<S> {
    /// Writes `updates` to a file that is not there yet.
    pub fn new(updates: S, clock: Clock, path: PathBuf) -> Self {
        Self {
            updates,
            clock,
            path,
            file: None,
            writing: None,
        }
    }

    /// Begins to write an update, which is handed on once it is written.
    fn write(&mut self, update: Update) -> io::Result<Option<Update>> {
        let mut line = line::of(&update, self.clock.now());
        line.push(b'\n');
        if is_special(&self.path) {
            // A pipe makes us wait for its reader, which others must not wait for.
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

    /// The update that was being written, once it is.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Update>>> {
        let Some((_, writing)) = &mut self.writing else {
            return Poll::Ready(Ok(None));
        };
        let file = ready!(writing.poll_unpin(cx));
        let update = self.writing.take().map(|(update, _)| update);
        self.file = Some(file.map_err(io::Error::other).flatten()?);
        Poll::Ready(Ok(update))
    }

    /// What an update comes to that could not be written.
    fn failed(&self, error: &io::Error) -> FeedError {
        let path = self.path.display();
        FeedError::Recording(match error.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "{path} is there already, and no recording is overwritten; remove it, or name another file"
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

/// Whether a path leads to a pipe or a device: it holds nothing that could be lost, and can make us wait.
pub(super) fn is_special(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|it| !it.is_file() && !it.is_dir())
}
