//! `codechat send MESSAGE`: one message, to one client or to all.

use anyhow::Context;

use super::delivery::Outage;
use crate::cli::exit::Exit;
use crate::client::Client;
use crate::client::give_up::GiveUp;
use crate::client::publish::{HttpPublisher, PublishError, Retry};
use crate::event::ClientId;
use crate::message::Message;
use crate::signals::Signals;
use crate::terminal::stderr;

/// Publishes one message; without `to`, to all clients.
///
/// # Errors
/// If the server cannot be reached, or refuses; the text says what to do.
pub(super) async fn run(
    client: Client,
    to: Option<ClientId>,
    message: &Message,
    give_up: GiveUp,
) -> anyhow::Result<Exit> {
    let mut signals = Signals::new().context("receive signals")?;
    tokio::select! {
        sent = publish(client, to, message, give_up) => Ok(sent.map(|()| Exit::Done)?),
        signal = signals.recv() => {
            stderr::line("the message was not delivered: interrupted");
            Ok(signal.into())
        }
    }
}

async fn publish(
    client: Client,
    to: Option<ClientId>,
    message: &Message,
    give_up: GiveUp,
) -> Result<(), PublishError> {
    let mut outage = Outage::default();
    let failed = |retry: Retry| outage.failed(&retry.reason);
    let sent = if let Some(id) = to {
        let mut publisher = HttpPublisher::new(client, id, give_up);
        publisher.publish(message, failed).await.map(drop)
    } else {
        let mut publisher = HttpPublisher::to_all(client, give_up);
        publisher.broadcast(message, failed).await.map(drop)
    };
    outage.over(&sent);
    sent
}
