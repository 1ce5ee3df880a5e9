/// A number of messages, and their size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Room {
    /// Adds one message of this size.
    pub(super) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.messages += more.messages;
        self.bytes += more.bytes;
    }

    pub(super) fn remove(&mut self, freed: Self) {
        // All was removed at once if publishing was turned off.
        self.messages = self.messages.saturating_sub(freed.messages);
        self.bytes = self.bytes.saturating_sub(freed.bytes);
    }

    pub(super) fn fits(self, bound: Self) -> bool {
        self.messages <= bound.messages && self.bytes <= bound.bytes
    }

    /// Returns a quarter of the rest of a bound, but no more than `most`.
    pub(super) fn quarter_left(self, bound: Self, most: Self) -> Self {
        let quarter = |used, bound: usize| bound.saturating_sub(used) / 4;
        Self {
            messages: most.messages.min(quarter(self.messages, bound.messages)),
            bytes: most.bytes.min(quarter(self.bytes, bound.bytes)),
        }
    }
}
