//! A message to every channel, published in steps, so that a server with many channels can serve others meanwhile.

use super::channel::Channel;
use super::sync::{Arc, SHARDS};
use super::{Hub, Refusal};
use crate::message::Message;

/// The number of channels in one step.
const STEP: usize = 1000;

/// A broadcast in progress: it reaches every channel that exists from its beginning to its end. A channel that is
/// opened meanwhile may or may not get the message.
#[non_exhaustive]
pub struct Broadcast {
    hub: Hub,
    message: Message,
    key: Option<Box<str>>,
    /// The shards that have not been read yet.
    shards: std::ops::Range<usize>,
    /// The remaining channels of the current shard.
    channels: std::vec::IntoIter<Arc<Channel>>,
    reached: usize,
    refused: Option<Refusal>,
}

impl Broadcast {
    pub(super) fn new(hub: Hub, message: Message, key: Option<Box<str>>) -> Self {
        Self {
            hub,
            message,
            key,
            shards: 0..SHARDS,
            channels: Vec::new().into_iter(),
            reached: 0,
            refused: None,
        }
    }

    /// Publishes to the next 1,000 channels. Once there are no more, returns how many accepted the message, or the
    /// refusal if none could.
    pub fn advance(&mut self) -> Option<Result<usize, Refusal>> {
        for _ in 0..STEP {
            let Some(channel) = self.next() else {
                let refused = self.refused.take().filter(|_| self.reached == 0);
                return Some(refused.map_or(Ok(self.reached), Err));
            };
            let (message, key) = (self.message.clone(), self.key.as_deref());
            match channel.publish(message, key, self.hub.evict(&channel)) {
                Ok(_) => self.reached += 1,
                // The channel has ended meanwhile.
                Err(Refusal::Ended) => {}
                Err(refusal) => self.refused = Some(refusal),
            }
        }
        None
    }

    fn next(&mut self) -> Option<Arc<Channel>> {
        loop {
            if let Some(channel) = self.channels.next() {
                return Some(channel);
            }
            self.channels = self.hub.channels_of(self.shards.next()?).into_iter();
        }
    }
}
