//! Publishers that are connected to the hub and to the store.

use std::collections::VecDeque;

use futures_util::FutureExt;

use super::*;
use crate::hub::{BROKEN_OFF, ControlStream, PublishStream};
use crate::message::Level;

/// A publisher that is connected to both.
pub(super) struct Worker {
    pub(super) channel: usize,
    /// Its name in the store.
    pub(super) work: String,
    pub(super) own: Own,
}

#[expect(clippy::large_enum_variant, reason = "there are few")]
pub(super) enum Own {
    Stream {
        hub: PublishStream,
        key: Option<&'static str>,
        queue: VecDeque<Message>,
        receipt: Receipt,
    },
    Stands {
        _hub: ControlStream,
        operation: Operation,
    },
}

impl Both<'_> {
    pub(super) fn work(&mut self, node: usize) -> String {
        self.tickets += 1;
        format!("{}:{}", NODES[node], self.tickets)
    }

    pub(super) async fn begin(&mut self, channel: usize, node: usize, key: Option<usize>) {
        let (id, work) = (self.ids[channel], self.work(node));
        let key = key.map(|it| NAMES[it]);
        let own = self.hub.publish_stream(id, key.map(Into::into));
        let shared = refused(self.stage.scripts.begin(id, NODES[node], &work, key).await);
        assert_eq!(shared.as_ref().err(), own.as_ref().err());
        if let (Ok(hub), Ok(subscribers)) = (own, shared) {
            let receipt = Receipt {
                subscribers,
                ..Receipt::default()
            };
            let queue = VecDeque::new();
            let own = Own::Stream {
                hub,
                key,
                queue,
                receipt,
            };
            self.workers.push(Worker { channel, work, own });
        }
    }

    /// Takes one of the workers that satisfy the condition.
    pub(super) fn take(
        &mut self,
        which: usize,
        is_such: impl Fn(&Worker) -> bool,
    ) -> Option<Worker> {
        let such: Vec<_> = (0..self.workers.len())
            .filter(|it| is_such(&self.workers[*it]))
            .collect();
        let index = *such.get(which % such.len().max(1))?;
        Some(self.workers.swap_remove(index))
    }

    pub(super) async fn send(&mut self, which: usize, count: usize, operation: Option<usize>) {
        let more: Vec<_> = (0..count)
            .map(|it| self.message(operation.filter(|_| it == 0), it == 2))
            .collect();
        let Some(mut worker) = self.take(which, |it| matches!(it.own, Own::Stream { .. })) else {
            return;
        };
        if let Own::Stream {
            hub,
            key,
            queue,
            receipt,
        } = &mut worker.own
        {
            queue.extend(more);
            let mut left = queue.clone();
            let own = hub.send(queue).now_or_never();
            let publication = Publication {
                work: Some(&worker.work),
                done: receipt.accepted,
                key: *key,
                flow: true,
            };
            let node = &worker.work[..1];
            let id = self.ids[worker.channel];
            let shared = self
                .stage
                .scripts
                .publish_some(id, node, &left, &publication)
                .await
                .unwrap();
            assert_eq!(
                (shared.receipt.accepted, shared.is_held),
                (hub.accepted(), own.is_none())
            );
            let new = shared.receipt.accepted - receipt.accepted;
            left.drain(..usize::try_from(new).unwrap());
            assert_eq!(left, *queue);
            let last = shared.receipt.last.or(receipt.last);
            *receipt = Receipt {
                last,
                ..shared.receipt
            };
        }
        self.workers.push(worker);
    }

    pub(super) async fn finish(&mut self, which: usize) {
        let Some(worker) = self.take(which, |it| matches!(it.own, Own::Stream { .. })) else {
            return;
        };
        let Own::Stream {
            hub, key, receipt, ..
        } = worker.own
        else {
            return;
        };
        let own = hub.finish();
        let id = self.ids[worker.channel];
        let control = self
            .stage
            .scripts
            .done(id, &worker.work, key, &receipt)
            .await
            .unwrap();
        let requested = control.requested;
        assert_eq!(
            answer(&Receipt {
                requested,
                ..receipt
            }),
            answer(&own)
        );
    }

    pub(super) async fn stand(&mut self, channel: usize, node: usize, name: usize) {
        let (id, work, operation) = (
            self.ids[channel],
            self.work(node),
            super::operation(NAMES[name]),
        );
        let own = self.hub.listen(id, Some(operation.clone()));
        let shared = refused(
            self.stage
                .scripts
                .stand(id, NODES[node], &work, &operation)
                .await,
        );
        assert_eq!(shared.err(), own.as_ref().err().copied());
        if let Ok(hub) = own {
            let own = Own::Stands {
                _hub: hub,
                operation,
            };
            self.workers.push(Worker { channel, work, own });
        }
    }

    /// Disconnects a publisher that has not finished.
    pub(super) async fn lose(&mut self, worker: Worker) -> Result<(), Refusal> {
        let operation = match &worker.own {
            Own::Stream { .. } => None,
            Own::Stands { operation, .. } => Some(operation.clone()),
        };
        let message = Message {
            operation,
            ..Message::system(Some(Level::Error), BROKEN_OFF)
        };
        drop(worker.own);
        self.stage
            .scripts
            .gone(self.ids[worker.channel], &worker.work, &message)
            .await
    }

    pub(super) async fn die(&mut self, node: usize) {
        for channel in 0..CHANNELS {
            self.readers.remove(&(channel, node));
            let id = self.ids[channel];
            if node == WATCHED_NODE {
                self.next.remove(&id);
            }
            let Ok(work) = self.stage.scripts.drop_node(id, NODES[node]).await else {
                continue;
            };
            for (name, operation) in work {
                let worker = self
                    .take(0, |it| it.work == name)
                    .expect("an unknown worker");
                let stands = match &worker.own {
                    Own::Stream { .. } => None,
                    Own::Stands { operation, .. } => Some(operation.clone()),
                };
                assert_eq!(operation, stands);
                self.lose(worker).await.unwrap();
            }
        }
        assert!(
            self.workers
                .iter()
                .all(|it| !it.work.starts_with(NODES[node]))
        );
    }
}
