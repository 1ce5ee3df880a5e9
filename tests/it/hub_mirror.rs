//! Mirrors: whatever happens to the store's notices, each reader gets what the store has, in order, and a gap for what
//! it misses.

mod model;
mod store;

use std::{
    future::poll_fn,
    task::{Context, Poll, Waker},
};

use codechat::internal::{
    control::ControlState,
    event::{ClientId, ClientPast, End, Format, Gap},
    hub::{
        ControlEvent, Delivery, Hub, Image, Limits, LogLimits, Loss, Mirror, MirrorChange,
        Position, Start, Subscription,
    },
    message::{Level, Message, Operation},
};

use store::{FRAMES, Store, hub};

/// A store with five messages, and a mirror of them.
fn mirrored(hub: &Hub) -> (Store, Mirror) {
    let mut store = Store::new(10);
    store.publish(5);
    let mirror = hub.mirror(ClientId::random(), store.image(1)).unwrap();
    (store, mirror)
}

#[test]
fn a_slow_reader_gets_a_gap_when_it_reaches_the_loss() {
    let hub = hub();
    let (mut store, mirror) = mirrored(&hub);
    let open = |from| mirror.subscribe(Format::Text, from, None).unwrap().unwrap();
    let (mut slow, mut quick) = (open(Position::Start), open(Position::Start));
    assert_eq!(
        unread(&mut quick),
        "1-11 11;2-12 12;3-13 13;4-14 14;5-15 15;"
    );
    store.taken.truncate(3);
    store.publish(1);
    assert_eq!(
        mirror.renew(store.image_from(mirror.last()), false),
        Some(Loss::Before(4))
    );

    assert_eq!(unread(&mut quick), "lost after 3-13;4-16 16;");
    let all = "1-11 11;2-12 12;3-13 13;lost after 3-13;4-16 16;";
    assert_eq!(unread(&mut slow), all);
    // Later readers get everything that both had, up to that point.
    assert_eq!(unread(&mut open(Position::Start)), all);
    for (seq, expected) in [
        (2, "3-13 13;lost after 3-13;4-16 16;"),
        (3, "lost after 3-13;4-16 16;"),
        (4, ""),
    ] {
        let mut resumed = open(Position::After(store.id(seq)));
        assert_eq!(unread(&mut resumed), expected);
    }
    // The number of missing messages is also unknown if the log has dropped those around that point.
    let mut slow = open(Position::After(store.id(1)));
    store.publish(7).reach(&mirror).unwrap();
    let end = "6-18 18;7-19 19;8-20 20;9-21 21;10-22 22;11-23 23;";
    assert_eq!(unread(&mut slow), format!("lost after 5-17;{end}"));
    let mut later = open(Position::After(store.id(4)));
    assert_eq!(unread(&mut later), format!("lost 5 to 5;{end}"));
}

#[test]
fn a_loss_found_by_another_mirror_is_one_gap_for_each_earlier_reader() {
    let hub = hub();
    let mut store = Store::new(10);
    store.publish(5);
    let noted = Image {
        lost: Some(4),
        ..store.image(1)
    };
    let anew = hub.mirror(ClientId::random(), noted.clone()).unwrap();
    let behind = hub.mirror(ClientId::random(), store.image(1)).unwrap();
    let open = |mirror: &Mirror, seq| {
        let from = Position::After(store.id(seq));
        mirror.subscribe(Format::Text, from, None).unwrap().unwrap()
    };
    let (mut before, mut beyond) = (open(&behind, 1), open(&behind, 1));
    assert_eq!(unread(&mut beyond), "2-12 12;3-13 13;4-14 14;5-15 15;");
    assert!(!behind.knows_loss(4));
    assert_eq!(behind.renew(noted.clone(), true), None);
    assert!(behind.knows_loss(4));
    assert_eq!(unread(&mut beyond), "lost after 5-15;");
    assert_eq!(behind.renew(noted, true), None);
    let across = "2-12 12;3-13 13;lost after 3-13;4-14 14;5-15 15;";
    assert_eq!(unread(&mut before), across);
    assert_eq!(unread(&mut beyond), "", "reported before");
    assert_eq!(unread(&mut open(&anew, 1)), across);
    assert_eq!(unread(&mut open(&anew, 4)), "5-15 15;");
}

/// Returns everything that a reader gets now: events, and notices of losses.
fn unread(subscription: &mut Subscription) -> String {
    let (mut bytes, mut cx) = (Vec::new(), Context::from_waker(Waker::noop()));
    while let Poll::Ready(delivery) = subscription.poll_read(&mut bytes, usize::MAX, &mut cx) {
        let lost = match delivery {
            Delivery::Events => continue,
            Delivery::Gap(Gap::Unknown, after) => format!("lost after {after};"),
            Delivery::Gap(Gap::Known { from, to }, _) => format!("lost {from} to {to};"),
            other => panic!("{other:?}"),
        };
        bytes.extend(lost.into_bytes());
    }
    String::from_utf8(bytes).unwrap()
}

