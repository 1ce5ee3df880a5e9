//! Building messages in an application. A part that breaks a rule is repaired, never refused: a debug message must not make
//! an application fail.

use serde::Serialize;

use crate::message::{EventName, Level, Message, OPERATION_MAX_CHARS, Operation, Outcome};
use crate::message::{Progress, UNIT_MAX_CHARS};

/// Upper bound of the text of an application's message, in bytes of UTF-8.
pub const TEXT_MAX: usize = 64 * 1024;
/// Upper bound of the `fields` of an application's message, in bytes of JSON.
pub const FIELDS_MAX: usize = 4 * 1024;
/// The member that says that others were left out.
const CUT: &str = "\"cut\":true}";

/// A number of a progress: how much is done, or the total. Implemented for Rust's integers of up to 64 bits and its floats only.
pub trait Number: sealed::Sealed {
    /// Returns the nearest `f64`.
    fn to_f64(self) -> f64;
}

mod sealed {
    pub trait Sealed: Copy {}
}

macro_rules! exact {
    ($($number:ty)*) => { $(
        impl sealed::Sealed for $number {}
        impl Number for $number {
            fn to_f64(self) -> f64 { self.into() }
        }
    )* };
}
exact!(f64 f32 u8 u16 u32 i8 i16 i32);

macro_rules! nearest {
    ($($number:ty)*) => { $(
        impl sealed::Sealed for $number {}
        impl Number for $number {
            #[expect(clippy::cast_precision_loss, reason = "a progress is drawn, not counted with")]
            fn to_f64(self) -> f64 { self as f64 }
        }
    )* };
}
nearest!(u64 usize i64 isize);

/// Setters for the parts of a message; each replaces the part.
///
/// ```
/// use codechat::{Level, Message};
///
/// let message = Message::text("Processed file 3 of 120")
///     .level(Level::Debug)
///     .operation("import")
///     .progress(3, Some(120))
///     .unit("files")
///     .field("file", "a.txt");
/// assert_eq!(message.level, Some(Level::Debug));
/// assert_eq!(message.fields.as_deref(), Some(r#"{"file":"a.txt"}"#));
/// ```
impl Message {
    /// Sets the level.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// Sets the operation that it belongs to. A name is cut after 128 characters, its control characters become spaces,
    /// and an empty one is ignored.
    #[must_use]
    pub fn operation(mut self, name: &str) -> Self {
        self.operation = operation(name);
        self
    }

    /// Sets the progress of its operation. Negative numbers and numbers that are not finite are ignored.
    #[must_use]
    pub fn progress<N: Number>(mut self, current: N, total: Option<N>) -> Self {
        self.progress = progress(current, total, None);
        self
    }

    /// Sets the unit of its progress, such as `files`; cut after 32 characters. Call it after [`Message::progress`].
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        let known = self.progress.as_ref();
        self.progress = known.and_then(|it| progress(it.current(), it.total(), Some(unit)));
        self
    }

    /// Makes it end its operation, with this outcome.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// Sets its event name, `[A-Za-z0-9_.-]{1,64}`; an invalid one is ignored.
    #[must_use]
    pub fn event(mut self, name: &str) -> Self {
        self.event = name.parse::<EventName>().ok();
        self
    }

    /// Adds a value for programs to read. A value that cannot be written in JSON is left out, and so is one that would
    /// exceed [`FIELDS_MAX`]; then a member `cut` says so.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Serialize) -> Self {
        let known = self.fields.as_deref().unwrap_or("{}");
        if known.ends_with(CUT) {
            return self;
        }
        let (Ok(name), Ok(value)) = (serde_json::to_string(name), serde_json::to_string(&value))
        else {
            return self;
        };
        let known = known.strip_suffix('}').unwrap_or(known);
        let comma = if known == "{" { "" } else { "," };
        let length = known.len() + name.len() + value.len() + CUT.len() + 3;
        let fields = if length > FIELDS_MAX {
            format!("{known}{comma}{CUT}")
        } else {
            format!("{known}{comma}{name}:{value}}}")
        };
        self.fields = Some(fields.into());
        self
    }

    /// Cuts a text that is too long, and appends by how much.
    pub(crate) fn repaired(mut self) -> Self {
        /// Room for the note about the cut.
        const NOTE: usize = 40;
        if self.text.len() > TEXT_MAX {
            let end = self.text.floor_char_boundary(TEXT_MAX - NOTE);
            let cut = self.text.len() - end;
            self.text.truncate(end);
            let note = format!("… ({cut} bytes cut)");
            self.text.push_str(&note);
        }
        self
    }
}

/// Returns the progress with these numbers; `None` if they are negative or not finite.
pub(crate) fn progress<N: Number>(
    current: N,
    total: Option<N>,
    unit: Option<&str>,
) -> Option<Progress> {
    let unit = unit.map(|it| one_line(it, UNIT_MAX_CHARS));
    Progress::new(current.to_f64(), total.map(N::to_f64), unit.as_deref()).ok()
}

/// Returns the nearest valid name of an operation; `None` if nothing is left of it.
pub(crate) fn operation(name: &str) -> Option<Operation> {
    one_line(name, OPERATION_MAX_CHARS).parse().ok()
}

/// Returns the first characters of a text, with spaces for control characters.
fn one_line(text: &str, max: usize) -> String {
    let plain = text
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it });
    plain.take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_parts_are_repaired() {
        let message = Message::text("x")
            .operation(&"a\nb".repeat(100))
            .progress(3_u64, Some(120))
            .unit("fi\tles")
            .event("no event");
        let operation = message.operation.unwrap();
        assert!(operation.as_str().starts_with("a ba b"));
        assert_eq!(operation.as_str().chars().count(), OPERATION_MAX_CHARS);
        assert_eq!(message.progress.unwrap().unit(), Some("fi les"));
        assert_eq!(message.event, None);
        assert_eq!(Message::text("x").operation("").operation, None);
        assert_eq!(Message::text("x").progress(-1, None).progress, None);
        assert_eq!(Message::text("x").progress(f64::NAN, None).progress, None);
    }

    #[test]
    fn a_text_is_cut_at_a_character_and_says_so() {
        let whole = Message::text("é".repeat(TEXT_MAX / 2)).repaired();
        assert_eq!(whole.text.len(), TEXT_MAX);
        let cut = Message::text("é".repeat(TEXT_MAX)).repaired().text;
        assert!(cut.len() <= TEXT_MAX);
        let (kept, note) = cut.split_once('…').unwrap();
        assert_eq!(note, format!(" ({} bytes cut)", 2 * TEXT_MAX - kept.len()));
    }

    #[test]
    fn fields_are_bounded() {
        let message = Message::text("x").field("a\"b", 1).field("c", "d\ne");
        assert_eq!(message.fields.as_deref(), Some(r#"{"a\"b":1,"c":"d\ne"}"#));
        let long = message.field("long", "x".repeat(FIELDS_MAX)).field("e", 2);
        assert_eq!(
            long.fields.as_deref(),
            Some(r#"{"a\"b":1,"c":"d\ne","cut":true}"#)
        );
    }
}
