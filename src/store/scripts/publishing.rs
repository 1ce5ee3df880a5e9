//! Publishing: the short script for a single message, and the general one.

use super::answer::plain_receipt;
use super::{Scripts, named};
use crate::event::ClientId;
use crate::hub::Receipt;
use crate::message::Message;
use crate::refusal::Refusal;
use crate::store::entry;

/// The arguments of one call of [`Scripts::publish`].
pub(in crate::store) struct Publication<'a> {
    /// The node and the ticket of a streaming request.
    pub(in crate::store) work: Option<&'a str>,
    /// How many messages of the request are known to be accepted.
    pub(in crate::store) done: u64,
    pub(in crate::store) key: Option<&'a str>,
    /// Whether to stop before a reader would lose messages.
    pub(in crate::store) flow: bool,
}

/// The outcome of such a call.
pub(in crate::store) struct Taken {
    pub(in crate::store) receipt: Receipt,
    /// Whether it stopped for a reader.
    pub(in crate::store) is_held: bool,
}

impl Scripts {
    /// Publishes one message.
    pub(in crate::store) async fn publish(
        &self,
        id: ClientId,
        message: &Message,
        key: Option<&str>,
    ) -> Result<Receipt, Refusal> {
        if key.is_some() || message.outcome.is_some() {
            let publication = Publication {
                work: None,
                done: 0,
                key,
                flow: false,
            };
            let taken = self.publish_some(id, "", [message], &publication).await?;
            return Ok(taken.receipt);
        }
        let [channel, log, ..] = self.keys(id);
        let asked = self.publish_plain.run(&self.link, |invocation| {
            invocation.key(channel).key(log);
            invocation
                .arg(self.link.deadline())
                .arg(entry::encode(message));
        });
        let answer: Vec<u8> = asked.await?;
        match &*answer {
            b"late" => Err(Refusal::StoreAway),
            // The general script returns the reason.
            b"missing" => Err(self.why_missing(id).await?),
            answer => plain_receipt(answer).ok_or(Refusal::StoreAway),
        }
    }

    async fn why_missing(&self, id: ClientId) -> Result<Refusal, Refusal> {
        match self.call(&self.done, id, &[b"", b""]).await {
            Err(refusal @ Refusal::Hub(_)) => Ok(refusal),
            Err(refusal) => Err(refusal),
            Ok(_) => Ok(Refusal::StoreAway),
        }
    }

    /// Publishes as many messages as there is room for.
    pub(in crate::store) async fn publish_some(
        &self,
        id: ClientId,
        node: &str,
        messages: impl IntoIterator<Item = &Message>,
        publication: &Publication<'_>,
    ) -> Result<Taken, Refusal> {
        let &Publication {
            work,
            done,
            key,
            flow,
        } = publication;
        let (deadline, done) = (self.link.deadline().to_string(), done.to_string());
        let whole = if work.is_none() { "whole" } else { "" };
        let (mut newest, mut entries, mut ends) = (None, Vec::new(), Vec::new());
        for message in messages {
            newest = message.operation.as_ref().or(newest);
            entries.push(entry::encode(message));
            if message.outcome.is_some() {
                ends.push(entries.len().to_string().into());
                ends.push(named(message.operation.as_ref()).into());
            }
        }
        let (newest, count) = (named(newest), entries.len().to_string());
        let head = [
            &*deadline,
            if flow { "flow" } else { "" },
            node,
            work.unwrap_or_default(),
            &*done,
            key.unwrap_or_default(),
            whole,
            &*newest,
            &*count,
        ];
        let head = head.iter().map(|it| it.as_bytes());
        let rest = entries.iter().chain(&ends).map(Vec::as_slice);
        let arguments: Vec<_> = head.chain(rest).collect();
        let mut answer = self.call(&self.publish, id, &arguments).await?;
        let last = answer.id()?;
        let accepted = answer.number()?;
        let control = answer.control()?;
        Ok(Taken {
            receipt: Receipt {
                last: Some(last).filter(|it| it.seq > 0),
                accepted,
                subscribers: control.subscribers,
                requested: control.requested,
            },
            is_held: answer.text()? == "held",
        })
    }
}
