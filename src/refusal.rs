//! The refusals of channels: those of the hub, and those of a store.

use thiserror::Error;

use crate::hub;

/// Why channels refuse a request.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[cfg_attr(test, derive(strum::EnumIter))]
pub enum Refusal {
    /// A refusal that does not depend on where channels are kept.
    #[error(transparent)]
    #[cfg_attr(test, strum(disabled))]
    Hub(#[from] hub::Refusal),
    /// The store does not answer.
    #[error(
        "the store that this server shares with others does not answer; try again when it does"
    )]
    StoreAway,
    /// The store has no memory left.
    #[error(
        "the memory of the store that servers share is used up (its maxmemory); stop a client, or give the store more"
    )]
    StoreFull,
}
