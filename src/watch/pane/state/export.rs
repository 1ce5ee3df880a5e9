//! Exports: text as it is shown, or NDJSON as it came.

use super::Screen;
use super::records::{Id, Record, RecordKind};
use super::timestamps::{self, Times};
use crate::message::Level;
use crate::watch::format;

impl Screen {
    /// Returns all that is shown as text, with times if they are shown.
    #[must_use]
    pub fn shown_as_text(&self) -> String {
        let mut out = String::new();
        let mut previous = None;
        for id in &self.shown {
            let Some(record) = self.records.get(*id) else {
                continue;
            };
            let time = self.time_text(record, previous);
            if !time.is_empty() {
                let width = usize::from(timestamps::WIDTH);
                out.extend([format!("{time:>width$} ")]);
            }
            if let Some(level) = record.level {
                out.extend([level.as_str(), " "]);
            }
            if let Some(label) = record.label() {
                out.extend([label, ": "]);
            }
            out.push_str(&record.plain());
            out.push('\n');
            previous = Some(record);
        }
        out
    }

    /// Returns every message that is kept, shown or not, as NDJSON.
    #[must_use]
    pub fn all_as_ndjson(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (_, record) in self.records.iter() {
            // The watcher's own notes have no ID and are not events.
            let is_own = record.kind == RecordKind::System
                && record.event_id().is_empty()
                && record.more.as_ref().is_none_or(|it| it.foreign.is_none());
            let is_kept = matches!(record.kind, RecordKind::Message | RecordKind::System);
            if is_kept && !is_own {
                out.extend_from_slice(&record.json_object());
                out.push(b'\n');
            }
        }
        out
    }

    /// Returns the time column of a record, given the record above it.
    #[must_use]
    pub fn time_text(&self, record: &Record, previous: Option<&Record>) -> String {
        let time = self.wall_millis(record);
        let since = |other: Option<&Record>| {
            let millis = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
            let other = other.map_or(time, |it| self.wall_millis(it));
            timestamps::offset(millis(time) - millis(other))
        };
        match self.times {
            Times::Off => String::new(),
            Times::Clock => format::clock(time, self.options.utc_offset),
            Times::SinceStart => since(self.records.get(self.records.first())),
            Times::SincePrevious => since(previous),
        }
    }

    /// Returns the record above a shown one.
    #[must_use]
    pub fn previous_shown(&self, id: Id) -> Option<&Record> {
        let at = self.shown.partition_point(|it| *it < id);
        self.records.get(*self.shown.get(at.checked_sub(1)?)?)
    }

    /// Returns when the server accepted it, or else when it arrived.
    fn wall_millis(&self, record: &Record) -> u64 {
        let arrived = u64::try_from(record.arrived().as_millis()).unwrap_or(u64::MAX);
        record
            .server_time()
            .unwrap_or_else(|| self.options.began.saturating_add(arrived))
    }

    /// Returns a name for a file, from what is watched.
    pub(in crate::watch) fn file_name(&self, extension: &str) -> String {
        let id = self
            .options
            .target
            .id
            .map_or_else(String::new, |id| format!("-{}", id.short()));
        format!("codechat{id}.{extension}")
    }
}

/// Returns the letter of a level.
#[must_use]
pub fn level_letter(level: Level) -> &'static str {
    match level {
        Level::Trace => "T",
        Level::Debug => "D",
        Level::Info => "I",
        Level::Warn => "W",
        Level::Error => "E",
    }
}
