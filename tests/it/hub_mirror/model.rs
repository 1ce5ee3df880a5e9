//! A mirror beside a plain model of its store: notices are lost, repeated and late, and the store loses what it
//! accepted.

use std::{
    collections::VecDeque,
    ops::Range,
    task::{Context, Poll, Waker},
};

use codechat::internal::{
    event::{ClientId, EventId, Format, Gap},
    hub::{Delivery, Mirror, Missing, Position, Subscription},
};
use proptest::prelude::*;

use super::store::{Notice, Store, hub};

/// One reader and everything that it was given since the last loss of unknown size.
struct Reader {
    subscription: Subscription,
    /// The events that it was given.
    read: Vec<EventId>,
    lost: Vec<Range<u64>>,
    /// The number after which these begin.
    since: u64,
    /// The losses that must be reported to it before it reads what the store accepted afterwards.
    owed: Vec<Owed>,
}

/// A loss: the store forgot what the mirror had beyond a number.
#[derive(Clone, Copy)]
struct Loss {
    /// The newest number that both had.
    agreed: u64,
    /// The store's clock then.
    clock: u64,
    /// Whether the store still had what followed that number.
    is_exact: bool,
}

/// A loss that a reader has not passed.
struct Owed {
    loss: Loss,
    /// Whether it was reported, with numbers if they are known, since the reader last read older events.
    is_reported: bool,
}

impl Reader {
    fn new(mirror: &Mirror, from: Position) -> Self {
        let opened = mirror.subscribe(Format::Text, from, None);
        let subscription = opened.expect("it has not ended").unwrap();
        Self {
            since: subscription.last().seq,
            subscription,
            read: Vec::new(),
            lost: Vec::new(),
            owed: Vec::new(),
        }
    }

    fn owes(&mut self, loss: Loss) {
        // Later losses in the channel are part of this one.
        self.owed.retain(|it| it.loss.agreed < loss.agreed);
        let is_reported = false;
        self.owed.push(Owed { loss, is_reported });
    }

    /// Reads once; returns false if there is nothing to read.
    fn read(&mut self, max: usize) -> bool {
        let mut out = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        let before = self.subscription.last();
        match self.subscription.poll_read(&mut out, max, &mut cx) {
            Poll::Pending => return false,
            Poll::Ready(Delivery::Events) => {
                let text = String::from_utf8(out).unwrap();
                for event in text.split_terminator(';') {
                    let (id, text) = event.split_once(' ').unwrap();
                    let id: EventId = id.parse().unwrap();
                    assert_eq!(text, id.time.to_string(), "a number has its own text");
                    let before = self
                        .read
                        .last()
                        .map_or(before.seq, |it| it.seq.max(before.seq));
                    assert_eq!(id.seq, before + 1, "in order, without a hole");
                    self.owed
                        .retain(|it| id.time <= it.loss.clock || !it.is_reported);
                    for Owed { loss, is_reported } in &mut self.owed {
                        assert!(id.time <= loss.clock, "a loss was not reported before {id}");
                        *is_reported &= !loss.is_exact;
                    }
                    self.read.push(id);
                }
            }
            Poll::Ready(Delivery::Gap(Gap::Unknown, after)) => {
                self.read.clear();
                self.lost.clear();
                self.since = after.seq;
                for owed in &mut self.owed {
                    owed.is_reported = true;
                }
            }
            Poll::Ready(Delivery::Gap(Gap::Known { from, to }, after)) => {
                assert_eq!((from, to), (before.seq + 1, after.seq));
                self.lost.push(from..to + 1);
            }
            Poll::Ready(other) => panic!("{other:?}"),
        }
        true
    }

