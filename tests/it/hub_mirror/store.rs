//! A hub of mirrors, and a model of the store that they follow.

use codechat::internal::{
    control::ControlState,
    event::EventId,
    hub::{Frames, Hub, Image, Limits, LogLimits, Mirror, Missing},
    message::Message,
};

pub(super) const FRAMES: Frames = Frames {
    text: |event| format!("{} {};", event.id, event.message.text).into_bytes(),
    json: |event| event.message.text.clone().into_bytes(),
};
/// Length of the store's logs, in messages.
const HELD: usize = 6;

pub(super) fn hub() -> Hub {
    let limits = Limits::new().log(LogLimits::new().messages(HELD).bytes(1 << 20));
    Hub::with_frames(limits, FRAMES)
}

/// A channel as a store keeps it: a history, of which the newest messages are held.
#[derive(Default)]
pub(super) struct Store {
    pub(super) created: u64,
    pub(super) clock: u64,
    /// When each message was accepted, by number from 1. Its text is its time.
    pub(super) taken: Vec<u64>,
}

impl Store {
    pub(super) fn new(clock: u64) -> Self {
        Self {
            created: clock,
            clock,
            taken: Vec::new(),
        }
    }

    pub(super) fn held_from(&self) -> u64 {
        self.taken.len().saturating_sub(HELD) as u64 + 1
    }

    pub(super) fn id(&self, seq: u64) -> EventId {
        let time = match seq {
            0 => self.created,
            _ => self.taken[usize::try_from(seq).unwrap() - 1],
        };
        EventId { seq, time }
    }

    pub(super) fn last(&self) -> EventId {
        self.id(self.taken.len() as u64)
    }

    pub(super) fn publish(&mut self, count: usize) -> Notice {
        let from = self.taken.len() as u64 + 1;
        for _ in 0..count {
            self.clock += 1;
            self.taken.push(self.clock);
        }
        Notice {
            held_from: self.held_from(),
            from,
            events: self.events(from),
        }
    }

    pub(super) fn events(&self, from: u64) -> Vec<(u64, Message)> {
        let taken = &self.taken[usize::try_from(from).unwrap() - 1..];
        let event = |time: &u64| (*time, Message::text(time.to_string()));
        taken.iter().map(event).collect()
    }

    /// Returns the answer to a join after this event: everything, if there is no such event.
    pub(super) fn image_from(&self, id: EventId) -> Image {
        let is_held = (self.held_from()..=self.last().seq).contains(&id.seq);
        let is_known = is_held && self.id(id.seq) == id;
        self.image(if is_known { id.seq } else { 1 })
    }

    /// Returns the answer to a join from this number on.
    pub(super) fn image(&self, from: u64) -> Image {
        let from = from.clamp(self.held_from(), self.taken.len() as u64 + 1);
        Image {
            created: self.created,
            held_from: self.held_from(),
            before: self.id(from - 1),
            events: self.events(from),
            lost: None,
            control: ControlState::default(),
        }
    }
}

#[derive(Clone)]
pub(super) struct Notice {
    pub(super) held_from: u64,
    pub(super) from: u64,
    pub(super) events: Vec<(u64, Message)>,
}

impl Notice {
    pub(super) fn reach(self, mirror: &Mirror) -> Result<(), Missing> {
        mirror.append(self.held_from, self.from, self.events)
    }
}
