//! Connected publishers: what the store keeps of them, and what happens when they disconnect.

use super::{Scripts, named};
use crate::control::ControlState;
use crate::event::{ClientId, EventId};
use crate::hub::Receipt;
use crate::message::{Message, Operation};
use crate::refusal::Refusal;
use crate::store::entry;

impl Scripts {
    /// Begins a try of a streaming request. Returns the number of subscribers.
    pub(in crate::store) async fn begin(
        &self,
        id: ClientId,
        node: &str,
        work: &str,
        key: Option<&str>,
    ) -> Result<usize, Refusal> {
        let arguments = [node, work, "streams", key.unwrap_or_default()];
        let mut answer = self
            .call(&self.begin, id, &arguments.map(str::as_bytes))
            .await?;
        answer.number()
    }

    /// Notes that a control stream accompanies an operation.
    pub(in crate::store) async fn stand(
        &self,
        id: ClientId,
        node: &str,
        work: &str,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        let arguments = [node, work, "listens", &named(Some(operation))];
        self.call(&self.begin, id, &arguments.map(str::as_bytes))
            .await
            .map(drop)
    }

    /// Finishes a streaming request.
    pub(in crate::store) async fn done(
        &self,
        id: ClientId,
        work: &str,
        key: Option<&str>,
        receipt: &Receipt,
    ) -> Result<ControlState, Refusal> {
        let last = receipt.last.unwrap_or(EventId { seq: 0, time: 0 });
        let numbers = [
            receipt.accepted,
            last.seq,
            last.time,
            receipt.subscribers as u64,
        ];
        let numbers = numbers.map(|it| it.to_string());
        let mut arguments = vec![work.as_bytes(), key.unwrap_or_default().as_bytes()];
        arguments.extend(numbers.iter().map(String::as_bytes));
        self.call(&self.done, id, &arguments).await?.control()
    }

    /// Publishes that a publisher has disconnected, if that has to be reported (see `gone.lua`).
    pub(in crate::store) async fn gone(
        &self,
        id: ClientId,
        work: &str,
        message: &Message,
    ) -> Result<(), Refusal> {
        let arguments = [work.as_bytes(), &entry::encode(message)];
        self.call(&self.gone, id, &arguments).await.map(drop)
    }

    /// Removes a dead node from a channel. Returns its unfinished work, each with the operation that it accompanied.
    pub(in crate::store) async fn drop_node(
        &self,
        id: ClientId,
        node: &str,
    ) -> Result<Vec<(String, Option<Operation>)>, Refusal> {
        let mut answer = self.call(&self.drop, id, &[node.as_bytes()]).await?;
        let mut work = Vec::new();
        while !answer.0.is_empty() {
            let (name, state) = (answer.text()?, answer.text()?);
            let operation = state.split_once('=').and_then(|(_, it)| it.parse().ok());
            work.push((name, operation));
        }
        Ok(work)
    }
}
