//! The pane's model: everything that it shows.
//!
//! Pure: no clock, no terminal, no files and no network. Events come in through [`update`](super::update::update),
//! with the time since the watch began; effects come out. The pane is drawn from this alone.

pub mod connection;
pub mod detail;
pub mod export;
pub mod filter;
mod incoming;
pub mod layout;
pub mod navigation;
mod options;
pub mod prompt;
pub mod query;
pub mod records;
pub mod search;
pub mod timestamps;
pub mod viewport;
pub mod wrap;

use std::collections::{BTreeSet, VecDeque};
use std::ops::RangeBounds;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

pub use options::{PaneOptions, Watched, WatchedStream};

use crate::message::Level;
use crate::watch::model::{Model, Verdict};
use crate::watch::operations::{OperationState, Operations};
use crate::watch::pane::keys::{Action, TABLE};

use connection::Connection;
use detail::Detail;
use filter::Filter;
use prompt::Prompt;
use records::{Id, Record, RecordKind, Records};
use search::Search;
use timestamps::Times;
use viewport::{Anchor, Geometry, Row};
use wrap::Layouts;

/// Upper bound of the marks.
pub const MARKS_MAX: usize = 1000;

/// Which part of the screen receives key presses.
#[derive(Debug)]
pub enum Mode {
    /// The messages.
    Messages,
    /// A line being typed.
    Prompt(Prompt),
    /// The list of keys, from this line on.
    Help(usize),
    /// One message.
    Detail(Box<Detail>),
    /// The question whether to ask publishers to cancel: this operation, or everything.
    AskCancel(Option<String>),
    /// The question whether to quit although others use the server in this watch.
    AskQuit(Leave),
}

/// Other users of the server in this watch; none if there is no such server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Watchers, of this client or of others.
    pub watchers: usize,
    /// How many of them watch this client.
    pub here: usize,
    /// Publishers that listen for control requests.
    pub publishers: usize,
}

/// Why the pane closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The user quits.
    Quit,
    /// The user quits, and the last screen stays printed.
    Printing,
    /// The user quits, without a question.
    Now,
    /// The model reached a verdict.
    Over(Verdict),
}

/// New messages below the page while not following.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Messages that pass the filter.
    pub new: u64,
    /// How many of them are errors.
    pub errors: u64,
}

/// The pane's model.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub struct Screen {
    pub(in crate::watch) options: PaneOptions,
    /// Whether the time when a recording began is known.
    knows_begin: bool,
    pub(in crate::watch) model: Model,
    pub(in crate::watch) connection: Connection,
    pub(in crate::watch) records: Records,
    /// The records that pass the filter, in order.
    pub(in crate::watch) shown: VecDeque<Id>,
    /// How many publishers' messages are kept, and how many of them are shown.
    pub(in crate::watch) kept: u64,
    pub(in crate::watch) passing: u64,
    pub(in crate::watch) dropped: u64,
    /// How many errors came, and the lowest level of all messages.
    pub(in crate::watch) errors: u64,
    pub(in crate::watch) lowest: Option<Level>,
    /// Length of the longest label in the place of an operation's name, in characters.
    longest_label: usize,
    /// How many gaps of unknown size there were.
    pub(in crate::watch) uncounted_gaps: u64,
    pub(in crate::watch) filter: Filter,
    pub(in crate::watch) search: Search,
    layouts: Layouts,
    /// The place in focus; `None` while following.
    pub(in crate::watch) anchor: Option<Anchor>,
    pub(in crate::watch) behind: Behind,
    pub(in crate::watch) marks: BTreeSet<Id>,
    pub(in crate::watch) times: Times,
    pub(in crate::watch) wraps: bool,
    pub(in crate::watch) sideways: usize,
    pub(in crate::watch) mode: Mode,
    /// Other users of the server in this watch.
    pub(in crate::watch) others: Others,
    /// What the last key did; shown until the next key.
    pub(in crate::watch) notice: Option<String>,
    /// Whether publishers were asked for debug detail.
    pub(in crate::watch) wants_debug: bool,
    pub(in crate::watch) mouse: bool,
    pub(in crate::watch) width: u16,
    pub(in crate::watch) height: u16,
}

impl Screen {
    /// Creates the screen of a stream from which nothing has come.
    #[must_use]
    pub fn new(options: PaneOptions, model: Model, width: u16, height: u16) -> Self {
        Self {
            options,
            knows_begin: false,
            model,
            connection: Connection::default(),
            records: Records::default(),
            shown: VecDeque::new(),
            kept: 0,
            passing: 0,
            dropped: 0,
            errors: 0,
            lowest: None,
            longest_label: 0,
            uncounted_gaps: 0,
            filter: Filter::default(),
            search: Search::default(),
            layouts: Layouts::default(),
            anchor: None,
            behind: Behind::default(),
            marks: BTreeSet::new(),
            times: Times::Clock,
            wraps: true,
            sideways: 0,
            mode: Mode::Messages,
            others: Others::default(),
            notice: None,
            wants_debug: false,
            mouse: false,
            width: width.max(1),
            height: height.max(1),
        }
    }

    /// Sets the other users of the server in this watch.
    pub fn set_others(&mut self, others: Others) {
        self.others = others;
    }

