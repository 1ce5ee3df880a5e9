//! Mirrors: whatever becomes of what the store tells them, each reader reads what the store has, in order, and is told
//! what it does not get.

use std::{
    collections::VecDeque,
    future::poll_fn,
    ops::Range,
    task::{Context, Poll, Waker},
};

use codechat::internal::{
    control::{ControlState, Requested},
    event::{ClientId, ClientPast, End, EventId, Format, Gap},
    hub::{
        ControlEvent, Delivery, Frames, Hub, Image, Limits, LogLimits, Mirror, MirrorChange,
        Missing, Position, Start, Subscription,
    },
    message::{Level, Message, Operation},
};
use proptest::prelude::*;

const FRAMES: Frames = Frames {
    text: |event| format!("{} {};", event.id, event.message.text).into_bytes(),
    json: |event| event.message.text.clone().into_bytes(),
};
/// What the store's logs hold.
const HELD: usize = 6;

fn hub() -> Hub {
    let limits = Limits {
        log: LogLimits {
            messages: HELD,
            bytes: 1 << 20,
        },
        ..Limits::default()
    };
    Hub::with_frames(limits, FRAMES)
}

/// A channel as a store keeps it: a history of which the newest are held.
#[derive(Default)]
struct Store {
    created: u64,
    clock: u64,
    /// All there ever was, by number from 1: when it was taken. Its text is its time.
    taken: Vec<u64>,
}

impl Store {
    fn new(clock: u64) -> Self {
        Self {
            created: clock,
            clock,
            taken: Vec::new(),
        }
    }

    fn held_from(&self) -> u64 {
        self.taken.len().saturating_sub(HELD) as u64 + 1
    }

    fn id(&self, seq: u64) -> EventId {
        let time = match seq {
            0 => self.created,
            _ => self.taken[usize::try_from(seq).unwrap() - 1],
        };
        EventId { seq, time }
    }

    fn last(&self) -> EventId {
        self.id(self.taken.len() as u64)
    }

    fn publish(&mut self, count: usize) -> Notice {
        let from = self.taken.len() as u64 + 1;
        for _ in 0..count {
            self.clock += 1;
            self.taken.push(self.clock);
        }
        Notice {
            held_from: self.held_from(),
            from,
            events: self.events(from),
        }
    }

    fn events(&self, from: u64) -> Vec<(u64, Message)> {
        let taken = &self.taken[usize::try_from(from).unwrap() - 1..];
        let event = |time: &u64| (*time, Message::text(time.to_string()));
        taken.iter().map(event).collect()
    }

    /// What a join answers that asks from this number on.
    fn image(&self, from: u64) -> Image {
        let from = from.clamp(self.held_from(), self.taken.len() as u64 + 1);
        Image {
            created: self.created,
            held_from: self.held_from(),
            before: self.id(from - 1),
            events: self.events(from),
            control: ControlState::default(),
        }
    }
}

#[derive(Clone)]
struct Notice {
    held_from: u64,
    from: u64,
    events: Vec<(u64, Message)>,
}

impl Notice {
    fn reach(self, mirror: &Mirror) -> Result<(), Missing> {
        mirror.append(self.held_from, self.from, self.events)
    }
}

/// One reader and all that it was told since the last loss of unknown size.
struct Reader {
    subscription: Subscription,
    /// What it was given, as (number, time).
    read: Vec<EventId>,
    lost: Vec<Range<u64>>,
    /// The number after which all this is.
    since: u64,
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
        }
    }

    /// Reads once; false where there is nothing to read.
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
                    self.read.push(id);
                }
            }
            Poll::Ready(Delivery::Gap(Gap::Unknown, after)) => {
                self.read.clear();
                self.lost.clear();
                self.since = after.seq;
            }
            Poll::Ready(Delivery::Gap(Gap::Known { from, to }, after)) => {
                assert_eq!((from, to), (before.seq + 1, after.seq));
                self.lost.push(from..to + 1);
            }
            Poll::Ready(other) => panic!("{other:?}"),
        }
        true
    }

    /// Whether it has all that the store ever had since, or knows that it has not.
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
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish(usize),
    /// The oldest notice under way arrives, is lost, or arrives and stays to arrive again.
    Arrive,
    Lose,
    Double,
    Enter(u64),
    Read(prop::sample::Index, usize),
    /// The store goes back by so many messages, as a replica does that lags, and takes some others.
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
    fn readers_of_a_mirror_have_what_the_store_has_or_are_told(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let hub = hub();
        let mut store = Store::new(1000);
        let mut under_way = VecDeque::new();
        let mirror = hub.mirror(ClientId::random(), store.image(1)).unwrap();
        let mut readers = vec![Reader::new(&mirror, Position::Start)];
        let from_here = |mirror: &Mirror, store: &Store, is_sure| {
            let _ = mirror.renew(store.image(mirror.last().seq), is_sure);
        };
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
                        let first = if seq == 0 { 1 } else { seq.min(mirror.last().seq) };
                        let _ = mirror.renew(store.image(first), true);
                    }
                    readers.push(Reader::new(&mirror, from));
                }
                Step::Read(who, max) => {
                    let who = who.index(readers.len());
                    readers[who].read(max);
                }
                Step::GoBack(back, more) => {
                    store.taken.truncate(store.taken.len().saturating_sub(back));
                    store.publish(more);
                    // The connection broke: what was under way is gone.
                    under_way.clear();
                    from_here(&mirror, &store, false);
                }
                Step::Forget => {
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

fn ids(subscription: &mut Subscription) -> String {
    let mut out = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Delivery::Events) = subscription.poll_read(&mut out, 10_000, &mut cx) {}
    String::from_utf8(out).unwrap()
}

