//! Why channels refuse something: what the hub refuses, and what only a store does.

use thiserror::Error;

use crate::hub;

/// Why channels refuse something: what a hub refuses, and what a store does.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[cfg_attr(test, derive(strum::EnumIter))]
pub enum Refusal {
    /// A rule that holds wherever channels are kept.
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
        "the memory of the store that servers share is spent (its maxmemory); stop a client, or give the store more"
    )]
    StoreFull,
}
