//! A hub and the same channels in a store, and the steps that are run on both.

use std::collections::HashMap;
use std::task::{Context, Poll, Waker};

use super::workers::{Own, Worker};
use super::*;
use crate::control::Cancel;
use crate::event::Format;
use crate::hub::{Delivery, Hub, Position, Subscription};
use crate::message::Outcome;

/// A hub, and the same channels in the store, used by several nodes.
pub(super) struct Both<'a> {
    pub(super) stage: &'a Stage,
    pub(super) hub: Hub,
    pub(super) inbox: Inbox,
    pub(super) ids: [ClientId; CHANNELS],
    pub(super) readers: HashMap<(usize, usize), Vec<Subscription>>,
    pub(super) workers: Vec<Worker>,
    pub(super) said: usize,
    pub(super) tickets: usize,
    /// By channel, the number of the next message that node [`WATCHED_NODE`] should get.
    pub(super) next: HashMap<ClientId, u64>,
}

/// The parts of an answer that must be equal; times may differ.
pub(super) type Answer = (Option<u64>, u64, usize, crate::control::Requested);

pub(super) fn answer(receipt: &Receipt) -> Answer {
    let last = receipt.last.map(|it| it.seq);
    (
        last,
        receipt.accepted,
        receipt.subscribers,
        receipt.requested.clone(),
    )
}

pub(super) fn refused<T>(answer: Result<T, Refusal>) -> Result<T, hub::Refusal> {
    answer.map_err(|refusal| match refusal {
        Refusal::Hub(refusal) => refusal,
        other => panic!("{other}"),
    })
}

