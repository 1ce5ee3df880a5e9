//! The subcommands, one file each: its arguments and what it does.

pub mod completions;
pub mod send;
pub mod serve;
pub mod watch;
