//! The watcher: a model of what one watch has seen, and the views that show it.
//!
//! [`model`] decides what each update means and when the watch is over; [`operations`] is its part that follows
//! progress. Both are pure: no clock, terminal or network. [`lines`] and [`pane`] are the views: lines, or the whole
//! terminal. Updates come from a client's stream ([`resubscribe`]), from any other event stream, whose events [`foreign`]
//! maps, or from a recording ([`replay`]), at the time of the [`clock`].

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