impl Both<'_> {
    pub(super) async fn step(&mut self, step: Step) {
        match step {
            Step::Say {
                channel,
                key,
                operation,
                ends,
            } => self.say(channel, key, operation, ends).await,
            Step::Subscribe(channel, node) => self.subscribe(channel, node).await,
            Step::Read(channel, node, max) => self.read(channel, node, max).await,
            Step::Leave(channel, node) => {
                if self
                    .readers
                    .get_mut(&(channel, node))
                    .and_then(Vec::pop)
                    .is_some()
                {
                    self.report(channel, node).await.unwrap();
                }
            }
            Step::Begin(channel, node, key) => self.begin(channel, node, key).await,
            Step::Send(which, count, operation) => self.send(which, count, operation).await,
            Step::Finish(which) => self.finish(which).await,
            Step::Break(which) => {
                if let Some(worker) = self.take(which, |it| matches!(it.own, Own::Stream { .. })) {
                    self.lose(worker).await.unwrap();
                }
            }
            Step::Stand(channel, node, name) => self.stand(channel, node, name).await,
            Step::Quit(which) => {
                if let Some(worker) = self.take(which, |it| matches!(it.own, Own::Stands { .. })) {
                    self.lose(worker).await.unwrap();
                }
            }
            Step::Ask(channel, level, cancel) => self.ask(channel, level, cancel).await,
            Step::Stop(channel) => self.stop(channel).await,
            Step::Die(node) => self.die(node).await,
        }
        self.hear().await;
    }

    pub(super) fn message(&mut self, operation: Option<usize>, ends: bool) -> Message {
        self.said += 1;
        Message {
            operation: operation.map(|it| super::operation(NAMES[it])),
            outcome: ends.then_some(Outcome::Ok),
            ..Message::text(self.said.to_string())
        }
    }

    async fn say(
        &mut self,
        channel: usize,
        key: Option<usize>,
        operation: Option<usize>,
        ends: bool,
    ) {
        let (id, message) = (self.ids[channel], self.message(operation, ends));
        let key = key.map(|it| NAMES[it]);
        let own = self.hub.publish(id, message.clone(), key);
        let shared = refused(self.stage.scripts.publish(id, &message, key).await);
        assert_eq!(shared.map(|it| answer(&it)), own.map(|it| answer(&it)));
    }

    async fn subscribe(&mut self, channel: usize, node: usize) {
        let id = self.ids[channel];
        let own = self.hub.subscribe(id, Format::Text, Position::Start);
        let here = self.readers.entry((channel, node)).or_default();
        let joined = if here.is_empty() {
            let joined = refused(self.stage.try_join(id, NODES[node], 1, true).await);
            joined.map(|join| match join {
                Join::Joined(image, _) => image.last().seq + 1,
                Join::Ended(..) => panic!("no reader resumes here"),
            })
        } else {
            let count = here.len() + 1;
            let report = self.stage.report(id, NODES[node], count, 0, 1).await;
            refused(report).map(|_| 0)
        };
        assert_eq!(joined.as_ref().err(), own.as_ref().err());
        if let (Ok(own), Ok(next)) = (own, joined) {
            if here.is_empty() && node == WATCHED_NODE {
                self.next.insert(id, next);
            }
            here.push(own);
            self.report(channel, node).await.unwrap();
        }
    }

    async fn report(&self, channel: usize, node: usize) -> Result<ControlState, Refusal> {
        let readers = &self.readers[&(channel, node)];
        let slowest = readers
            .iter()
            .map(|it| it.last().seq + 1)
            .min()
            .unwrap_or(1);
        self.stage
            .report(self.ids[channel], NODES[node], readers.len(), 0, slowest)
            .await
    }

    async fn read(&mut self, channel: usize, node: usize, max: usize) {
        let Some(readers) = self.readers.get_mut(&(channel, node)) else {
            return;
        };
        let Some(reader) = readers.first_mut() else {
            return;
        };
        let mut cx = Context::from_waker(Waker::noop());
        let _ = reader.poll_read(&mut Vec::new(), max, &mut cx);
        // So that other readers get ahead of it.
        readers.rotate_left(1);
        self.report(channel, node).await.unwrap();
    }

    async fn ask(&mut self, channel: usize, level: Change<Level>, cancel: Change<Option<usize>>) {
        let cancel = match cancel {
            Change::Keep => Change::Keep,
            Change::Clear => Change::Clear,
            Change::Set(name) => Change::Set(Cancel {
                operation: name.map(|it| super::operation(NAMES[it])),
            }),
        };
        let request = ControlRequest { level, cancel };
        let own = self.hub.request_control(self.ids[channel], request.clone());
        let shared = self.stage.scripts.request(self.ids[channel], request).await;
        assert_eq!(refused(shared), own);
    }

    async fn stop(&mut self, channel: usize) {
        let id = self.ids[channel];
        let own = self.hub.stop(id);
        assert_eq!(self.stage.scripts.end(id, End::Stopped).await.is_ok(), own);
        self.readers.retain(|(of, _), _| *of != channel);
        self.next.remove(&id);
        while let Some(worker) = self.take(0, |it| it.channel == channel) {
            assert!(is_hub(&self.lose(worker).await, hub::Refusal::Ended));
        }
    }

    /// Checks that the notices to a node continue what it has, without holes.
    async fn hear(&mut self) {
        for notice in self.inbox.notices().await {
            let Notice::Published(id, published) = notice else {
                continue;
            };
            if let Some(next) = self.next.get_mut(&id) {
                assert_eq!(published.from, *next);
                *next += published.events.len() as u64;
                assert_eq!(
                    published.held_from,
                    (*next).saturating_sub(HELD as u64).max(1)
                );
            }
        }
    }

    /// Checks that both hold the same messages.
    pub(super) async fn compare_logs(&mut self) {
        for (channel, id) in self.ids.into_iter().enumerate() {
            self.readers.retain(|(of, _), _| *of != channel);
            let own = self.hub.attach(id, Format::Text, Position::Tail(u64::MAX));
            for node in NODES {
                let _ = self.stage.report(id, node, 0, 0, 1).await;
            }
            let shared = refused(self.stage.try_join(id, NODES[WATCHED_NODE], 1, false).await);
            let Ok(Join::Joined(image, _)) = shared else {
                assert!(own.is_err());
                continue;
            };
            let numbered = (image.held_from..).zip(texts(&image));
            let expected: Vec<_> = numbered
                .map(|(seq, text)| format!("{seq} {text}\n"))
                .collect();
            let expected = expected.concat();
            let mut log = Vec::new();
            let mut cx = Context::from_waker(Waker::noop());
            let mut own = own.unwrap();
            while let Poll::Ready(Delivery::Events) = own.poll_read(&mut log, usize::MAX, &mut cx) {
            }
            assert_eq!(String::from_utf8(log).unwrap(), expected);
        }
    }
}
