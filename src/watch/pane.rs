//! The pane: the whole terminal for one stream.
//!
//! [`runner`] is the loop; [`view`] draws the model that [`screen`](super::screen) is; `terminal` gives
//! the terminal back whatever happens. Nothing here decides what a key or a message means.

mod body;
mod detail;
pub mod events;
mod footer;
mod header;
mod help;
pub mod printed;
pub mod runner;
pub mod spans;
mod terminal;
pub mod theme;
pub mod view;
mod welcome;
