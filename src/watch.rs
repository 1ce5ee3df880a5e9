//! The watcher: a pure model of what one watch has seen, and the views that show it.
//!
//! [`model`] decides, without clock, terminal or network, what each update means and when the watch
//! is over; [`operations`] is its part that knows how far things are. [`pipe`] shows updates as lines.
//! [`follow`] carries updates from a stream, such as a [`live`] one, to both, at the [`clock`]'s time.

pub mod clock;
pub mod figures;
pub mod follow;
pub mod live;
pub mod model;
pub mod operations;
pub mod pipe;
mod progress;
pub mod record;
pub mod replay;
pub mod summary;
