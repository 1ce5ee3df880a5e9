//! The channels of all clients, as the server's handlers use them.
//!
//! Channels are either this process's own, in its [`Hub`], which answers at once, or shared by several servers in a
//! [`Store`], which is queried over a connection. In both cases, subscriptions are read in this process.

use std::collections::VecDeque;
use std::panic::resume_unwind;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::task::{self, JoinError};

use crate::control::{ControlRequest, ControlState};
use crate::event::{ClientId, Format};
use crate::hub::{
    ClientInfo, ControlStream, Hub, Position, PublishStream, Receipt, Stats, Subscription,
};
use crate::message::{Message, Operation};
pub use crate::refusal::Refusal;
#[cfg(feature = "store")]
use crate::store::{self, Store};

/// The channels that a server serves. Clones are handles to the same ones.
#[derive(Clone)]
pub enum Channels {
    /// Channels of this process alone.
    Own(Hub),
    /// Channels that several servers share.
    #[cfg(feature = "store")]
    Shared(Store),
}

impl From<Hub> for Channels {
    fn from(hub: Hub) -> Self {
        Self::Own(hub)
    }
}

impl From<&Hub> for Channels {
    fn from(hub: &Hub) -> Self {
        Self::Own(hub.clone())
    }
}

#[cfg(feature = "store")]
impl From<Store> for Channels {
    fn from(store: Store) -> Self {
        Self::Shared(store)
    }
}

/// Most methods are those of [`Hub`] with the same name, and are documented there.
impl Channels {
    /// Returns the hub of this process: it holds the subscriptions that are read here.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        match self {
            Self::Own(hub) => hub,
            #[cfg(feature = "store")]
            Self::Shared(store) => store.hub(),
        }
    }

    /// Returns the hub if it holds all channels: it answers without being awaited.
    #[must_use]
    pub fn own(&self) -> Option<&Hub> {
        match self {
            Self::Own(hub) => Some(hub),
            #[cfg(feature = "store")]
            Self::Shared(_) => None,
        }
    }

    /// Checks that clients can be served now.
    ///
    /// # Errors
    /// [`Closing`](crate::hub::Refusal::Closing), [`Refusal::StoreAway`].
    pub fn ready(&self) -> Result<(), Refusal> {
        match self {
            Self::Own(hub) => Ok(hub.admit()?),
            #[cfg(feature = "store")]
            Self::Shared(store) => store.ready(),
        }
    }

    /// Tells the other servers, after the last request, that this one leaves. Does nothing without a store.
    pub async fn leave(&self) {
        match self {
            Self::Own(_) => {}
            #[cfg(feature = "store")]
            Self::Shared(store) => store.leave().await,
        }
    }

    /// [`Hub::connect`].
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn connect(&self) -> Result<ClientId, Refusal> {
        match self {
            Self::Own(hub) => Ok(hub.connect()?),
            #[cfg(feature = "store")]
            Self::Shared(store) => store.open().await,
        }
    }

    /// [`Hub::subscribe`].
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn subscribe(
        &self,
        id: ClientId,
        format: Format,
        from: Position,
    ) -> Result<Subscription, Refusal> {
        match self {
            Self::Own(hub) => Ok(hub.subscribe(id, format, from)?),
            #[cfg(feature = "store")]
            Self::Shared(store) => store.subscribe(id, format, from, true).await,
        }
    }

    /// [`Hub::attach`].
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn attach(
        &self,
        id: ClientId,
        format: Format,
        from: Position,
    ) -> Result<Subscription, Refusal> {
        match self {
            Self::Own(hub) => Ok(hub.attach(id, format, from)?),
            #[cfg(feature = "store")]
            Self::Shared(store) => store.subscribe(id, format, from, false).await,
        }
    }

    /// [`Hub::publish`].
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn publish(
        &self,
        id: ClientId,
        message: Message,
        key: Option<&str>,
    ) -> Result<Receipt, Refusal> {
        match self {
            Self::Own(hub) => Ok(hub.publish(id, message, key)?),
            #[cfg(feature = "store")]
            Self::Shared(store) => store.publish(id, message, key).await,
        }
    }

    /// [`Hub::publish_stream`].
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn publish_stream(
        &self,
        id: ClientId,
        key: Option<&str>,
    ) -> Result<Publisher, Refusal> {
        let key = key.map(Into::into);
        match self {
            Self::Own(hub) => Ok(Publisher::Own(hub.publish_stream(id, key)?)),
            #[cfg(feature = "store")]
            Self::Shared(store) => Ok(Publisher::Shared(store.publish_stream(id, key).await?)),
        }
    }

    /// [`Hub::broadcast`], run to its end. Returns how many channels accepted the message.
    ///
    /// # Errors
    /// As there, and the reason if no channel could accept it.
    pub async fn broadcast(&self, message: Message, key: Option<&str>) -> Result<usize, Refusal> {
        let hub = match self {
            Self::Own(hub) => hub,
            #[cfg(feature = "store")]
            Self::Shared(store) => return store.broadcast(message, key).await,
        };
        let mut broadcast = hub.broadcast(message, key.map(Into::into))?;
        loop {
            if let Some(reached) = broadcast.advance() {
                return Ok(reached?);
            }
            task::yield_now().await;
        }
    }

    /// [`Hub::stop`].
    ///
    /// # Errors
    /// The store's.
    pub async fn stop(&self, id: ClientId) -> Result<bool, Refusal> {
        match self {
            Self::Own(hub) => Ok(hub.stop(id)),
            #[cfg(feature = "store")]
            Self::Shared(store) => store.stop(id).await,
        }
    }

    /// [`Hub::request_control`].
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn request_control(
        &self,
        id: ClientId,
        request: ControlRequest,
    ) -> Result<ControlState, Refusal> {
        match self {
            Self::Own(hub) => Ok(hub.request_control(id, request)?),
            #[cfg(feature = "store")]
            Self::Shared(store) => store.request_control(id, request).await,
        }
    }

    /// [`Hub::listen`].
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn listen(
        &self,
        id: ClientId,
        operation: Option<Operation>,
    ) -> Result<ControlStream, Refusal> {
        match self {
            Self::Own(hub) => Ok(hub.listen(id, operation)?),
            #[cfg(feature = "store")]
            Self::Shared(store) => store.listen(id, operation).await,
        }
    }

    /// [`Hub::clients`].
    ///
    /// # Errors
    /// The store's.
    pub async fn clients(&self) -> Result<Vec<ClientInfo>, Refusal> {
        match self {
            // A long list would hold up the other requests of this thread.
            Self::Own(hub) => {
                let hub = hub.clone();
                let clients = task::spawn_blocking(move || hub.clients());
                let panicked = |error: JoinError| resume_unwind(error.into_panic());
                Ok(clients.await.unwrap_or_else(panicked))
            }
            #[cfg(feature = "store")]
            Self::Shared(store) => store.clients().await,
        }
    }

    /// Appends the metrics of the store, if there is one. [`Channels::stats`] updates those that the store counts.
    #[cfg_attr(
        not(feature = "store"),
        expect(unused_variables, reason = "a hub has none")
    )]
    pub fn write_metrics(&self, out: &mut String) {
        match self {
            Self::Own(_) => {}
            #[cfg(feature = "store")]
            Self::Shared(store) => store.write_metrics(out),
        }
    }

    /// [`Hub::stats`] of this process, except that the number of channels includes all that are shared.
    pub async fn stats(&self) -> Stats {
        match self {
            Self::Own(hub) => hub.stats(),
            #[cfg(feature = "store")]
            Self::Shared(store) => Stats {
                channels: store.count().await,
                ..store.hub().stats()
            },
        }
    }
}

