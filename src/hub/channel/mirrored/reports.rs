//! What a mirror reports to the store: its readers and listeners, and how far the slowest reader has written.

use std::mem;

use crate::hub::channel::{Channel, Reader, State};
use crate::hub::image::MirrorChange;
use crate::hub::sync::MutexGuard;

/// Divides the messages that the store holds into this many equal parts; the slowest reader's position is reported
/// after each part that it has read.
const REPORTED_PART: u64 = 4;

impl Channel {
    /// Notes that a publisher waits for the readers of this mirror: their positions are reported now, and as they read
    /// on.
    pub(in crate::hub) fn note_awaited(&self) {
        let mut state = self.lock();
        if let Some(mirrored) = &mut state.mirrored {
            mirrored.is_awaited = true;
        }
        self.queue_change(state);
    }

    /// Notes that a reader has not written the messages from this number on, because its socket takes no more.
    pub(in crate::hub) fn note_unwritten(&self, place: usize, from: u64) {
        let mut state = self.lock();
        let State {
            readers, mirrored, ..
        } = &mut *state;
        let (Some(mirrored), Some(reader)) = (mirrored, &mut readers[place]) else {
            return;
        };
        if from >= reader.unwritten {
            return;
        }
        reader.unwritten = from;
        // It may have been reported to be further.
        if from < mirrored.reported {
            self.queue_change(state);
        }
    }

    /// Returns whether a publisher waits for readers that have not read everything.
    pub(in crate::hub) fn is_awaited(&self) -> bool {
        let state = self.lock();
        let is_awaited = state.mirrored.as_ref().is_some_and(|it| it.is_awaited);
        is_awaited && state.slowest().is_some_and(|next| next < state.log.next())
    }

    /// Takes the change to report to the store. The mirror is no longer queued.
    pub(in crate::hub) fn take_change(&self) -> Option<MirrorChange> {
        let mut state = self.lock();
        let is_unused = state.is_unused();
        let (readers, listeners) = (state.reader_count(), state.listeners());
        let next = state.log.next();
        let slowest = state.slowest();
        let mirrored = state.mirrored.as_mut()?;
        let slowest = slowest.into_iter().chain(mirrored.left).min();
        let slowest = slowest.unwrap_or(next);
        if !mem::take(&mut mirrored.is_queued) {
            return None;
        }
        mirrored.reported = slowest;
        mirrored.is_awaited &= slowest < next;
        Some(MirrorChange {
            readers,
            listeners,
            slowest,
            is_closing: mirrored.left.is_some(),
            is_unused,
            gone: mem::take(&mut mirrored.gone),
        })
    }

    /// Queues a change that could not be reported.
    pub(in crate::hub) fn requeue(&self, change: MirrorChange) {
        let mut state = self.lock();
        if let Some(mirrored) = &mut state.mirrored {
            mirrored.gone.extend(change.gone);
        }
        self.queue_change(state);
    }

    /// Releases the lock, and queues the mirror if its slowest reader has read far enough.
    pub(in crate::hub::channel) fn report_progress(&self, mut state: MutexGuard<'_, State>) {
        if state.read_far(self.shared.limits.log.messages) {
            self.queue_change(state);
        }
    }

    /// Releases the lock, and queues the mirror unless it is queued already.
    pub(in crate::hub::channel) fn queue_change(&self, mut state: MutexGuard<'_, State>) {
        let is_changed = state
            .mirrored
            .as_mut()
            .is_some_and(|it| !mem::replace(&mut it.is_queued, true));
        drop(state);
        if is_changed {
            self.shared.changes.push(self.id);
        }
    }
}

impl State {
    pub(super) fn is_unused(&self) -> bool {
        self.reader_count() == 0 && !self.has_control_streams()
    }

    /// Returns the oldest number that a reader still needs; `None` without readers. If this server ends, the reader has
    /// to get it from another one.
    fn slowest(&self) -> Option<u64> {
        self.readers.iter().flatten().map(|it| it.unwritten).min()
    }

    /// Returns whether the slowest reader, if any, has read so far that it should be reported.
    fn read_far(&mut self, limit: usize) -> bool {
        let Some(mirrored) = self.mirrored.as_mut().filter(|it| !it.is_queued) else {
            return false;
        };
        let part = match mirrored.held_from {
            _ if mirrored.is_awaited => 1,
            // Nothing was dropped yet.
            1 => limit as u64 / REPORTED_PART,
            held_from => self.log.next().saturating_sub(held_from) / REPORTED_PART,
        };
        let mark = mirrored.reported + part.max(1);
        let is_behind = |it: &Option<Reader>| it.as_ref().is_some_and(|it| it.unwritten < mark);
        // Every reader calls this for every message, so it must not scan all readers each time.
        if self.readers.get(mirrored.behind).is_some_and(is_behind) {
            return false;
        }
        match self.readers.iter().rposition(is_behind) {
            Some(place) => {
                mirrored.behind = place;
                false
            }
            None => true,
        }
    }
}
