//! The pane: the whole terminal for one stream.
//!
//! [`state`] is what it shows and [`update`] what keys and messages make of that; [`keys`] is the table of
//! its keys. [`draw`] draws the state, [`run`] is the loop around both, and `terminal` gives the terminal
//! back whatever happens. Only `run`, `clipboard` and `terminal` do I/O.

mod clipboard;
pub mod draw;
pub mod events;
pub mod keys;
pub mod last_screen;
pub mod run;
pub mod state;
mod terminal;
pub mod update;
