//! The pane: the whole terminal for one stream.
//!
//! [`runner`] is the loop; [`view`] draws the model that [`screen`](super::pane::state) is; `terminal` gives
//! the terminal back whatever happens. Nothing here decides what a key or a message means.

pub mod draw;
pub mod events;
pub mod keys;
pub mod last_screen;
pub mod run;
pub mod state;
mod terminal;
pub mod update;
