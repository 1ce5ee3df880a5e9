//! codechat: see what your long-running request is doing, live, in your terminal.
//!
//! A watcher gets a client ID from the server and sends it along with its own request; what works on that
//! request publishes messages to the ID; the watcher shows them. This crate is the server, both kinds of
//! client and the program around them, and what an application needs to publish from inside.
//!
//! # Publishing from inside an application
//!
//! | to | use |
//! | --- | --- |
//! | keep messages for watchers, in this process | [`Hub`], bounded by [`Limits`] |
//! | let watchers in, beside the application's own routes | [`router`], with [`Access`]; or [`serve`] on a listener of its own |
//! | find out which requests are watched, and by whom | [`ScopeLayer`], for axum, tonic and all else that takes a tower layer |
//! | send the events of `tracing` | [`tracing_layer()`] |
//! | send other messages, progress and outcomes; be cancelled | [`current()`], which gives the request's [`Scope`] |
//! | send to a server in another process | `Publisher::http` or `Publisher::from_env`; at the end, [`Publisher::flush`] |
//! | work outside of requests, as a queue's worker does | [`Publisher::scope`], and [`Scope::bind`] |
//! | call other services that publish to the same watcher | [`headers()`] |
//!
//! Nothing of it blocks, fails or panics, and a request that nobody watches costs next to nothing. `examples/rust/axum.rs` and
//! `examples/rust/worker.rs` are whole programs; in short:
//!
//! ```
//! # #[cfg(feature = "server")]
//! # fn main() {
//! use axum::{Router, routing::get};
//! use codechat::{Access, Hub, Limits, Publisher, RouterOptions, ScopeLayer};
//! use tracing_subscriber::{filter::LevelFilter, fmt, prelude::*, registry};
//!
//! let log = fmt::layer().with_filter(LevelFilter::INFO);
//! registry().with(codechat::tracing_layer()).with(log).init();
//!
//! async fn refresh() -> &'static str {
//!     let import = codechat::current().operation("import").unit("files");
//!     for file in 1..=120 {
//!         import.progress(file, Some(120));
//!         tracing::debug!("file {file}"); // sent if the watcher of this request asks for it
//!     }
//!     import.finish(codechat::Outcome::Ok);
//!     "done"
//! }
//!
//! let hub = Hub::new(Limits::default());
//! let app: Router = Router::new()
//!     .route("/refresh", get(refresh))
//!     .layer(ScopeLayer::new(Publisher::new(&hub)))
//!     .merge(codechat::router(&hub, RouterOptions::new(Access::open())));
//! # }
//! # #[cfg(not(feature = "server"))]
//! # fn main() {}
//! ```
//!
//! # The client
//!
//! It publishes to a server, and reads a client's stream from it:
//!
//! ```no_run
//! use codechat::{Client, ClientOptions, Message, SubscribeOptions, Update};
//! use futures_util::StreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("http://127.0.0.1:2428".parse()?, ClientOptions::default())?;
//! let (id, _) = client.connect().await?;
//! client.publish(id, &Message::text("Refresh finished"), "key-1").await?;
//! let mut feed = client.subscribe(id, SubscribeOptions::default());
//! while let Some(update) = feed.next().await {
//!     if let Update::Message(received) = update? {
//!         println!("{}", received.message.text);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | gives |
//! | --- | --- |
//! | none | [`Hub`], [`Message`], [`Scope`], [`ScopeLayer`], [`tracing_layer()`]: publishing on a hub in the same process |
//! | `server` | [`router`] and [`serve`]: the HTTP API |
//! | `client` | [`Client`]: reading and publishing over HTTP |
//! | `store` | channels that several servers share |
//! | `cli` (default) | the program; all of the above |
//!
//! `cargo add codechat --no-default-features -F server` builds no terminal's user interface. Without `cli`, nothing here changes the
//! process: no TLS provider is installed, no signal handled, nothing printed.
//!
//! # Later versions
//!
//! A minor version may add fields to structs and variants to enums, which are therefore `#[non_exhaustive]`: create options with `new`
//! and their setters, and messages with [`Message::text`], and give each `match` an arm for other variants. Only [`Level`],
//! [`Outcome`], [`Change`] and [`EventId`] are complete.
//!
//! # The map
//!
//! In the order in which to read it; each layer may use those in its last column, and nothing else.
//!
//! | layer | is | may use |
//! | --- | --- | --- |
//! | `message`, `event`, `control` | what a publisher says; what the server has accepted, and its IDs; what a watcher requests | each other |
//! | `hub` | channels: a bounded log each, positions in it, and control | `message`, `event`, `control` |
//! | `refusal` | why channels refuse something, wherever they are kept | `hub` |
//! | `wire` | bytes ⇄ values: frames, JSON, routes, header names | `message`, `event`, `control` |
//! | `frames` | where hub and wire meet: how events are written | `hub`, `wire` |
//! | `update` | what a reader of a stream learns | `message`, `event` |
//! | `message_builder` | how an application makes messages: what breaks a rule is repaired | `message` |
//! | `hub_feed` | reading a client's messages in the hub's process | `hub`, `wire`, `update` |
//! | `publisher`, `scope` | publishing from inside an application: where messages go; one request's client | `message_builder`, `hub` and below; each other's parts; to a server, `client` |
//! | `scope_layer`, `tracing_layer` | the tower layer that finds a request's client; the `tracing` layer that follows its watcher | `publisher`, `scope`, `wire` and below |
//! | `terminal` | foreign text made safe for a terminal; the program's own lines on stderr, the status line | nothing |
//! | `token` | the secret between a server and its clients | nothing |
//! | `duration`, `lock` | durations as people read them; locks that are held for a moment | nothing |
//! | `file_error` | why a file cannot be used, in words | nothing |
//! | `metrics` | counters and histograms, in Prometheus's text format | nothing |
//! | `pem_file` | certificates and keys in files | `file_error` |
//! | `trust` | whose certificates a TLS client trusts | nothing |
//! | `store` | channels that several servers share in Redis, and their mirrors in a hub | `hub`, `wire`, `token`, `metrics`, `pem_file` and below |
//! | `channels` | whose the channels are: a hub's or a store's | `hub`, `store` and below |
//! | `server` | the HTTP handlers of the channels, and the accept loop | `channels`, `hub`, `wire`, `token`, `metrics`, `pem_file` and below |
//! | `client` | reading a stream, publishing, and beginning again after a loss | `wire`, `token` and below |
//! | `watch` | what a watcher has seen, when it is over, and how it is written | `client`, `wire`, `terminal` and below |
//! | `signals`, `process` | signals; commands that are run | each other |
//! | `command`, `cli` | the commands and their flags; exit codes | all of the above |
//!
//! # What carries it
//!
//! - **A channel is a log, a subscriber is a position in it.** Replay, live delivery, slow readers,
//!   several watchers and resuming are one path. A position that fell off the log is a gap with exact
//!   numbers, which the stream reports.
//! - **A channel begins when its ID is issued**, so what is published before the watcher attaches is
//!   kept.
//! - **Only a streaming publisher waits** for attached readers; a single message never does.
//! - **The hub is handed bytes and hands out bytes.** A frame is encoded once per format, however many
//!   subscribers there are.
//! - **Everything is bounded**: logs, channels, subscribers, bodies, heads, time.
//!
//! # What is absent, on purpose
//!
//! - No HTTP, JSON or terminal in `hub`: it is told how frames are written (`hub::Frames`).
//! - No sockets in `wire`, and no serde outside it, but for the answers that `client` reads by type,
//!   a recording's own lines, and what the events of other servers say.
//! - No way between `server` and `client`: they meet in `wire` alone.
//! - No I/O and no clock in the watcher's models (`watch::model`, `watch::pane::state`): updates and keys
//!   come in, with the time; a verdict or effects come out.
//! - No lock held across an `.await`, and no `process::exit`: only `main` turns a result into a code.
//! - No disk: what the server holds is gone with it, unless it is in a store.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(unix))]
compile_error!("codechat runs on Unix systems only: Linux, and perhaps macOS, which is not tested");

