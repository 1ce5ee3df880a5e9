//! Plain events, which go past the parser.
//!
//! `eventsource-client` reads a stream byte by byte and copies each line several times: 7,500 of the 13,300 instructions
//! that a watch took for an event. Here it is a tenth of that. Nearly all events are *plain*: complete in the bytes that
//! were read, with an `id`, an `event` and one `data` line, each at most once. The repair sees all lines anyway, so it
//! takes runs of plain events out of the stream and queues them in [`Runs`]. The parser gets a comment, [`MARK`], in place
//! of each run, and passes it on in order; its reader then takes the next run. All other events go through the parser,
//! including those named `end`, because they end the stream before the runs are read. The result is the same either way.
//!
//! ```text
//! bytes -> repair -> lines and marks -> parser -> events and marks -> reader -> events, in order
//!             \-> plain events ------------> Runs ---------------------^
//! ```
//!
//! A run is the text that was read and the positions of its events. An event's text is only copied when it is read.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::vec;

use memchr::memchr;

use super::line::value;
use crate::wire::sse::END;

/// The comment that stands for the next run. A server cannot forge it, because the repair empties its comments.
pub(crate) const MARK: &str = "run";
/// The name of an event without a name (WHATWG HTML 9.2.6).
const NAMELESS: &str = "message";

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// The last event ID at this event.
    pub(crate) id: Cow<'a, str>,
    pub(crate) name: Cow<'a, str>,
    /// The lines of its data, joined by LF.
    pub(crate) data: Cow<'a, str>,
}

/// The positions of a plain event's values.
#[derive(Debug)]
struct Values {
    id: Option<Range<usize>>,
    name: Option<Range<usize>>,
    data: Range<usize>,
}

/// Consecutive plain events.
#[derive(Debug, Default)]
pub(crate) struct Run {
    text: Arc<String>,
    events: vec::IntoIter<Values>,
    /// The last event ID before the run, and the position of the one that the run has set.
    inherited: String,
    id: Option<Range<usize>>,
}

impl Run {
    /// Returns the run of plain events that begins at `start`, and the position after it. An event must begin there, and
    /// `text` must have no CR and no NUL, which is invalid in an ID.
    pub(super) fn at(text: &Arc<String>, start: usize, last_id: &str) -> Option<(Self, usize)> {
        /// Usual length of an event in a long run, in bytes.
        const TYPICAL: usize = 128;
        let (first, mut end) = event(text.as_bytes(), start)?;
        let mut events = Vec::with_capacity(1 + (text.len() - end) / TYPICAL);
        events.push(first);
        while let Some((next, behind)) = event(text.as_bytes(), end) {
            events.push(next);
            end = behind;
        }
        let run = Self {
            text: Arc::clone(text),
            events: events.into_iter(),
            inherited: last_id.into(),
            id: None,
        };
        Some((run, end))
    }

    /// Returns the last event ID that the run sets.
    pub(super) fn last_id(&self) -> Option<&str> {
        let mut newest_first = self.events.as_slice().iter().rev();
        let id = newest_first.find_map(|it| it.id.clone())?;
        Some(&self.text[id])
    }

    /// Returns how many bytes it holds.
    pub(crate) fn size(&self) -> usize {
        self.text.len()
    }

    /// Returns the next event.
    pub(crate) fn next(&mut self) -> Option<Event<'_>> {
        let values = self.events.next()?;
        self.id = values.id.or(self.id.take());
        let text = |range: &Range<usize>| &self.text[range.clone()];
        Some(Event {
            id: self.id.as_ref().map_or(&*self.inherited, text).into(),
            name: values.name.as_ref().map_or(NAMELESS, text).into(),
            data: text(&values.data).into(),
        })
    }
}

/// Returns the plain event that begins at `start`, and the position after it.
fn event(text: &[u8], start: usize) -> Option<(Values, usize)> {
    let (mut id, mut name, mut data) = (None, None, None);
    let mut at = start;
    loop {
        let first = *text.get(at)?;
        if first == b'\n' {
            let data = data?;
            let is_end = |name: &Range<usize>| &text[name.clone()] == END.as_bytes();
            if name.as_ref().is_some_and(is_end) {
                return None;
            }
            return Some((Values { id, name, data }, at + 1));
        }
        let end = at + memchr(b'\n', &text[at..])?;
        let line = &text[at..end];
        let (field, value) = match first {
            b'd' => (&mut data, value(line, b"data")?),
            // An empty name means the default one.
            b'e' => (
                &mut name,
                value(line, b"event").filter(|it| *it < line.len())?,
            ),
            b'i' => (&mut id, value(line, b"id")?),
            _ => return None,
        };
        if field.replace(at + value..end).is_some() {
            return None;
        }
        at = end + 1;
    }
}

/// The queued runs of a stream, shared by the transport and the feed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(
    /// Never locked across an await.
    Arc<Mutex<VecDeque<Run>>>,
);

impl Runs {
    /// Queues a run.
    pub(super) fn push(&self, run: Run) {
        self.queue(|it| it.push_back(run));
    }

    /// Takes the run that the next mark stands for.
    pub(crate) fn pop(&self) -> Option<Run> {
        self.queue(VecDeque::pop_front)
    }

    /// Drops the runs of an earlier connection.
    pub(crate) fn clear(&self) {
        self.queue(VecDeque::clear);
    }

    fn queue<T>(&self, work: impl FnOnce(&mut VecDeque<Run>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the events of the run at the start of `text`, and the rest of the text.
    fn run(text: &'static str) -> (Vec<String>, &'static str) {
        let Some((mut run, end)) = Run::at(&Arc::new(text.into()), 0, "seed") else {
            return (Vec::new(), text);
        };
        let mut events = Vec::new();
        while let Some(Event { id, name, data }) = run.next() {
            events.push(format!("{id}|{name}|{data}"));
        }
        (events, &text[end..])
    }

    #[test]
    fn a_run_ends_before_an_event_that_is_not_plain() {
        let (events, rest) = run(
            "data: a\n\nid:1\nevent: x\ndata\n\ndata:b\nid\n\nevent: y\ndata:  c\n\ndata: d\ndata: e\n\n",
        );
        assert_eq!(events, ["seed|message|a", "1|x|", "|message|b", "|y| c"]);
        assert_eq!(rest, "data: d\ndata: e\n\n");
    }

    #[test]
    fn an_event_with_other_lines_or_without_an_end_is_not_plain() {
        for text in [
            "data: a\n",
            "data: a",
            "\n",
            ":\n\n",
            "id: 1\n\n",
            "data: a\ndata: b\n\n",
            "event: a\nevent: b\ndata: c\n\n",
            "event:\ndata: a\n\n",
            "retry: 1\ndata: a\n\n",
            "data: a\n: comment\n\n",
            "dat: a\ndata: b\n\n",
            "event: end\ndata: a\n\n",
        ] {
            assert_eq!(run(text), (Vec::new(), text));
        }
    }
}
