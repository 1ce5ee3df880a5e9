//! The state of a stream that its connections share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::client::sse_repair::SseRepair;

/// What a connection leaves to the next one: where to resume, and how soon.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    pub(crate) last_id: String,
    pub(crate) retry: Option<Duration>,
    /// Notes on the newest answer.
    notes: Vec<String>,
}

/// The state of a stream besides its events, shared by the transport and the feed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(
    /// Never locked across an await.
    Arc<Mutex<Remembered>>,
);

impl Memory {
    pub(crate) fn new(last_id: String) -> Self {
        let remembered = Remembered {
            last_id,
            ..Remembered::default()
        };
        Self(Arc::new(Mutex::new(remembered)))
    }

    /// Takes the notes on the newest answer.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut remembered.notes)
    }

    pub(super) fn add_note(&self, note: String) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.notes.push(note);
    }

    /// Returns a copy of the state.
    pub(crate) fn recall(&self) -> Remembered {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Updates the state from the repair's.
    pub(super) fn note(&self, repair: &SseRepair) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.last_id != repair.last_id() {
            repair.last_id().clone_into(&mut remembered.last_id);
        }
        remembered.retry = repair.retry().or(remembered.retry);
    }
}
