//! What the pane shows, and how it came to look so: the interactive model.
//!
//! Pure: no clock, no terminal, no files and no network. Whatever happens comes in through
//! [`update`](super::update::update), with the time since the watch began; whatever is to happen
//! outside comes out of it. The pane draws from here, and nothing is drawn that is not here.

pub mod connection;
pub mod detail;
pub mod export;
pub mod filter;
pub mod layout;
pub mod navigation;
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

use crate::client::subscribe::Update;
use crate::event::{ClientId, End, Gap, UnixMillis};
use crate::message::Level;
use crate::terminal::safe_text::Colour;
use crate::watch::format;
use crate::watch::model::{Model, Verdict};
use crate::watch::operations::{OperationState, Operations};
use crate::watch::pane::keys::{Action, TABLE};
use crate::watch::replay::Recording;

use connection::Connection;
use detail::Detail;
use filter::Filter;
use prompt::Prompt;
use records::{Id, Record, RecordKind, Records};
use search::Search;
use timestamps::Times;
use viewport::{Anchor, Geometry, Row};
use wrap::Layouts;

/// So many marks can be set.
pub const MARKS_MAX: usize = 1000;

/// What is watched; a recording has neither server nor publishers.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// The server's address.
    pub server: Option<String>,
    /// The client ID.
    pub id: Option<ClientId>,
    /// A line for a shell that sends the ID along with a request to some server.
    pub request: String,
    /// A line for a shell that does so within a watch.
    pub job: String,
    /// A line for a shell that publishes with curl.
    pub curl: String,
    /// A line for a shell that publishes with codechat.
    pub send: String,
    /// The address of the web page that shows the client's messages.
    pub page: Option<String>,
    /// The stream, where a URL names it and not a client ID.
    pub stream: Option<WatchedStream>,
}

/// A stream that a URL names.
#[derive(Clone, Debug)]
pub struct WatchedStream {
    /// How it is asked for.
    pub method: String,
    /// The URL, without what may be secret.
    pub url: String,
    /// Whether it may be asked for again.
    pub may_repeat: bool,
    /// Whether nobody verifies who the server is.
    pub is_unverified: bool,
}

/// What does not change while the pane is open.
#[derive(Clone, Debug)]
pub struct PaneOptions {
    /// What is watched.
    pub target: Watched,
    /// Whether messages keep their colours.
    pub colour: Colour,
    /// The recording that is shown, if it is no stream.
    pub recording: Option<Recording>,
    /// The wall clock when the watch began; a recording's, once a message of it tells.
    pub began: UnixMillis,
    /// How far local time is ahead of UTC.
    pub utc_offset: i32,
}

/// What has the keys.
#[derive(Debug)]
pub enum Mode {
    /// The messages.
    Messages,
    /// A line that is typed.
    Prompt(Prompt),
    /// The list of keys, from this line on.
    Help(usize),
    /// One message.
    Detail(Box<Detail>),
    /// The question whether to ask publishers to cancel: this operation, or whatever they do.
    AskCancel(Option<String>),
    /// The question whether to leave, and with that end the server that others use.
    AskQuit(Leave),
}

/// Who uses the server inside this watch besides it; nobody if there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Watchers, of this client or of others.
    pub watchers: usize,
    /// How many of them watch this client.
    pub here: usize,
    /// Publishers that listen for control requests.
    pub publishers: usize,
}

/// How the pane is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The user has seen enough.
    Quit,
    /// The same, and the last screen stays printed.
    Printing,
    /// At once.
    Now,
    /// What was waited for has come.
    Over(Verdict),
}

/// What came below while something else was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Messages that pass the filter.
    pub new: u64,
    /// How many of them are errors.
    pub errors: u64,
}

/// The interactive model.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub struct Screen {
    pub(in crate::watch) options: PaneOptions,
    /// Whether it is known when a recording began.
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
    /// How many errors came, and the least level of all messages.
    pub(in crate::watch) errors: u64,
    pub(in crate::watch) lowest: Option<Level>,
    /// How many characters the longest label has that stands in an operation's place.
    longest_label: usize,
    /// How often messages were lost of which nobody knows how many.
    pub(in crate::watch) uncounted_gaps: u64,
    pub(in crate::watch) filter: Filter,
    pub(in crate::watch) search: Search,
    layouts: Layouts,
    /// What is in focus; `None` while following.
    pub(in crate::watch) anchor: Option<Anchor>,
    pub(in crate::watch) behind: Behind,
    pub(in crate::watch) marks: BTreeSet<Id>,
    pub(in crate::watch) times: Times,
    pub(in crate::watch) wraps: bool,
    pub(in crate::watch) sideways: usize,
    pub(in crate::watch) mode: Mode,
    /// Who else uses the server that ends with this watch.
    pub(in crate::watch) others: Others,
    /// What the last key came to, until the next one.
    pub(in crate::watch) notice: Option<String>,
    /// Whether publishers were asked for debug detail.
    pub(in crate::watch) wants_debug: bool,
    pub(in crate::watch) mouse: bool,
    pub(in crate::watch) width: u16,
    pub(in crate::watch) height: u16,
}

impl Screen {
    /// A screen of a stream from which nothing has come.
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

    /// Notes who else uses the server that ends with this watch.
    pub fn set_others(&mut self, others: Others) {
        self.others = others;
    }

