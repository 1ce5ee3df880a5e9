//! The queue of what was read and is to be sent, bounded in bytes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::batch::Batch;

/// Upper bound of the queue, in bytes as read. A request in progress holds up to half as much besides.
const WAITING_BYTES: usize = 2 << 20;
/// Upper bound of one read, in bytes.
pub(super) const READ_BYTES: usize = 64 * 1024;
/// Least weight of a read in the queue, in bytes.
const READ_BYTES_MIN: usize = 256;
/// Upper bound of one request, in bytes of NDJSON, unless a single read makes more.
const BATCH_BYTES: usize = 1 << 20;

/// The input of the queue; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    batches: mpsc::UnboundedSender<(Batch, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

/// The output of the queue.
#[derive(Debug)]
pub(super) struct Receiver {
    batches: mpsc::UnboundedReceiver<(Batch, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

/// Room in the queue for one read.
#[derive(Debug)]
pub(super) struct Room(OwnedSemaphorePermit);

pub(super) fn queue() -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(WAITING_BYTES));
    let sender = Sender {
        batches: sender,
        room: Arc::clone(&room),
    };
    let batches = receiver;
    (sender, Receiver { batches, room })
}

impl Sender {
    /// Waits for room for one read; `None` if nobody takes batches any more.
    pub(super) async fn room(&self) -> Option<Room> {
        let room = Arc::clone(&self.room);
        let permit = room.acquire_many_owned(units(READ_BYTES)).await;
        permit.ok().map(Room)
    }

    /// Queues what a read of `read` bytes has produced.
    pub(super) fn send(&self, batch: Batch, read: usize, room: Room) {
        let Room(mut permit) = room;
        let taken = read.clamp(READ_BYTES_MIN, READ_BYTES);
        drop(permit.split(READ_BYTES - taken));
        // If nobody takes it, nobody waits for it either.
        let _ = self.batches.send((batch, permit));
    }
}

impl Receiver {
    /// Returns everything that waits, up to [`BATCH_BYTES`]; `None` at the end. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Batch> {
        let (mut batch, _) = self.batches.recv().await?;
        while batch.body.len() < BATCH_BYTES
            && let Ok((more, _)) = self.batches.try_recv()
        {
            batch.append(more);
        }
        Some(batch)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.room.close();
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a read is small")
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn batch(bytes: usize) -> Batch {
        Batch {
            body: vec![b'x'; bytes],
            lines: 1,
        }
    }

    /// Returns room for one read, if there is some now.
    fn room_now(sender: &Sender) -> Option<Room> {
        tokio::task::unconstrained(sender.room()).now_or_never()?
    }

    #[tokio::test]
    async fn the_queue_is_bounded_in_bytes_and_not_in_reads() {
        let (sender, mut receiver) = queue();
        let mut small = 0;
        while let Some(room) = room_now(&sender) {
            sender.send(batch(10), 10, room);
            small += 1;
        }
        assert!(small > 1000, "{small}");
        assert_eq!(receiver.next().await.unwrap().lines, small);
        let mut large = 0;
        while let Some(room) = room_now(&sender) {
            sender.send(batch(READ_BYTES), READ_BYTES, room);
            large += 1;
        }
        assert_eq!(large, WAITING_BYTES / READ_BYTES);
        assert!(receiver.next().await.is_some());
        assert!(sender.room().await.is_some(), "what was taken makes room");
        drop(receiver);
        assert!(sender.room().await.is_none(), "nobody takes any more");
    }
}
