//! The entries of a log: what it keeps of a message besides the text frame. And messages that are about to be appended.

use crate::event::{Event, UnixMillis};
use crate::message::{Level, Message};

pub(super) struct Entry {
    pub(super) time: UnixMillis,
    /// The position in the log's frames at which this one ends.
    pub(super) end: u64,
    pub(super) said: Said,
    /// Encoded when it is first read.
    pub(super) json: Option<Box<[u8]>>,
}

/// The content of a message, from which its JSON is encoded.
pub(super) enum Said {
    /// A text that has at most a level. The frame contains it unchanged, `after` bytes before its end.
    Text {
        length: u32,
        after: u32,
        level: Option<Level>,
    },
    /// All other messages.
    More(Box<Event>),
}

impl Entry {
    /// Returns the bytes of the message's fields that are not in its frame.
    pub(super) fn extra(&self) -> usize {
        match &self.said {
            Said::Text { .. } => 0,
            Said::More(event) => extra(&event.message),
        }
    }

    /// Returns the bytes of the entry outside of its frame.
    pub(super) fn besides(&self) -> usize {
        self.said.heap_size() + self.json.as_ref().map_or(0, |it| it.len())
    }
}

impl Said {
    pub(super) fn heap_size(&self) -> usize {
        match self {
            Self::Text { .. } => 0,
            Self::More(event) => boxed_size(event),
        }
    }

    /// Finds such a message's text in its frame, which contains it unchanged if it is one line.
    fn in_frame(frame: &[u8], message: &Message) -> Option<Self> {
        /// Upper bound of the bytes after the text in a frame: two line ends.
        const AFTER: usize = 4;
        let Message {
            text,
            level,
            operation: None,
            progress: None,
            outcome: None,
            event: None,
            fields: None,
            system: false,
        } = message
        else {
            return None;
        };
        let text = text.as_bytes();
        let ends_with_text = |after: &usize| {
            let before = frame.len().checked_sub(*after);
            before.is_some_and(|it| frame[..it].ends_with(text))
        };
        let after = (0..=AFTER).find(ends_with_text)?;
        Some(Self::Text {
            length: u32::try_from(text.len()).ok()?,
            after: u32::try_from(after).ok()?,
            level: *level,
        })
    }
}

/// A message encoded for the log's next number.
pub(in crate::hub) struct Prepared {
    pub(super) event: Event,
    pub(super) frame: Vec<u8>,
}

impl Prepared {
    pub(in crate::hub) fn message(&self) -> &Message {
        &self.event.message
    }

    /// Returns the message if it cannot be appended yet.
    pub(in crate::hub) fn into_message(self) -> Message {
        self.event.message
    }

    /// Returns the bytes that count towards [`LogLimits::bytes`](super::LogLimits::bytes).
    pub(super) fn bytes(&self) -> usize {
        self.frame.len() + extra(&self.event.message)
    }

    /// Returns the content to keep besides the frame.
    pub(super) fn said(self) -> Said {
        let in_frame = Said::in_frame(&self.frame, &self.event.message);
        in_frame.unwrap_or_else(|| Said::More(Box::new(self.event)))
    }

    /// Returns the heap memory of that content, in bytes.
    pub(super) fn heap_size(&self) -> usize {
        let in_frame = Said::in_frame(&self.frame, &self.event.message);
        in_frame.map_or_else(|| boxed_size(&self.event), |it| it.heap_size())
    }
}

fn extra(message: &Message) -> usize {
    message.heap_size() - message.text.len()
}

/// Returns the size of a boxed event, in bytes.
fn boxed_size(event: &Event) -> usize {
    size_of::<Event>() + event.message.heap_size()
}
