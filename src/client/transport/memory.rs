//! The state of a stream that its connections share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::client::sse_repair::SseRepair;

/// What outlives a connection: where its successor goes on, and how soon.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    pub(crate) last_id: String,
    pub(crate) retry: Option<Duration>,
    /// What is to be told of the newest answer.
    notes: Vec<String>,
}

/// What a stream has told besides its events, shared by the transport and the feed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(
    /// Held for a copy only, never across an await.
    Arc<Mutex<Remembered>>,
);

impl Memory {
    pub(crate) fn new(last_id: String) -> Self {
        let heard = Remembered {
            last_id,
            ..Remembered::default()
        };
        Self(Arc::new(Mutex::new(heard)))
    }

    /// Takes what is to be told of the newest answer.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut heard.notes)
    }

    pub(super) fn add_note(&self, note: String) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.notes.push(note);
    }

    pub(crate) fn recall(&self) -> Remembered {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn note(&self, repair: &SseRepair) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.last_id != repair.last_id() {
            repair.last_id().clone_into(&mut heard.last_id);
        }
        heard.retry = repair.retry().or(heard.retry);
    }
}