    /// Checks that it has everything that the store had since then, or got a gap.
    fn check(&self, store: &Store) {
        let mut expected = self.since + 1;
        let mut read = self.read.iter();
        while expected <= store.last().seq {
            if let Some(lost) = self.lost.iter().find(|it| it.contains(&expected)) {
                expected = lost.end;
                continue;
            }
            let id = read.next().expect("it has read up to the end");
            assert_eq!(*id, store.id(expected), "it has what the store has");
            expected += 1;
        }
        assert_eq!(read.next(), None);
        assert!(
            self.owed.iter().all(|it| it.is_reported),
            "a loss was not reported"
        );
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish(usize),
    /// The oldest notice arrives, is lost, or arrives and stays to arrive again.
    Arrive,
    Lose,
    Double,
    Enter(u64),
    Read(prop::sample::Index, usize),
    /// The store goes back by this number of messages, like a lagging replica, and accepts some others.
    GoBack(usize, usize),
    /// The store forgets the channel.
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1usize..4).prop_map(Step::Publish),
        6 => Just(Step::Arrive),
        2 => Just(Step::Lose),
        1 => Just(Step::Double),
        2 => (0u64..12).prop_map(Step::Enter),
        6 => (any::<prop::sample::Index>(), 1usize..40).prop_map(|(who, max)| Step::Read(who, max)),
        2 => (1usize..5, 0usize..16).prop_map(|(back, more)| Step::GoBack(back, more)),
        1 => Just(Step::Forget),
    ]
}

proptest! {
    #[test]
    fn readers_of_a_mirror_get_what_the_store_has_or_a_gap(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let hub = hub();
        let mut store = Store::new(1000);
        let mut under_way = VecDeque::new();
        let mirror = hub.mirror(ClientId::random(), store.image(1)).unwrap();
        let mut readers = vec![Reader::new(&mirror, Position::Start)];
        let from_here = |mirror: &Mirror, store: &Store, is_sure| {
            let _ = mirror.renew(store.image_from(mirror.last()), is_sure);
        };
        let mut losses = Vec::<Loss>::new();
        for step in steps {
            match step {
                Step::Publish(count) => under_way.push_back(store.publish(count)),
                Step::Arrive | Step::Double => {
                    let Some(notice) = under_way.pop_front() else { continue };
                    if matches!(step, Step::Double) {
                        under_way.push_back(Notice::clone(&notice));
                    }
                    if notice.reach(&mirror) == Err(Missing) {
                        from_here(&mirror, &store, true);
                    }
                }
                Step::Lose => drop(under_way.pop_front()),
                Step::Enter(seq) => {
                    let from = match seq {
                        0 => Position::Start,
                        _ => Position::After(store.id(seq.min(store.last().seq))),
                    };
                    if !mirror.covers(from) {
                        let (wanted, here) = (store.id(seq.min(store.last().seq)), mirror.last());
                        let first = if wanted.seq < here.seq { wanted } else { here };
                        let _ = mirror.renew(store.image_from(first), true);
                    }
                    let mut reader = Reader::new(&mirror, from);
                    let is_before = |it: &&Loss| it.is_exact && reader.since <= it.agreed;
                    let passed: Vec<_> = losses.iter().filter(is_before).collect();
                    for loss in passed { reader.owes(*loss); }
                    readers.push(reader);
                }
                Step::Read(who, max) => {
                    let who = who.index(readers.len());
                    readers[who].read(max);
                }
                Step::GoBack(back, more) => {
                    let agreed = store.taken.len().saturating_sub(back);
                    store.taken.truncate(agreed);
                    let had_more = mirror.last().seq > agreed as u64;
                    let clock = store.clock;
                    store.publish(more);
                    if had_more {
                        let agreed = agreed as u64;
                        let is_exact = store.held_from() <= agreed + 1;
                        let loss = Loss { agreed, clock, is_exact };
                        for reader in &mut readers { reader.owes(loss); }
                        losses.retain(|it| it.agreed < agreed);
                        losses.push(loss);
                    }
                    // The connection broke: pending notices are lost.
                    under_way.clear();
                    from_here(&mirror, &store, false);
                }
                Step::Forget => {
                    let loss = Loss {
                        agreed: 0,
                        clock: store.clock,
                        is_exact: true,
                    };
                    for reader in &mut readers { reader.owes(loss); }
                    losses.clear();
                    store = Store::new(store.clock + 1);
                    under_way.clear();
                    from_here(&mirror, &store, false);
                }
            }
        }
        for notice in under_way {
            let _ = notice.reach(&mirror);
        }
        from_here(&mirror, &store, true);
        prop_assert_eq!(mirror.last(), store.last());
        for reader in &mut readers {
            while reader.read(25) {}
            reader.check(&store);
        }
    }
}
