//! codechat: see what your long-running request is doing, live, in your terminal.
pub mod client;
pub mod event;
pub mod message;
pub mod wire;
