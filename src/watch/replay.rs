//! Plays a recording: the same updates, with their original pauses or faster.

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

/// Longest line of a recording, in bytes.
const LINE_MAX: usize = 64 << 20;
/// Longest pause that is kept.
const PAUSE_MAX: Duration = Duration::from_hours(24 * 365);

/// How many lines at the beginning are searched for a time.
const FIRST: usize = 16;
/// How much of a file's end is searched for its newest line, in bytes.
const TAIL: u64 = 1 << 20;

/// What the pane shows about a recording.
#[derive(Clone, Copy, Debug)]
pub struct Recording {
    /// Playback speed.
    pub speed: Speed,
    /// Its length, if known in advance.
    pub length: Option<Duration>,
}

/// Playback speed: a factor to the original's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

impl Speed {
    /// The original speed.
    pub const ORIGINAL: Self = Self(1.0);
}

impl FromStr for Speed {
    type Err = String;

    /// Parses a number above 0, as in `10`, `10x` or `0.5`, or `max` for no pauses.
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

/// The updates of a recording. The last one is a note that the recording ends.
#[derive(Debug)]
pub struct Replay {
    path: PathBuf,
    lines: Lines,
    reader: LineReader,
    /// How many lines have been read.
    read: u64,
    speed: Speed,
    clock: Clock,
    begin: Instant,
    /// The next update and its time; `None` if it is still to be read.
    next: Option<(Duration, Update)>,
    wait: Pin<Box<Sleep>>,
    /// The time of the last update.
    at: Duration,
    is_over: bool,
}

impl Replay {
    /// Opens a recording.
    ///
    /// # Errors
    /// If it cannot be opened.
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

    /// Returns the recording's clock, which gives its original figures.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Returns what the pane shows about it.
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

    /// Parses a line. Returns its update and time, or the note that there are no more.
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
        // An editor may have added a byte order mark.
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
                "line {} of {path} is not a message and not a line of a recording; --record makes recordings",
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

/// The source of a recording's lines.
#[derive(Debug)]
enum Lines {
    /// A regular file, which never blocks.
    Regular(BufReader<File>),
    /// A pipe, which blocks until its writer writes: it is read on a thread of its own.
    Special {
        path: PathBuf,
        file: Option<BufReader<File>>,
        reading: Option<JoinHandle<io::Result<LineRead>>>,
    },
}

/// A line, and the file for the next one.
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

    /// Polls the next line with its end, cut at [`LINE_MAX`]; empty at the end of the file.
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

/// Returns the time of a file's last line.
fn length(path: &Path) -> io::Result<Option<Duration>> {
    let mut reader = LineReader::default();
    let mut file = BufReader::new(File::open(path)?);
    let mut at = |line: &[u8]| Some(reader.read(str::from_utf8(line).ok()?)?.0);
    // If lines have no time of their own, their times count from the first one's.
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
