//! Takes updates from the stream and appends their records.

use std::time::Duration;

use super::Screen;
use super::filter::Filter;
use super::records::{Record, RecordKind};
use crate::client::subscribe::Update;
use crate::event::{End, Gap};
use crate::message::Level;
use crate::watch::format;

impl Screen {
    /// Takes an update from the stream.
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

    /// Returns whether the record is the first of its operation, which the model has seen already.
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
}
