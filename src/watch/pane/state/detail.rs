//! One message in full.

use std::ops::Range;

use super::records::{Record, RecordKind};
use super::{PaneOptions, wrap};
use crate::terminal::safe_text::{self, Colour};
use crate::watch::format;
use crate::wire::json;

/// Width of the fields' labels, in columns.
pub const LABEL: usize = 11;

/// An open message. It stays even if its record is dropped.
#[derive(Debug)]
pub struct Detail {
    /// The message.
    pub record: Record,
    /// The first row on screen.
    pub scroll: usize,
    fields: Vec<(&'static str, String)>,
}

impl Detail {
    /// Opens a record.
    #[must_use]
    pub fn new(record: Record, options: &PaneOptions) -> Self {
        let fields = fields(&record, options);
        Self {
            record,
            scroll: 0,
            fields,
        }
    }

    /// Returns its rows at a width: the label, the text, and the part of the text.
    #[must_use]
    pub fn rows(&self, width: usize) -> Vec<(&'static str, &str, Range<usize>)> {
        let width = Some(width.saturating_sub(LABEL).max(1));
        let mut rows = Vec::new();
        for (label, text) in &self.fields {
            for (number, range) in wrap::rows(text, width).iter().enumerate() {
                let label = if number == 0 { label } else { "" };
                rows.push((label, text.as_str(), range.clone()));
            }
        }
        rows
    }
}

fn fields(record: &Record, options: &PaneOptions) -> Vec<(&'static str, String)> {
    let safe = |text: &str| safe_text::safe_line(text, Colour::Strip).into_owned();
    let mut fields = vec![("message", record.text.to_string())];
    let mut add = |label, value: Option<String>| {
        fields.extend(value.map(|value| (label, value)));
    };
    add("level", record.level.map(|it| it.to_string()));
    add("operation", record.operation.as_deref().map(str::to_owned));
    let more = record.more.as_deref();
    let progress = more.and_then(|it| it.progress.as_ref());
    add(
        "progress",
        progress.map(|it| {
            let total = it.total().map_or(String::new(), |it| format!(" of {it}"));
            let unit = it.unit().map_or(String::new(), |it| format!(" {it}"));
            safe(&format!("{}{total}{unit}", it.current()))
        }),
    );
    let outcome = more.and_then(|it| it.outcome);
    add("outcome", outcome.map(|it| it.to_string()));
    add("event", more.and_then(|it| it.event.as_deref()).map(safe));
    let extra = more.and_then(|it| it.fields.as_deref());
    add("fields", extra.map(pretty));
    let data = more.and_then(|it| it.foreign.as_ref()?.data.as_deref());
    add("data", data.map(pretty));
    let id = record.event_id();
    add("id", (!id.is_empty()).then(|| safe(&id)));
    let time = record.server_time();
    add("sent", time.map(|it| format::clock(it, options.utc_offset)));
    let arrived = u64::try_from(record.arrived().as_millis()).unwrap_or(u64::MAX);
    let arrived = options.began.saturating_add(arrived);
    add("came", Some(format::clock(arrived, options.utc_offset)));
    let by = match record.kind {
        RecordKind::Message => None,
        RecordKind::System => Some("the server"),
        RecordKind::Note | RecordKind::Ruler => Some("this watcher"),
    };
    add("said by", by.map(Into::into));
    let is_message = record.kind == RecordKind::Message;
    let raw = more.and_then(|it| it.raw.as_deref()).filter(|_| is_message);
    add(
        "as it came",
        raw.map(|it| safe(&it.escape_debug().to_string())),
    );
    fields
}

/// Formats a JSON object on several lines, each made safe.
fn pretty(json: &str) -> String {
    let pretty = json::pretty(json).unwrap_or_else(|| json.into());
    let lines: Vec<_> = safe_text::safe_lines(&pretty, Colour::Strip).collect();
    lines.join("\n")
}
