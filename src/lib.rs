//! codechat: see what your long-running request is doing, live, in your terminal.

pub mod cli;
pub mod client;
pub mod command;
pub mod event;
pub mod hub;
pub mod message;
pub mod server;
pub mod shutdown;
pub mod talk;
pub mod text;
pub mod watch;
pub mod wire;

/// An error with its causes, each once, on one line.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
