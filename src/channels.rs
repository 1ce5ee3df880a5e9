//! Every client's channel, wherever it is: what the server's handlers ask, and who answers.
//!
//! They are this process's own, in its [`Hub`], which answers at once. The verbs are async all the same: channels that
//! several servers share are asked for over a connection.

// Until there are such channels.
#![expect(
    clippy::unused_async,
    reason = "a hub answers at once, what servers share does not"
)]

use std::panic::resume_unwind;

use tokio::task::{self, JoinError};

use crate::control::{ControlRequest, ControlState};
use crate::event::{ClientId, Format};
use crate::hub::{
    ClientInfo, ControlStream, Hub, Position, PublishStream, Receipt, Refusal, Stats, Subscription,
};
use crate::message::{Message, Operation};

/// The channels that a server serves. Cloning it gives another handle to the same ones.
#[derive(Clone)]
pub enum Channels {
    /// This process's alone.
    Own(Hub),
}

impl From<Hub> for Channels {
    fn from(hub: Hub) -> Self {
        Self::Own(hub)
    }
}

/// The verbs are the hub's: each is documented there.
impl Channels {
    /// The hub whose subscriptions are read in this process, and which bounds what it holds.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        match self {
            Self::Own(hub) => hub,
        }
    }

    /// The hub, where all channels are its own: it answers without being awaited.
    #[must_use]
    pub fn own(&self) -> Option<&Hub> {
        match self {
            Self::Own(hub) => Some(hub),
        }
    }

    /// Whether clients can be served now.
    ///
    /// # Errors
    /// [`Refusal::Closing`].
    pub async fn ready(&self) -> Result<(), Refusal> {
        match self {
            Self::Own(hub) => hub.admit(),
        }
    }

    /// [`Hub::connect`].
    ///
    /// # Errors
    /// As there.
    pub async fn connect(&self) -> Result<ClientId, Refusal> {
        match self {
            Self::Own(hub) => hub.connect(),
        }
    }

    /// [`Hub::subscribe`].
    ///
    /// # Errors
    /// As there.
    pub async fn subscribe(
        &self,
        id: ClientId,
        format: Format,
        from: Position,
    ) -> Result<Subscription, Refusal> {
        match self {
            Self::Own(hub) => hub.subscribe(id, format, from),
        }
    }

    /// [`Hub::attach`].
    ///
    /// # Errors
    /// As there.
    pub async fn attach(
        &self,
        id: ClientId,
        format: Format,
        from: Position,
    ) -> Result<Subscription, Refusal> {
        match self {
            Self::Own(hub) => hub.attach(id, format, from),
        }
    }

    /// [`Hub::publish`].
    ///
    /// # Errors
    /// As there.
    pub async fn publish(
        &self,
        id: ClientId,
        message: Message,
        key: Option<&str>,
    ) -> Result<Receipt, Refusal> {
        match self {
            Self::Own(hub) => hub.publish(id, message, key),
        }
    }

    /// [`Hub::publish_stream`].
    ///
    /// # Errors
    /// As there.
    pub async fn publish_stream(
        &self,
        id: ClientId,
        key: Option<&str>,
    ) -> Result<PublishStream, Refusal> {
        match self {
            Self::Own(hub) => hub.publish_stream(id, key.map(Into::into)),
        }
    }

    /// [`Hub::broadcast`], to its end: how many channels took the message.
    ///
    /// # Errors
    /// As there, and why not a single channel could take it.
    pub async fn broadcast(&self, message: Message, key: Option<&str>) -> Result<usize, Refusal> {
        match self {
            Self::Own(hub) => {
                let mut broadcast = hub.broadcast(message, key.map(Into::into))?;
                loop {
                    if let Some(reached) = broadcast.advance() {
                        return reached;
                    }
                    task::yield_now().await;
                }
            }
        }
    }

    /// [`Hub::clients`].
    pub async fn clients(&self) -> Vec<ClientInfo> {
        match self {
            // There may be very many, which would hold the other requests of this thread up.
            Self::Own(hub) => {
                let hub = hub.clone();
                let clients = task::spawn_blocking(move || hub.clients());
                let panicked = |error: JoinError| resume_unwind(error.into_panic());
                clients.await.unwrap_or_else(panicked)
            }
        }
    }

    /// [`Hub::stats`].
    pub async fn stats(&self) -> Stats {
        match self {
            Self::Own(hub) => hub.stats(),
        }
    }

    /// [`Hub::stop`].
    pub async fn stop(&self, id: ClientId) -> bool {
        match self {
            Self::Own(hub) => hub.stop(id),
        }
    }

    /// [`Hub::request_control`].
    ///
    /// # Errors
    /// As there.
    pub async fn request_control(
        &self,
        id: ClientId,
        request: ControlRequest,
    ) -> Result<ControlState, Refusal> {
        match self {
            Self::Own(hub) => hub.request_control(id, request),
        }
    }

    /// [`Hub::listen`].
    ///
    /// # Errors
    /// As there.
    pub async fn listen(
        &self,
        id: ClientId,
        operation: Option<Operation>,
    ) -> Result<ControlStream, Refusal> {
        match self {
            Self::Own(hub) => hub.listen(id, operation),
        }
    }
}
