//! Event streams, read as a simple client does.

use serde_json::Value;

use super::{Connection, Head};
use crate::support::soon;

/// An open stream.
pub(crate) struct Stream {
    pub(crate) connection: Connection,
    pub(crate) head: Head,
    /// Of its body, what was not yet given out.
    text: Vec<u8>,
    is_over: bool,
}

/// An event, by what a simple client takes of it.
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

    /// All up to and with the next blank line, byte for byte; `None` where the stream ends as it should.
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

    /// The next event; comments are passed over.
    pub(crate) async fn event(&mut self) -> Event {
        self.next_event().await.expect("the stream ended")
    }

    /// The next event; `None` where the stream ends as it should.
    pub(crate) async fn next_event(&mut self) -> Option<Event> {
        // As a whole: heartbeats would feed a patience with each read for ever.
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

    /// The data of the next so many events.
    pub(crate) async fn data(&mut self, count: usize) -> Vec<String> {
        let mut data = Vec::new();
        while data.len() < count {
            data.push(self.event().await.data);
        }
        data
    }

    /// Asserts that the stream ends as it should, now.
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

    /// The number in its ID.
    pub(crate) fn seq(&self) -> u64 {
        let (seq, _) = self.id.split_once('-').unwrap();
        seq.parse().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}