/// What is said of so many readers, of whom the slowest reads this number next.
fn change(readers: usize, slowest: u64) -> MirrorChange {
    MirrorChange {
        readers,
        listeners: 0,
        slowest,
        is_unused: readers == 0,
        gone: Vec::new(),
    }
}

#[tokio::test]
async fn a_mirror_says_who_reads_and_how_far_when_that_changes() {
    let hub = hub();
    let id = ClientId::random();
    let mut store = Store::new(10);
    let mirror = hub.mirror(id, store.image(1)).unwrap();
    assert_eq!(mirror.take_change(), None);

    let opened = mirror.subscribe(Format::Text, Position::Start, Some(ClientPast::New));
    let mut reader = opened.unwrap().unwrap();
    assert_eq!(
        (reader.start(), reader.past()),
        (Start::Fresh, ClientPast::New)
    );
    assert_eq!(hub.changed_mirror().await, id);
    assert_eq!(mirror.take_change(), Some(change(1, 1)));

    store.publish(4).reach(&mirror).unwrap();
    assert!(!mirror.is_awaited_still());
    mirror.is_awaited();
    assert!(mirror.is_awaited_still());
    assert_eq!(hub.changed_mirror().await, id);
    assert_eq!(mirror.take_change(), Some(change(1, 1)));
    assert_eq!(ids(&mut reader), "1-11 11;2-12 12;3-13 13;4-14 14;");
    assert_eq!(hub.changed_mirror().await, id);
    assert_eq!(mirror.take_change(), Some(change(1, 5)));
    assert!(!mirror.is_awaited_still());

    assert!(!mirror.let_go(), "somebody reads it");
    drop(reader);
    assert_eq!(hub.changed_mirror().await, id);
    assert_eq!(mirror.take_change(), Some(change(0, 5)));
    assert!(mirror.let_go());
    assert_eq!(
        (hub.stats().channels, hub.stats().memory),
        (0, hub.stats().memory)
    );
    assert!(
        mirror
            .subscribe(Format::Text, Position::Start, None)
            .is_none()
    );
}

#[tokio::test]
async fn publishers_that_listen_at_a_mirror_are_told_the_audience_of_all_nodes() {
    let hub = hub();
    let id = ClientId::random();
    let mirror = hub.mirror(id, Store::new(10).image(1)).unwrap();
    let build: Operation = "build".parse().unwrap();
    let (mut stream, ticket) = mirror.listen(Some(build.clone())).unwrap();
    let mut next = async || poll_fn(|cx| stream.poll_event(cx)).await;
    let told = |subscribers, level| {
        ControlEvent::State(ControlState {
            subscribers,
            requested: Requested {
                level,
                cancel: None,
            },
        })
    };
    assert_eq!(next().await, told(0, None));
    let reader = mirror.subscribe(Format::Text, Position::Start, None);
    let state = ControlState {
        subscribers: 3,
        requested: Requested {
            level: Some(Level::Debug),
            cancel: None,
        },
    };
    mirror.set_audience(state);
    assert_eq!(next().await, told(3, Some(Level::Debug)));
    drop(reader);

    drop(stream);
    assert_eq!(hub.changed_mirror().await, id);
    let gone = vec![(ticket, build)];
    let change = MirrorChange {
        gone,
        ..change(0, 1)
    };
    assert_eq!(mirror.take_change(), Some(change));
    assert_eq!(
        mirror.last().seq,
        0,
        "what is said of it is the store's to say"
    );
}

#[tokio::test]
async fn a_reader_of_a_channel_that_ended_elsewhere_is_told_what_did_not_come() {
    let hub = hub();
    let mut store = Store::new(10);
    store.publish(2);
    let mirror = hub.mirror(ClientId::random(), store.image(1)).unwrap();
    let mut reader = mirror
        .subscribe(Format::Text, Position::Start, None)
        .unwrap()
        .unwrap();
    store.publish(3);
    mirror.end(End::Stopped, store.last());
    let mut out = Vec::new();
    assert_eq!(reader.read(&mut out, 1000).await, Delivery::Events);
    assert_eq!(out, b"1-11 11;2-12 12;");
    let gap = Gap::Known { from: 3, to: 5 };
    assert_eq!(
        reader.read(&mut out, 1000).await,
        Delivery::Gap(gap, store.last())
    );
    assert_eq!(
        reader.read(&mut out, 1000).await,
        Delivery::End(End::Stopped)
    );
    assert_eq!(hub.stats().channels, 0);
}

#[test]
fn a_mirror_that_the_budget_has_no_room_for_forgets_its_oldest() {
    let log = LogLimits {
        messages: 1000,
        bytes: 1 << 20,
    };
    let limits = Limits {
        log,
        memory: 40_000,
        ..Limits::default()
    };
    let hub = Hub::with_frames(limits, FRAMES);
    let mirror = hub
        .mirror(ClientId::random(), Store::new(0).image(1))
        .unwrap();
    for seq in 1..=100 {
        let event = (seq, Message::text("x".repeat(1000)));
        mirror.append(1, seq, vec![event]).unwrap();
    }
    assert!(
        hub.stats().memory <= limits.memory,
        "{}",
        hub.stats().memory
    );
    assert_eq!(mirror.last().seq, 100);
    let mut reader = mirror
        .subscribe(Format::Text, Position::Start, None)
        .unwrap()
        .unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let read = reader.poll_read(&mut Vec::new(), 1000, &mut cx);
    let Poll::Ready(Delivery::Gap(Gap::Known { from: 1, to }, _)) = read else {
        panic!("{read:?}");
    };
    assert!((50..99).contains(&to), "{to}");
}