/// A streaming publish request: see [`PublishStream`].
pub enum Publisher {
    /// To a channel of this process.
    Own(PublishStream),
    /// To a channel that servers share.
    #[cfg(feature = "store")]
    Shared(store::Publisher),
}

impl Publisher {
    /// [`PublishStream::send`].
    ///
    /// # Errors
    /// As there, and the store's.
    pub async fn send(&mut self, messages: &mut VecDeque<Message>) -> Result<(), Refusal> {
        match self {
            Self::Own(publisher) => Ok(publisher.send(messages).await?),
            #[cfg(feature = "store")]
            Self::Shared(publisher) => publisher.send(messages).await,
        }
    }

    /// Returns the upper bound of the messages to publish in one call, because each call of a store takes time; `None`
    /// if there is no bound.
    #[must_use]
    pub fn batch(&self) -> Option<usize> {
        match self {
            Self::Own(_) => None,
            #[cfg(feature = "store")]
            Self::Shared(_) => Some(store::BATCH_MESSAGES),
        }
    }

    /// [`PublishStream::closed`].
    #[must_use]
    pub fn closed(&self) -> BoxFuture<'static, ()> {
        match self {
            Self::Own(publisher) => publisher.closed().boxed(),
            #[cfg(feature = "store")]
            Self::Shared(publisher) => publisher.closed().boxed(),
        }
    }

    /// [`PublishStream::may_be_resumed`].
    #[must_use]
    pub fn may_be_resumed(&self) -> bool {
        match self {
            Self::Own(publisher) => publisher.may_be_resumed(),
            #[cfg(feature = "store")]
            Self::Shared(publisher) => publisher.may_be_resumed(),
        }
    }

    /// [`PublishStream::accepted`].
    #[must_use]
    pub fn accepted(&self) -> u64 {
        match self {
            Self::Own(publisher) => publisher.accepted(),
            #[cfg(feature = "store")]
            Self::Shared(publisher) => publisher.accepted(),
        }
    }

    /// [`PublishStream::finish`].
    pub async fn finish(self) -> Receipt {
        match self {
            Self::Own(publisher) => publisher.finish(),
            #[cfg(feature = "store")]
            Self::Shared(publisher) => publisher.finish().await,
        }
    }
}