    /// Returns its columns and rows.
    #[must_use]
    pub fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    /// Recomputes which records are shown, after a change of the filter. A key press waits for it, so it uses two
    /// threads: a regular expression takes 34 ms for a full list on one.
    pub(in crate::watch) fn refilter(&mut self) {
        let records = &self.records;
        let middle = records.first().midpoint(records.end());
        // Each has its own copy of the filter: a shared regular expression is slower.
        let (older_filter, newer_filter) = (self.filter.clone(), &self.filter);
        let (older, newer) = thread::scope(|scope| {
            let older = scope.spawn(move || passing(records, ..middle, &older_filter));
            let newer = passing(records, middle.., newer_filter);
            let older = older.join();
            (older.unwrap_or_else(|panic| resume_unwind(panic)), newer)
        });
        self.shown.clear();
        self.passing = 0;
        for (id, kind) in older.into_iter().chain(newer) {
            self.shown.push_back(id);
            self.passing += u64::from(kind == RecordKind::Message);
        }
        self.find_hits();
    }

    /// Recomputes the hits, after a change of the pattern or of what is shown.
    pub(in crate::watch) fn find_hits(&mut self) {
        let records = &self.records;
        let shown = self.shown.iter();
        self.search
            .find(shown.filter_map(|id| Some((*id, records.get(*id)?))));
    }

    /// Follows the stream.
    pub(in crate::watch) fn follow(&mut self) {
        self.anchor = None;
        self.behind = Behind::default();
    }

    /// Returns whether an action applies to what is watched.
    #[must_use]
    pub fn can(&self, action: Action) -> bool {
        let target = &self.options.target;
        let stream = target.stream.as_ref();
        match action {
            Action::Detail | Action::Cancel => target.id.is_some() && self.connection.is_codechat,
            Action::Reconnect => !self.is_recording() && stream.is_none_or(|it| it.may_repeat),
            Action::CopyId => target.id.is_some() || stream.is_some(),
            Action::CopyCurl => !target.request.is_empty(),
            Action::CopyPage => target.page.is_some() && self.connection.is_codechat,
            _ => true,
        }
    }

    /// Returns the lines of the list of keys: the names of the keys that apply, and what they do.
    pub fn help(&self) -> impl Iterator<Item = (String, &'static str)> {
        TABLE.iter().filter_map(|line| {
            let label = line.label_of(|action| self.can(action));
            let copies_id = line.keys.iter().any(|(_, it)| *it == Action::CopyId);
            let does = match self.options.target.stream {
                Some(_) if copies_id => "copy the last event ID, for --last-event-id",
                _ => line.does,
            };
            label.map(|it| (it, does))
        })
    }

    /// Returns whether this is a recording, which takes no requests and no messages.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.options.recording.is_some()
    }

    /// Returns whether new messages are shown as they come.
    #[must_use]
    pub fn is_following(&self) -> bool {
        self.anchor.is_none()
    }

    /// Returns whether no publisher's message has come yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.model.received() == 0 && self.model.lost() == 0
    }

    /// Returns why the stream can no longer be read, if it cannot.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match &self.connection.state {
            connection::ConnectionState::Failed(reason) => Some(reason),
            _ => None,
        }
    }

    /// Returns the model that it shares with pipe mode.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Returns the rows on screen.
    #[must_use]
    pub fn page(&self) -> Vec<Row> {
        self.geometry().page(self.anchor)
    }

    /// Returns the record in focus.
    pub(in crate::watch) fn focus(&self) -> Option<(Id, &Record)> {
        let id = self.geometry().focus(self.anchor)?;
        Some((id, self.records.get(id)?))
    }

    pub(in crate::watch) fn geometry(&self) -> Geometry<'_> {
        let text = usize::from(self.columns().text);
        Geometry {
            records: &self.records,
            shown: &self.shown,
            layouts: &self.layouts,
            width: self.wraps.then_some(text),
            height: usize::from(self.parts().body),
        }
    }

    /// Returns the operations to show: those that run, or else the one that ended last.
    pub fn operations(&self) -> impl Iterator<Item = &OperationState> {
        let last = self.all_operations().max_by_key(|it| it.ended_at());
        let last = last.filter(|_| self.running().next().is_none());
        self.running().chain(last)
    }

    /// Returns the operations that have not ended.
    pub(in crate::watch) fn running(&self) -> impl Iterator<Item = &OperationState> {
        self.model
            .operations()
            .into_iter()
            .flat_map(Operations::running)
    }

    pub(in crate::watch) fn all_operations(
        &self,
    ) -> impl DoubleEndedIterator<Item = &OperationState> {
        self.model
            .operations()
            .into_iter()
            .flat_map(Operations::all)
    }

    /// Returns how long until something on screen changes with time alone; `None` if nothing does.
    #[must_use]
    pub fn wake(&self, now: Duration) -> Option<Duration> {
        let second = timestamps::until_next_second(now);
        let runs = self.running().next().is_some();
        let counts = (runs || self.is_recording()) && self.connection.is_open();
        let wake = self.connection.wake(now);
        if counts {
            Some(wake.map_or(second, |it| it.min(second)))
        } else {
            wake
        }
    }
}

/// Returns the records with these numbers that pass a filter.
fn passing(
    records: &Records,
    part: impl RangeBounds<Id>,
    filter: &Filter,
) -> Vec<(Id, RecordKind)> {
    let records = records.iter().filter(|(id, _)| part.contains(id));
    let passing = records.filter(|(_, record)| filter.passes(record));
    passing.map(|(id, record)| (id, record.kind)).collect()
}
