//! A byte queue. Each byte keeps its position, counted from the first byte ever.

use std::collections::VecDeque;
use std::ops::Range;

/// Capacity up to which memory is not freed, in bytes, because it would soon be needed again.
const KEPT: usize = 16 * 1024;

#[derive(Default)]
pub(super) struct Ring {
    bytes: VecDeque<u8>,
    /// The number of bytes dropped so far.
    start: u64,
}

impl Ring {
    /// Returns the position of the first byte that is held.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Returns the position of the next byte.
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Returns how many bytes fit into the allocated memory.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Drops all bytes before this position, and frees memory if little of it is used.
    pub(super) fn forget(&mut self, before: u64) {
        self.bytes.drain(..length(self.start, before));
        self.start = before;
        let capacity = self.bytes.capacity();
        if capacity > KEPT && self.bytes.len() < capacity / 4 {
            self.bytes.shrink_to(capacity / 2);
        }
    }

    /// Removes the bytes from this position on.
    pub(super) fn take_back(&mut self, from: u64) {
        self.bytes.truncate(length(self.start, from));
    }

    /// Appends the bytes between two positions to `out`.
    pub(super) fn copy(&self, Range { start, end }: Range<u64>, out: &mut Vec<u8>) {
        let [start, end] = [start, end].map(|it| length(self.start, it));
        let (front, back) = self.bytes.as_slices();
        let turn = front.len();
        out.extend_from_slice(&front[start.min(turn)..end.min(turn)]);
        out.extend_from_slice(&back[start.saturating_sub(turn)..end.saturating_sub(turn)]);
    }
}

/// Returns the number of bytes between two positions that the ring holds.
pub(super) fn length(start: u64, end: u64) -> usize {
    usize::try_from(end - start).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_burst_is_freed() {
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