fn ids(subscription: &mut Subscription) -> String {
    let mut out = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Delivery::Events) = subscription.poll_read(&mut out, 10_000, &mut cx) {}
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn a_reader_that_leaves_because_the_hub_closes_keeps_its_place() {
    let hub = hub();
    let (_, mirror) = mirrored(&hub);
    let open = || mirror.subscribe(Format::Text, Position::Start, None);
    let [mut quick, mut slow] = [open(), open()].map(|it| it.unwrap().unwrap());
    let mut cx = Context::from_waker(Waker::noop());
    // An event has 8 bytes.
    for bytes in [8, 8] {
        assert!(slow.poll_read(&mut Vec::new(), bytes, &mut cx).is_ready());
    }
    assert!(quick.poll_read(&mut Vec::new(), 100, &mut cx).is_ready());
    drop(quick);
    // What it read last may not have been written yet.
    assert_eq!(mirror.take_change(), Some(change(1, 2)));
    hub.close();
    drop(slow);
    let left = MirrorChange {
        is_closing: true,
        ..change(0, 2)
    };
    assert_eq!(mirror.take_change(), Some(left));
}

#[tokio::test]
async fn a_reader_needs_what_it_read_last_until_it_reads_again() {
    let hub = hub();
    let (store, mirror) = mirrored(&hub);
    let opened = mirror.subscribe(Format::Text, Position::Start, None);
    let mut reader = opened.unwrap().unwrap();
    mirror.note_awaited();
    assert_eq!(mirror.take_change(), Some(change(1, 1)));

    let mut cx = Context::from_waker(Waker::noop());
    assert!(reader.poll_read(&mut Vec::new(), 100, &mut cx).is_ready());
    assert_eq!(mirror.take_change(), None, "it may not have written them");
    assert!(mirror.is_awaited());
    assert!(reader.poll_read(&mut Vec::new(), 100, &mut cx).is_pending());
    assert_eq!(mirror.take_change(), Some(change(1, 6)));
    assert!(!mirror.is_awaited());

    // The last two did not fit into the socket.
    reader.note_unwritten(store.id(3));
    assert_eq!(mirror.take_change(), Some(change(1, 4)));
    assert!(reader.poll_read(&mut Vec::new(), 100, &mut cx).is_pending());
    mirror.note_awaited();
    assert_eq!(mirror.take_change(), Some(change(1, 6)));
}

/// Returns the report of `readers`, which need this number next at the earliest.
fn change(readers: usize, slowest: u64) -> MirrorChange {
    MirrorChange {
        readers,
        listeners: 0,
        slowest,
        is_closing: false,
        is_unused: readers == 0,
        gone: Vec::new(),
    }
}

#[tokio::test]
async fn a_mirror_reports_its_readers_and_their_positions_on_changes() {
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
    assert!(!mirror.is_awaited());
    mirror.note_awaited();
    assert!(mirror.is_awaited());
    assert_eq!(hub.changed_mirror().await, id);
    assert_eq!(mirror.take_change(), Some(change(1, 1)));
    assert_eq!(ids(&mut reader), "1-11 11;2-12 12;3-13 13;4-14 14;");
    assert_eq!(hub.changed_mirror().await, id);
    assert_eq!(mirror.take_change(), Some(change(1, 5)));
    assert!(!mirror.is_awaited());

    assert!(!mirror.remove_if_unused(), "it has a reader");
    drop(reader);
    assert_eq!(hub.changed_mirror().await, id);
    assert_eq!(mirror.take_change(), Some(change(0, 5)));
    assert!(mirror.remove_if_unused());
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
async fn listeners_at_a_mirror_get_the_subscribers_of_all_nodes() {
    let hub = hub();
    let id = ClientId::random();
    let mirror = hub.mirror(id, Store::new(10).image(1)).unwrap();
    let build: Operation = "build".parse().unwrap();
    let (mut stream, ticket) = mirror.listen(Some(build.clone())).unwrap();
    let mut next = async || poll_fn(|cx| stream.poll_event(cx)).await;
    let state = |subscribers, level| {
        let mut state = ControlState::default();
        state.subscribers = subscribers;
        state.requested.level = level;
        state
    };
    let state_event = |subscribers, level| ControlEvent::State(state(subscribers, level));
    assert_eq!(next().await, state_event(0, None));
    let reader = mirror.subscribe(Format::Text, Position::Start, None);
    mirror.set_audience(state(3, Some(Level::Debug)));
    assert_eq!(next().await, state_event(3, Some(Level::Debug)));
    drop(reader);

    drop(stream);
    assert_eq!(hub.changed_mirror().await, id);
    let gone = vec![(ticket, build)];
    let change = MirrorChange {
        gone,
        ..change(0, 1)
    };
    assert_eq!(mirror.take_change(), Some(change));
    assert_eq!(mirror.last().seq, 0, "the store publishes the loss");
}

#[tokio::test]
async fn a_reader_of_a_channel_that_ended_elsewhere_gets_a_gap_for_missing_messages() {
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
fn a_mirror_beyond_the_budget_drops_its_oldest_messages() {
    let log = LogLimits::new().messages(1000).bytes(1 << 20);
    let limits = Limits::new().log(log).memory(40_000);
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
