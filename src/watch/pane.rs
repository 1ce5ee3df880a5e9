//! The pane: the whole terminal for one stream.
//!
//! [`state`] is the model, [`update`] applies keys and updates to it, [`keys`] is the table of its keys. [`draw`] draws
//! the model, [`run`] is the loop around both, and `terminal` restores the terminal in every case. Only `run`,
//! `clipboard` and `terminal` do I/O.

mod clipboard;
pub mod draw;
pub mod events;
pub mod keys;
pub mod last_screen;
pub mod run;
pub mod state;
mod terminal;
pub mod update;
