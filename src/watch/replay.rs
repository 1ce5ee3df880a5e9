//! A recording in a stream's place: the same updates, as far apart as they were or faster.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{FutureExt, Stream};
use tokio::task;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};

use super::clock::Clock;
use super::record::{self, is_special};
use crate::client::subscribe::{FeedError, Received, Update};
use crate::message::{DEFAULT_EVENT, Message};
use crate::terminal::stderr;

/// A line beyond this is no record.
const LINE_MAX: usize = 64 << 20;
/// The longest pause that is kept.
const PAUSE_MAX: Duration = Duration::from_hours(24 * 365);

/// How many times as fast as it happened a recording is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

impl Speed {
    /// As it happened.
    pub const ORIGINAL: Self = Self(1.0);
}

impl FromStr for Speed {
    type Err = String;

    /// A number above 0, or `max` for no pauses at all.
    fn from_str(text: &str) -> Result<Self, String> {
        const FASTEST: f64 = 1e6;
        match text.parse() {
            _ if text == "max" => Ok(Self(f64::INFINITY)),
            Ok(times) if times > 0.0 && times <= FASTEST => Ok(Self(times)),
            _ => Err(format!("must be a number above 0, up to {FASTEST}, or max")),
        }
    }
}

/// The updates of a recording. Says in the end that it ends there.
#[derive(Debug)]
pub struct Replay {
    path: PathBuf,
    lines: Lines,
    /// How many of them were read.
    read: u64,
    speed: Speed,
    clock: Clock,
    begin: Instant,
    /// What is told next, and when it happened; `None` where it is still to be read.
    next: Option<(Duration, Update)>,
    wait: Pin<Box<Sleep>>,
    /// When the last update happened.
    at: Duration,
    is_over: bool,
}

impl Replay {
    /// Begins to show a recording.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(path: &Path, speed: Speed) -> io::Result<Self> {
        let begin = Instant::now();
        let is_paced = speed.0.is_finite();
        Ok(Self {
            path: path.to_owned(),
            lines: Lines::open(path)?,
            read: 0,
            speed,
            clock: if is_paced {
                Clock::running(speed.0)
            } else {
                Clock::standing()
            },
            begin,
            next: None,
            wait: Box::pin(sleep_until(begin)),
            at: Duration::ZERO,
            is_over: false,
        })
    }

    /// The recording's time, by which its figures are the ones that they were.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The update that the next line tells and when it happened, or what says that there is none.
    fn read(&mut self, line: io::Result<Vec<u8>>) -> Result<(Duration, Update), FeedError> {
        let path = self.path.display();
        let line = line.map_err(|error| FeedError::Recording(format!("read {path}: {error}")))?;
        let is_whole = line.ends_with(b"\n");
        if line.is_empty() {
            return Ok(self.end("the recording ends here"));
        }
        self.read += 1;
        let text = str::from_utf8(&line).ok();
        // An editor may have put a byte order mark before it.
        let text = text.map(|it| it.strip_prefix('\u{feff}').unwrap_or(it));
        let entry = text.and_then(record::read);
        match entry {
            Some(entry) => Ok(entry),
            // The watch that wrote it was killed.
            None if !is_whole && line.len() < LINE_MAX => {
                let text = format!(
                    "the recording is cut off in the middle of line {}",
                    self.read
                );
                Ok(self.end(&text))
            }
            None => Err(FeedError::Recording(format!(
                "line {} of {path} is not of a recording; one is made with --record",
                self.read
            ))),
        }
    }

    fn end(&mut self, text: &str) -> (Duration, Update) {
        self.is_over = true;
        let text = format!("{text}, {} after its start", stderr::duration(self.at));
        let ends = Received {
            id: String::new(),
            event: DEFAULT_EVENT.into(),
            time: None,
            message: Message::system(None, text),
        };
        (self.at, Update::Message(Box::new(ends)))
    }
}

/// The lines of a recording.
#[derive(Debug)]
enum Lines {
    /// Those of a regular file, which are there.
    Regular(BufReader<File>),
    /// Those of a pipe, which makes us wait for its writer: they are read on a thread of their own.
    Special {
        path: PathBuf,
        file: Option<BufReader<File>>,
        reading: Option<JoinHandle<io::Result<LineRead>>>,
    },
}

/// A line that was read, and where the next one comes from.
type LineRead = (Vec<u8>, BufReader<File>);

impl Lines {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(if is_special(path) {
            Self::Special {
                path: path.to_owned(),
                file: None,
                reading: None,
            }
        } else {
            Self::Regular(BufReader::new(File::open(path)?))
        })
    }

    /// The next line with its end, cut at [`LINE_MAX`]; empty at the file's end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        let (path, file, reading) = match self {
            Self::Regular(file) => return Poll::Ready(read_line(file)),
            Self::Special {
                path,
                file,
                reading,
            } => (path, file, reading),
        };
        let read = ready!(
            reading
                .get_or_insert_with(|| {
                    let (file, path) = (file.take(), path.clone());
                    task::spawn_blocking(move || {
                        let file = file.map_or_else(|| File::open(path).map(BufReader::new), Ok);
                        let mut file = file?;
                        let line = read_line(&mut file)?;
                        Ok((line, file))
                    })
                })
                .poll_unpin(cx)
        );
        *reading = None;
        let (line, opened) = read.map_err(io::Error::other).flatten()?;
        *file = Some(opened);
        Poll::Ready(Ok(line))
    }
}

fn read_line(file: &mut BufReader<File>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    file.take(LINE_MAX as u64).read_until(b'\n', &mut line)?;
    Ok(line)
}

impl Stream for Replay {
    type Item = Result<Update, FeedError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.next.is_none() {
            if self.is_over {
                return Poll::Ready(None);
            }
            let line = ready!(self.lines.poll_next(cx));
            match self.read(line) {
                Ok((at, update)) => {
                    let pause = Duration::try_from_secs_f64(at.as_secs_f64() / self.speed.0);
                    let due = self.begin + pause.unwrap_or(PAUSE_MAX).min(PAUSE_MAX);
                    self.wait.as_mut().reset(due);
                    self.next = Some((at, update));
                }
                Err(error) => {
                    self.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        ready!(self.wait.as_mut().poll(cx));
        let next = self.next.take().map(|(at, update)| {
            self.at = at;
            self.clock.set(at);
            Ok(update)
        });
        Poll::Ready(next)
    }
}
