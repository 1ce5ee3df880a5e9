//! The messages of one client that are in no batch. Those that start or end an operation are kept apart and dropped last: an
//! operation without its end would run forever on screen.

use std::collections::VecDeque;
use std::time::Instant;

use super::room::Room;
use crate::message::Message;

pub(in crate::publisher::http) struct Waiting {
    pub(in crate::publisher::http) message: Box<Message>,
    pub(super) bytes: usize,
    /// Its number among all messages of the queue.
    pub(super) number: u64,
    /// Whether it starts or ends an operation.
    pub(super) is_kept: bool,
    pub(super) since: Instant,
}

/// The order in which messages are dropped: the least first.
pub(super) type Rank = (bool, u64);

#[derive(Default)]
pub(super) struct Backlog {
    kept: VecDeque<Waiting>,
    others: VecDeque<Waiting>,
}

impl Backlog {
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.those(waiting.is_kept).push_back(waiting);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len() + self.others.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.kept.iter().chain(&self.others)
    }

    /// Returns the rank of the message that would be dropped first.
    pub(super) fn rank(&self) -> Option<Rank> {
        let next = self.others.front().or(self.kept.front())?;
        Some((next.is_kept, next.number))
    }

    /// Removes the message that is dropped first.
    pub(super) fn drop_one(&mut self) -> Option<Waiting> {
        self.others.pop_front().or_else(|| self.kept.pop_front())
    }

    /// Takes messages in their order: at least one if there is one, and no more than fit into `bound`.
    pub(super) fn take(&mut self, bound: Room) -> Vec<Waiting> {
        let (mut taken, mut used) = (Vec::new(), Room::default());
        while let Some((is_kept, bytes)) = self.first() {
            used.add(bytes);
            if !taken.is_empty() && !used.fits(bound) {
                break;
            }
            taken.extend(self.those(is_kept).pop_front());
        }
        taken
    }

    /// Returns the kind and the size of the message that is sent next.
    fn first(&self) -> Option<(bool, usize)> {
        let fronts = [&self.kept, &self.others].map(VecDeque::front);
        let first = fronts.into_iter().flatten().min_by_key(|it| it.number)?;
        Some((first.is_kept, first.bytes))
    }

    fn those(&mut self, is_kept: bool) -> &mut VecDeque<Waiting> {
        if is_kept {
            &mut self.kept
        } else {
            &mut self.others
        }
    }
}
