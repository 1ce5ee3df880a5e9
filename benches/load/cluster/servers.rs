//! Servers with a store, and the servers that they are compared with.

use std::process::Command;

use super::store::Store;
use crate::process::{self, Cores, Machine, Server};

/// Starts a server with this store, or without one.
pub(super) fn node(
    machine: &Machine,
    cores: Cores,
    store: Option<&Store>,
) -> anyhow::Result<Server> {
    start(machine, cores, |command| {
        if let Some(store) = store {
            command.args(["--store", &store.url()]);
        }
    })
}

/// Starts a server that leaves all requests to the HTTP library, as one with a store does.
pub(super) fn plain(machine: &Machine) -> anyhow::Result<Server> {
    start(machine, Cores::Its, |command| {
        command.env("CODECHAT_PLAIN_STREAMS", "true");
    })
}

/// Starts a server that leaves requests to the HTTP library and writes streams as one with a store does: it accepts
/// pages of another origin, which the fast path does not handle.
pub(super) fn beside_store(machine: &Machine) -> anyhow::Result<Server> {
    start(machine, Cores::Its, |command| {
        command.args(["--cors-origin", "https://example.org"]);
    })
}

fn start(
    machine: &Machine,
    cores: Cores,
    configure: impl FnOnce(&mut Command),
) -> anyhow::Result<Server> {
    let mut command = machine.command_on(&machine.codechat, cores);
    process::serve(&mut command);
    configure(&mut command);
    Server::listening(command)
}
