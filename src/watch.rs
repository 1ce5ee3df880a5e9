//! The watcher: a pure model of what one watch has seen, and the views that show it.
//!
//! [`model`] decides, without clock, terminal or network, what each update means and when the watch
//! is over. [`pipe`] shows updates as lines. [`follow`] carries updates from the stream to both.

pub mod follow;
pub mod model;
pub mod pipe;
