//! Bytes of which the oldest are forgotten. Each keeps its place, counted from the first there ever was.

use std::collections::VecDeque;
use std::ops::Range;

/// Memory of up to so many bytes is never given back: it would soon be taken again.
const KEPT: usize = 16 * 1024;

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

    /// Forgets all bytes before this place, and gives memory back where little of it is used.
    pub(super) fn forget(&mut self, before: u64) {
        self.bytes.drain(..length(self.start, before));
        self.start = before;
        let capacity = self.bytes.capacity();
        if capacity > KEPT && self.bytes.len() < capacity / 4 {
            self.bytes.shrink_to(capacity / 2);
        }
    }

    /// Takes the bytes from this place on back.
    pub(super) fn take_back(&mut self, from: u64) {
        self.bytes.truncate(length(self.start, from));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_burst_took_is_given_back() {
        let mut ring = Ring::default();
        ring.push(&vec![b'x'; 64 * KEPT]);
        let capacity = ring.capacity();
        ring.forget(ring.end() / 2);
        assert_eq!(ring.capacity(), capacity, "much of it is used");
        ring.forget(ring.end() - 3);
        while ring.capacity() > KEPT {
            let (capacity, start) = (ring.capacity(), ring.start());
            ring.push(b"z");
            ring.forget(start + 1);
            assert!(ring.capacity() < capacity);
        }
        let mut held = Vec::new();
        ring.copy(ring.start()..ring.end(), &mut held);
        assert_eq!(held, b"zzz");
    }
}
