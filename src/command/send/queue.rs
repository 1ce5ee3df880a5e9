//! What was read and waits to be sent, bounded in bytes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::batch::Batch;

/// How much may wait, in bytes as they were read. A request that is under way holds up to half as much besides.
const WAITING_BYTES: usize = 2 << 20;
/// How much is read at once, in bytes.
pub(super) const READ_BYTES: usize = 64 * 1024;
/// A read counts for at least so many bytes, which its place in the queue takes.
const READ_BYTES_MIN: usize = 256;
/// A request carries at most so many bytes of ndjson, unless a single read makes more.
const BATCH_BYTES: usize = 1 << 20;

/// Where batches go in; clones are of the same queue.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    batches: mpsc::UnboundedSender<(Batch, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

/// Where they come out.
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

    /// Hands on what a read of so many bytes has made.
    pub(super) fn send(&self, batch: Batch, read: usize, room: Room) {
        let Room(mut permit) = room;
        let taken = read.clamp(READ_BYTES_MIN, READ_BYTES);
        drop(permit.split(READ_BYTES - taken));
        // If nobody takes it, nobody waits for it either.
        let _ = self.batches.send((batch, permit));
    }
}

impl Receiver {
    /// All that waits, up to a request's worth; `None` once there is no more. Giving it up loses nothing.
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

    /// Room for one read, if there is some now.
    fn room_now(sender: &Sender) -> Option<Room> {
        tokio::task::unconstrained(sender.room()).now_or_never()?
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_and_not_in_reads() {
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