    /// Its columns and rows.
    #[must_use]
    pub fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    /// Takes what came from the stream.
    pub(in crate::watch) fn take(&mut self, update: Update, now: Duration) {
        if let (Some(_), false, Update::Message(received)) =
            (&self.options.recording, self.knows_begin, &update)
            && let Some(time) = received.when()
        {
            let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            self.options.began = time.saturating_sub(millis);
            self.knows_begin = true;
        }
        self.connection.update(&update, now);
        self.uncounted_gaps +=
            u64::from(matches!(update, Update::Gap(Gap::Possible | Gap::Unknown)));
        let note = |level, text: &str| Some(Record::own(RecordKind::Note, level, text, now));
        let record = match update {
            Update::Message(received) => {
                let mut record = Record::received(*received, now, self.options.colour);
                record.begins = self.begins(&record);
                Some(record)
            }
            Update::Gap(gap) => note(Some(Level::Warn), &gap.to_string()),
            Update::End(End::Stopped) => note(None, "stopped"),
            Update::End(End::Quit) => note(None, format::ENDED_BY_OWNER),
            Update::End(End::Idle) => note(None, "ended: nothing happened for the idle timeout"),
            Update::Note(text) => note(None, &text),
            Update::Gone => note(None, format::GONE),
            Update::Connected { .. } | Update::Heartbeat | Update::Retrying { .. } => None,
        };
        if let Some(record) = record {
            self.push(record);
        }
    }

    /// Whether the record is its operation's first: the model has seen it already.
    fn begins(&self, record: &Record) -> bool {
        let Some(name) = &record.operation else {
            return false;
        };
        let mut newest = self.all_operations().rev();
        let operation = newest.find(|it| it.name() == Some(name));
        operation.is_some_and(|it| it.messages() == 1)
    }

    /// Appends a record.
    pub(in crate::watch) fn push(&mut self, record: Record) {
        let is_message = record.kind == RecordKind::Message;
        let passes = self.filter.passes(&record);
        let is_error = record.level == Some(Level::Error);
        let is_hit = passes && self.search.matches(&record);
        if is_message {
            self.errors += u64::from(is_error);
            if record.operation.is_none()
                && let Some(label) = record.label()
            {
                self.longest_label = self.longest_label.max(label.chars().count());
            }
            let level = Filter::level_of(&record);
            self.lowest = Some(self.lowest.map_or(level, |it| it.min(level)));
        }
        let (kept, passing, dropped) = (&mut self.kept, &mut self.passing, &mut self.dropped);
        let (shown, search, marks) = (&mut self.shown, &mut self.search, &mut self.marks);
        let id = self.records.push(record, |id, gone| {
            let was_message = u64::from(gone.kind == RecordKind::Message);
            *kept -= was_message;
            *dropped += was_message;
            if shown.front() == Some(&id) {
                shown.pop_front();
                *passing -= was_message;
            }
            search.forget(id);
            marks.remove(&id);
        });
        self.kept += u64::from(is_message);
        if !passes {
            return;
        }
        self.shown.push_back(id);
        self.passing += u64::from(is_message);
        if is_hit {
            self.search.add(id);
        }
        if self.anchor.is_some() {
            self.behind.new += u64::from(is_message);
            self.behind.errors += u64::from(is_error);
        }
    }

    /// Makes the list of what is shown anew, after the filter has changed: on two threads, since a key
    /// press waits for it, and a full list takes a regular expression 34 ms on one.
    pub(in crate::watch) fn refilter(&mut self) {
        let records = &self.records;
        let middle = records.first().midpoint(records.end());
        // Each has a filter of its own: a regular expression that is shared is slower.
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

    /// Makes the list of hits anew, after the pattern or what is shown has changed.
    pub(in crate::watch) fn find_hits(&mut self) {
        let records = &self.records;
        let shown = self.shown.iter();
        self.search
            .find(shown.filter_map(|id| Some((*id, records.get(*id)?))));
    }

    /// Follows what comes.
    pub(in crate::watch) fn follow(&mut self) {
        self.anchor = None;
        self.behind = Behind::default();
    }

    /// Whether an action does anything for what is watched.
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

    /// The lines of the list of keys: the names of those that do anything here, and what they do.
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

    /// Whether it is a recording that is shown: nothing can be asked of one, nor sent to it.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.options.recording.is_some()
    }

    /// Whether what comes is shown at once.
    #[must_use]
    pub fn is_following(&self) -> bool {
        self.anchor.is_none()
    }

    /// Whether nothing of a publisher's has come yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.model.received() == 0 && self.model.lost() == 0
    }

    /// Why the stream cannot be read any more, where that is so.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match &self.connection.state {
            connection::ConnectionState::Failed(reason) => Some(reason),
            _ => None,
        }
    }

    /// The model it shares with pipe mode.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The rows of records on screen.
    #[must_use]
    pub fn page(&self) -> Vec<Row> {
        self.geometry().page(self.anchor)
    }

    /// The record in focus.
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

    /// The operations to show: those that run; where none does, the one that ended last.
    pub fn operations(&self) -> impl Iterator<Item = &OperationState> {
        let last = self.all_operations().max_by_key(|it| it.ended_at());
        let last = last.filter(|_| self.running().next().is_none());
        self.running().chain(last)
    }

    /// The operations that have not ended.
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

    /// How long until something on screen that counts time looks different; `None` where nothing does.
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

/// The records with these numbers that a filter lets pass.
fn passing(
    records: &Records,
    part: impl RangeBounds<Id>,
    filter: &Filter,
) -> Vec<(Id, RecordKind)> {
    let records = records.iter().filter(|(id, _)| part.contains(id));
    let passing = records.filter(|(_, record)| filter.passes(record));
    passing.map(|(id, record)| (id, record.kind)).collect()
}
