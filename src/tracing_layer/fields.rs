//! Messages made of the fields of an event or a span.

use std::fmt::{Debug, Write};

use serde_json::Value;
use tracing_core::field::{Field, Visit};

use crate::message::{Level, Message, Outcome, Progress};
use crate::message_builder::{self, Number};

#[derive(Default)]
pub(super) struct Fields {
    text: String,
    current: Option<f64>,
    total: Option<f64>,
    unit: Option<String>,
    pub(super) outcome: Option<Outcome>,
    pub(super) operation: Option<String>,
    event: Option<String>,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    pub(super) fn progress(&self) -> Option<Progress> {
        message_builder::progress(self.current?, self.total, self.unit.as_deref())
    }

    /// Returns the message of an event. If it has no text, its other fields are the text, unless it is a progress.
    pub(super) fn into_message(self, level: Level, target: &str) -> Message {
        let progress = self.progress();
        let mut text = self.text;
        if text.is_empty() && progress.is_none() {
            let fields = self.others.iter();
            let fields: Vec<_> = fields
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            text = fields.join(" ");
        }
        let mut message = Message::text(text).level(level).field("target", target);
        for (name, value) in self.others {
            message = message.field(name, value);
        }
        if let Some(event) = &self.event {
            message = message.event(event);
        }
        Message {
            progress,
            outcome: self.outcome,
            operation: self
                .operation
                .as_deref()
                .and_then(message_builder::operation),
            ..message
        }
    }

    fn number(&mut self, field: &Field, number: impl Number, value: Value) {
        match field.name() {
            "progress.current" => self.current = Some(number.to_f64()),
            "progress.total" => self.total = Some(number.to_f64()),
            name => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.number(field, value, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.push((field.name(), value.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.text.push_str(value),
            "progress.unit" => self.unit = Some(value.into()),
            "operation" => self.operation = Some(value.into()),
            "event" => self.event = Some(value.into()),
            "outcome" => self.outcome = value.parse().ok(),
            name => self.others.push((name, value.into())),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // What cannot be formatted is left out.
        if write!(text, "{value:?}").is_ok() {
            self.record_str(field, &text);
        }
    }
}
