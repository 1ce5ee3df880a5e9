//! Bytes of which the oldest are forgotten. Each keeps its place, counted from the first there ever was.

use std::{collections::VecDeque, ops::Range};

#[derive(Default)]
pub(super) struct Ring {
    bytes: VecDeque<u8>,
    /// How many were forgotten so far.
    start: u64,
}

impl Ring {
    /// The place of the first byte that is held.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// The place of the next byte.
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// How many it can hold in the memory that it has.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Forgets all bytes before this place.
    pub(super) fn forget(&mut self, before: u64) {
        self.bytes.drain(..length(self.start, before));
        self.start = before;
    }

    /// Appends the bytes between two places to `out`.
    pub(super) fn copy(&self, Range { start, end }: Range<u64>, out: &mut Vec<u8>) {
        let [start, end] = [start, end].map(|it| length(self.start, it));
        let (front, back) = self.bytes.as_slices();
        let turn = front.len();
        out.extend_from_slice(&front[start.min(turn)..end.min(turn)]);
        out.extend_from_slice(&back[start.saturating_sub(turn)..end.saturating_sub(turn)]);
    }
}

/// The bytes between two places that are held, which are fewer than memory has.
pub(super) fn length(start: u64, end: u64) -> usize {
    usize::try_from(end - start).unwrap_or(usize::MAX)
}
