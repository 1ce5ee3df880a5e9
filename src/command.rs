//! The verbs, one file each: its arguments and what it does with them.

pub mod completions;
pub mod serve;
