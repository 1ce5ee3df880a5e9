//! Output for people: foreign text made safe, lines on stderr, a status line; and the standard streams.

pub mod safe_text;
pub mod sgr;
pub mod size;
pub mod status_line;
pub mod stderr;
pub mod streams;
