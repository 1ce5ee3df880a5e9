//! What a log keeps of a message besides its text frame, and a message on its way there.

use crate::event::{Event, UnixMillis};
use crate::message::Message;

pub(super) struct Entry {
    pub(super) time: UnixMillis,
    /// The place in the log's frames where its own ends.
    pub(super) end: u64,
    pub(super) said: Said,
    /// Encoded the first time somebody asks for it.
    pub(super) json: Option<Box<[u8]>>,
}

/// What was said: JSON is made of it.
pub(super) enum Said {
    /// A text and nothing else, which stands in its frame as it is, so many bytes before the end.
    Text { length: u32, after: u32 },
    /// What the frame does not tell.
    More(Box<Event>),
}

impl Entry {
    /// The bytes of what its publisher said that are not in its frame.
    pub(super) fn extra(&self) -> usize {
        match &self.said {
            Said::Text { .. } => 0,
            Said::More(event) => extra(&event.message),
        }
    }

    /// The bytes that it holds besides its frame.
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

    /// Finds a plain message's text in its frame. (One of several lines is not there as it is.)
    fn in_frame(frame: &[u8], message: &Message) -> Option<Self> {
        /// After its text a frame has at the most so many bytes: two line ends.
        const AFTER: usize = 4;
        if !message.is_plain() {
            return None;
        }
        let text = message.text.as_bytes();
        let ends_with_text = |after: &usize| {
            let before = frame.len().checked_sub(*after);
            before.is_some_and(|it| frame[..it].ends_with(text))
        };
        let after = (0..=AFTER).find(ends_with_text)?;
        Some(Self::Text {
            length: u32::try_from(text.len()).ok()?,
            after: u32::try_from(after).ok()?,
        })
    }
}

/// A message encoded for the log's next place.
pub(in crate::hub) struct Prepared {
    pub(super) event: Event,
    pub(super) frame: Vec<u8>,
}

impl Prepared {
    pub(in crate::hub) fn message(&self) -> &Message {
        &self.event.message
    }

    /// Gives the message back, where it could not be appended yet.
    pub(in crate::hub) fn into_message(self) -> Message {
        self.event.message
    }

    /// What it counts towards [`LogLimits::bytes`](super::LogLimits::bytes).
    pub(super) fn bytes(&self) -> usize {
        self.frame.len() + extra(&self.event.message)
    }

    /// What is kept of it besides its frame.
    pub(super) fn said(self) -> Said {
        let in_frame = Said::in_frame(&self.frame, &self.event.message);
        in_frame.unwrap_or_else(|| Said::More(Box::new(self.event)))
    }

    /// The bytes of that on the heap.
    pub(super) fn heap_size(&self) -> usize {
        let in_frame = Said::in_frame(&self.frame, &self.event.message);
        in_frame.map_or_else(|| boxed_size(&self.event), |it| it.heap_size())
    }
}

fn extra(message: &Message) -> usize {
    message.heap_size() - message.text.len()
}

/// The bytes of an event in a box.
fn boxed_size(event: &Event) -> usize {
    size_of::<Event>() + event.message.heap_size()
}
