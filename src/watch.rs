//! The watcher: a pure model of what one watch has seen, and the views that show it.
//!
//! [`model`] decides, without clock, terminal or network, what each update means and when the watch
//! is over; [`operations`] is its part that knows how far things are. [`pipe`] shows updates as lines.
//! [`screen`] is what the pane shows of it and [`update`] what keys and messages make of that; [`keys`]
//! is the table of its keys, and [`pane`] the terminal around them.
//! [`follow`] carries updates from a stream, such as a [`live`] one, to both, at the [`clock`]'s time.

pub mod clock;
pub mod format;
pub mod lines;
pub mod model;
pub mod operations;
pub mod pane;
pub mod record;
pub mod replay;
pub mod resubscribe;
pub mod summary;
mod tally;
