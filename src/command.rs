//! The verbs, one file each: its arguments and what it does with them.

pub mod completions;
pub mod send;
pub mod serve;
pub mod watch;
