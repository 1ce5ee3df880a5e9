//! codechat: see what your long-running request is doing, live, in your terminal.
//!
//! A watcher gets a client ID from the server and sends it along with its own request; whatever works
//! on that request publishes messages to the ID; the watcher shows them. This crate is the server,
//! both kinds of client and the program around them.
//!
//! # The map
//!
//! In the order in which to read it; each layer may use those in its last column, and nothing else.
//!
//! | layer | is | may use |
//! | --- | --- | --- |
//! | [`message`], [`event`], [`wish`] | what a publisher may say; what the server has accepted, and its IDs; what a watcher may ask | each other |
//! | [`hub`] | channels: a bounded log each, positions in it, and the way back | `message`, `event`, `wish` |
//! | [`wire`] | bytes ⇄ values: frames, JSON, paths, header names | `message`, `event`, `wish` |
//! | [`text`], [`talk`] | foreign text made safe for a terminal; the program's own lines on stderr | nothing; `text` |
//! | [`token`] | the secret between a server and its clients | nothing |
//! | [`server`] | the HTTP doors to the hub, and the accept loop | `hub`, `wire`, `token` and below |
//! | [`client`] | reading a stream, publishing, and beginning again after a loss | `wire`, `token` and below |
//! | [`watch`] | what a watcher has seen, when it is over, and how it is written | `client`, `wire`, `talk`, `text` and below |
//! | [`shutdown`], [`child`] | signals; commands that are run | each other |
//! | [`command`], [`cli`] | the verbs and their flags; exit codes | all of the above |
//!
//! # What carries it
//!
//! - **A channel is a log, a subscriber is a position in it.** Replay, live delivery, slow readers,
//!   several watchers and resuming are one path. A position that fell off the log is a gap with exact
//!   numbers, which the stream tells.
//! - **A channel begins when its ID is issued**, so what is published before the watcher attaches is
//!   kept.
//! - **Only a streaming publisher waits** for attached readers; a single message never does.
//! - **The hub is handed bytes and hands out bytes.** A frame is encoded once per format, however many
//!   subscribers there are.
//! - **Everything is bounded**: logs, channels, subscribers, bodies, heads, time.
//!
//! # What is absent, on purpose
//!
//! - No HTTP, JSON or terminal in `hub`: it is told how frames are written ([`hub::Frames`]).
//! - No sockets in `wire`, and no serde outside it, but for the answers that `client` reads by type and
//!   a recording's own lines.
//! - No way between `server` and `client`: they meet in `wire` alone.
//! - No I/O and no clock in the watcher's models ([`watch::model`], [`watch::screen`]): updates and keys
//!   come in, with the time; a verdict or effects come out.
//! - No lock held across an `.await`, and no `process::exit`: only `main` turns a result into a code.
//! - No disk: what the server holds is gone with it.

pub mod cli;
pub mod client;
pub mod command;
pub mod control;
pub mod event;
pub mod hub;
pub mod message;
pub mod process;
pub mod server;
pub mod signals;
pub mod terminal;
pub mod token;
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
