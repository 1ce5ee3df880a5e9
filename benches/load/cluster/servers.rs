//! Servers with a store, and those that they are compared with.

use std::process::Command;

use super::store::Store;
use crate::process::{self, Cores, Machine, Server};

/// A server with this store, or without one.
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

/// A server that leaves all requests to the HTTP library, as one with a store does.
pub(super) fn plain(machine: &Machine) -> anyhow::Result<Server> {
    start(machine, Cores::Its, |command| {
        command.env("CODECHAT_PLAIN_STREAMS", "true");
    })
}

/// A server that leaves requests to the HTTP library, as one with a store does, and writes streams as that does: pages of
/// another origin are let in, which the fast path does not look at.
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
