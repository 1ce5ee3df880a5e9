//! The watcher: a pure model of what one watch has seen, and the views that show it.
//!
//! [`model`] decides, without clock, terminal or network, what each update means and when the watch
//! is over; [`operations`] is its part that knows how far things are. [`lines`] and [`pane`] are the views:
//! updates as lines, or the whole terminal. Updates come from a client's stream ([`resubscribe`]), from any other event
//! stream, or from a recording ([`replay`]), at the [`clock`]'s time; [`foreign`] reads what other servers' events say.

pub mod clock;
pub mod foreign;
pub mod format;
pub mod lines;
pub mod model;
pub mod operations;
pub mod pane;
pub mod private_file;
pub mod record;
pub mod replay;
pub mod resubscribe;
pub mod summary;
mod tally;