#[cfg(feature = "server")]
mod channels;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "cli")]
mod command;
mod control;
mod duration;
mod event;
#[cfg(any(feature = "server", feature = "client", feature = "store"))]
mod file_error;
mod frames;
mod hub;
mod hub_feed;
mod lock;
mod message;
mod message_builder;
#[cfg(any(feature = "server", feature = "store"))]
mod metrics;
#[cfg(any(feature = "server", feature = "store"))]
mod pem_file;
#[cfg(feature = "cli")]
mod process;
mod publisher;
#[cfg(any(feature = "server", feature = "store"))]
mod refusal;
mod scope;
mod scope_layer;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "cli")]
mod signals;
#[cfg(feature = "store")]
mod store;
#[cfg(feature = "cli")]
mod terminal;
#[cfg(any(feature = "server", feature = "client", feature = "store"))]
mod token;
mod tracing_layer;
#[cfg(any(feature = "client", feature = "store"))]
mod trust;
mod update;
#[cfg(feature = "cli")]
mod watch;
mod wire;

#[cfg(feature = "client")]
pub use client::{
    BadServerUrl, Client, ClientError, ClientOptions, ServerUrl,
    subscribe::{Feed, FeedError, NotAStream, Reconnect, SubscribeOptions},
};
pub use control::{Cancel, Change, ControlRequest, ControlState, Requested};
pub use event::{
    ClientId, End, EventId, Format, Gap, NotAClientId, NotAFormat, NotAnEventId, UnixMillis,
};
pub use hub::{ClientInfo, Hub, Limits, LogLimits, Position, Receipt, Refusal, Stats};
pub use hub_feed::HubFeed;
pub use message::{EventName, Invalid, Level, Message, Operation, Outcome, Progress};
pub use message_builder::{FIELDS_MAX, Number, TEXT_MAX};
#[cfg(any(feature = "server", feature = "store"))]
pub use pem_file::PemFileError;
#[cfg(feature = "client")]
pub use publisher::{HttpOptions, SetupError};
pub use publisher::{Publisher, PublisherStats, Unflushed};
pub use scope::{Bound, OperationGuard, Scope, current};
pub use scope_layer::{ScopeBody, ScopeFuture, ScopeLayer, ScopeService, headers};
#[cfg(feature = "server")]
pub use server::{
    Access, AllowedHost, AllowedOrigin, NotAHost, NotAnOrigin, RouterOptions, ServerOptions, Tls,
    TlsError, router, serve,
};
#[cfg(any(feature = "server", feature = "client", feature = "store"))]
pub use token::Token;
pub use tokio_util::sync::CancellationToken;
pub use tracing_layer::{Spans, TracingOptions, tracing_layer};
pub use update::{ForeignEvent, Received, Update};
#[cfg(any(feature = "server", feature = "client"))]
pub use wire::answer::{Broadcast, Connected, Published};

/// The modules behind the library, for this package's own program, tests and benches. Nothing in it is
/// promised to stay.
#[doc(hidden)]
pub mod internal {
    macro_rules! open {
        ($($module:ident)*) => { $(pub mod $module { pub use crate::$module::*; })* };
    }
    open!(control event frames hub message wire);
    #[cfg(feature = "client")]
    open!(client);
    #[cfg(feature = "server")]
    open!(channels server);
    #[cfg(feature = "store")]
    open!(store);
    #[cfg(feature = "cli")]
    open!(cli command terminal watch);
}

/// An error with its causes, each once, on one line.
#[cfg(feature = "server")]
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
