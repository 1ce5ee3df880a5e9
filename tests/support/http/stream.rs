//! Event streams, read like a simple client does.

use serde_json::Value;

use super::{Connection, Head};
use crate::support::soon;

/// An open stream.
pub(crate) struct Stream {
    pub(crate) connection: Connection,
    pub(crate) head: Head,
    /// The part of its body that was not returned yet.
    text: Vec<u8>,
    is_over: bool,
}

/// An event, as a simple client reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: String,
}

impl Stream {
    pub(super) fn new(connection: Connection, head: Head) -> Self {
        Self {
            connection,
            head,
            text: Vec::new(),
            is_over: false,
        }
    }

    /// Returns everything up to the next blank line, with it, byte for byte; `None` if the stream ends properly.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.text.windows(2).position(|it| it == b"\n\n") {
                let block = self.text.drain(..at + 2).collect();
                return Some(String::from_utf8(block).unwrap());
            }
            if self.is_over {
                assert_eq!(
                    String::from_utf8_lossy(&self.text),
                    "",
                    "an unfinished event"
                );
                return None;
            }
            match self.connection.chunk().await {
                Some(chunk) => self.text.extend(chunk),
                None => self.is_over = true,
            }
        }
    }

    /// Returns the next event; comments are skipped.
    pub(crate) async fn event(&mut self) -> Event {
        self.next_event().await.expect("the stream ended")
    }

    /// Returns the next event; `None` if the stream ends properly.
    pub(crate) async fn next_event(&mut self) -> Option<Event> {
        // One time limit for all reads: each heartbeat would restart the limit of a single read.
        soon(async {
            loop {
                let block = self.block().await?;
                if !block.starts_with(':') {
                    return Some(Event::read(&block));
                }
            }
        })
        .await
    }

    /// Returns the data of the next `count` events.
    pub(crate) async fn data(&mut self, count: usize) -> Vec<String> {
        let mut data = Vec::new();
        while data.len() < count {
            data.push(self.event().await.data);
        }
        data
    }

    /// Asserts that the stream ends properly, now.
    pub(crate) async fn ended(&mut self) {
        assert_eq!(self.block().await, None);
    }
}

impl Event {
    fn read(block: &str) -> Self {
        let values = |name: &str| {
            let values: Vec<_> = block
                .lines()
                .filter_map(|it| it.strip_prefix(name))
                .collect();
            values.join("\n")
        };
        Self {
            id: values("id: "),
            name: values("event: "),
            data: values("data: "),
        }
    }

    /// Returns the number in its ID.
    pub(crate) fn seq(&self) -> u64 {
        let (seq, _) = self.id.split_once('-').unwrap();
        seq.parse().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}
