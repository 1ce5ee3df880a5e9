//! A recording in a stream's place: the same updates, as far apart as they were or faster.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
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
use super::record::{LineReader, is_special};
use crate::client::subscribe::{FeedError, Received, Update};
use crate::duration;
use crate::file_error;
use crate::message::{DEFAULT_EVENT, Message};

/// A line beyond this is no record.
const LINE_MAX: usize = 64 << 20;
/// The longest pause that is kept.
const PAUSE_MAX: Duration = Duration::from_hours(24 * 365);

/// So many lines at its beginning are looked at for a time.
const FIRST: usize = 16;
/// Where the newest line of a file is looked for: among so many bytes at its end.
const TAIL: u64 = 1 << 20;

/// What is told of a recording while it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Recording {
    /// How fast it is shown.
    pub speed: Speed,
    /// How long what it shows took, if that is known before it is shown.
    pub length: Option<Duration>,
}

/// How many times as fast as it happened a recording is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

impl Speed {
    /// As it happened.
    pub const ORIGINAL: Self = Self(1.0);
}

impl FromStr for Speed {
    type Err = String;

    /// A number above 0, as in `10`, `10x` or `0.5`, or `max` for no pauses at all.
    fn from_str(text: &str) -> Result<Self, String> {
        const FASTEST: f64 = 1e6;
        match text.trim_end_matches(['x', '×']).parse() {
            _ if text == "max" => Ok(Self(f64::INFINITY)),
            Ok(times) if times > 0.0 && times <= FASTEST => Ok(Self(times)),
            _ => Err(format!("must be a number above 0, up to {FASTEST}, or max")),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_finite() {
            write!(f, "{}×", self.0)
        } else {
            f.write_str("max")
        }
    }
}

/// The updates of a recording. Says in the end that it ends there.
#[derive(Debug)]
pub struct Replay {
    path: PathBuf,
    lines: Lines,
    reader: LineReader,
    /// How many lines were read.
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
        Ok(Self {
            path: path.to_owned(),
            lines: Lines::open(path)?,
            reader: LineReader::default(),
            read: 0,
            speed,
            clock: Clock::of_recording(speed.0),
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

    /// What is to be told of it.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn recording(&self) -> io::Result<Recording> {
        let length = match &self.lines {
            Lines::Regular(_) => length(&self.path)?,
            Lines::Special { .. } => None,
        };
        let speed = self.speed;
        Ok(Recording { speed, length })
    }

    /// The update that the next line tells and when it happened, or what says that there is none.
    fn read(&mut self, line: io::Result<Vec<u8>>) -> Result<(Duration, Update), FeedError> {
        let path = self.path.display();
        let line = line.map_err(|error| {
            let reason = file_error::reason(&error);
            FeedError::Recording(format!("cannot read the recording {path}: {reason}"))
        })?;
        let is_whole = line.ends_with(b"\n");
        if line.is_empty() {
            return Ok(self.end("the recording ends here"));
        }
        self.read += 1;
        let text = str::from_utf8(&line).ok();
        // An editor may have put a byte order mark before it.
        let text = text.map(|it| it.strip_prefix('\u{feff}').unwrap_or(it));
        let entry = text.and_then(|it| self.reader.read(it));
        match entry {
            Some(entry) => Ok(entry),
            // The watch that wrote it was killed.
            None if !is_whole && line.len() < LINE_MAX && self.read > 1 => {
                let text = format!(
                    "the recording is cut off in the middle of line {}",
                    self.read
                );
                Ok(self.end(&text))
            }
            None => Err(FeedError::Recording(format!(
                "line {} of {path} is no message and not of a recording; one is made with --record",
                self.read
            ))),
        }
    }

    fn end(&mut self, text: &str) -> (Duration, Update) {
        self.is_over = true;
        let text = format!("{text}, {} after its start", duration::in_seconds(self.at));
        let ends = Received {
            id: String::new(),
            event: DEFAULT_EVENT.into(),
            time: None,
            message: Message::system(None, text),
            foreign: None,
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

/// When the last line of a file happened.
fn length(path: &Path) -> io::Result<Option<Duration>> {
    let mut reader = LineReader::default();
    let mut file = BufReader::new(File::open(path)?);
    let mut at = |line: &[u8]| Some(reader.read(str::from_utf8(line).ok()?)?.0);
    // Where lines have no time of their own, they are as late after the first ones as the server took them.
    for _ in 0..FIRST {
        at(&read_line(&mut file)?);
    }
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(end.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let newest = tail.split(|it| *it == b'\n').rev().find_map(at);
    Ok(newest)
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
                self.clock.stop();
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
