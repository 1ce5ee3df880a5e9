//! Properties that hold in every interleaving of the hub's threads: loom runs each test in every order of steps, up to
//! a number of preemptions, and finds threads that wait for ever.
//!
//! ```text
//! RUSTFLAGS="--cfg codechat_loom" CARGO_TARGET_DIR=target/loom cargo test --lib interleavings
//! ```
//!
//! The hub itself runs here. Only `Notify`, by which a streaming publisher learns of a close between two messages, is
//! tokio's own: loom treats each of its calls as one step.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use loom::future::block_on;
use loom::model::Builder;
use loom::thread;

use super::{
    ControlEvent, Delivery, Frames, Hub, Image, Limits, LogLimits, Position, Refusal, Start,
    Subscription,
};
use crate::control::{Change, ControlRequest, ControlState};
use crate::event::{ClientId, End, EventId, Format};
use crate::message::{Level, Message};

/// Upper bound of the preemptions; no failure that needs more is known. `LOOM_MAX_PREEMPTIONS` overrides it.
const PREEMPTIONS: usize = 3;
const READ_BYTES: usize = 1024;

fn in_every_order(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(model);
}

/// Returns a hub whose logs hold this many messages, and whose channels are idle at once.
fn hub(messages: usize) -> Hub {
    let frame = |event: &crate::event::Event| event.message.text.clone().into_bytes();
    let limits = Limits {
        log: LogLimits {
            messages,
            bytes: 1000,
        },
        idle_timeout: Duration::ZERO,
        ..Limits::default()
    };
    Hub::with_frames(
        limits,
        Frames {
            text: frame,
            json: frame,
        },
    )
}

/// Returns a hub whose logs hold this many messages, and a client of it with a reader.
fn watched(messages: usize) -> (Hub, ClientId, Subscription) {
    let hub = hub(messages);
    let id = hub.connect().unwrap();
    let reader = subscribe(&hub, id);
    (hub, id, reader)
}

fn subscribe(hub: &Hub, id: ClientId) -> Subscription {
    hub.subscribe(id, Format::Text, Position::Start).unwrap()
}

fn publish(hub: &Hub, id: ClientId, text: &str) -> Result<u64, Refusal> {
    let receipt = hub.publish(id, Message::text(text), None)?;
    Ok(receipt.last.unwrap().seq)
}

/// Reads until a delivery other than messages; returns the text that was read, and that delivery.
fn read_on(subscription: &mut Subscription) -> (String, Delivery) {
    let mut read = Vec::new();
    loop {
        match block_on(subscription.read(&mut read, READ_BYTES)) {
            Delivery::Events => {}
            other => return (String::from_utf8(read).unwrap(), other),
        }
    }
}

#[test]
fn a_waiting_reader_gets_every_message_once_in_order_and_then_the_end() {
    in_every_order(|| {
        let (hub, id, mut reader) = watched(10);
        let writing = thread::spawn(move || {
            assert_eq!(publish(&hub, id, "a"), Ok(1));
            assert_eq!(publish(&hub, id, "b"), Ok(2));
            assert!(hub.stop(id));
        });
        let read = read_on(&mut reader);
        assert_eq!(read, ("ab".to_owned(), Delivery::End(End::Stopped)));
        writing.join().unwrap();
    });
}

#[test]
fn two_publishers_get_different_numbers_and_the_reader_reads_in_that_order() {
    in_every_order(|| {
        let (hub, id, mut reader) = watched(10);
        let (first, second) = (hub.clone(), hub);
        let first = thread::spawn(move || publish(&first, id, "a").unwrap());
        let second = thread::spawn(move || publish(&second, id, "b").unwrap());
        let mut read = Vec::new();
        while read.len() < 2 {
            let delivery = block_on(reader.read(&mut read, READ_BYTES));
            assert_eq!(delivery, Delivery::Events);
        }
        let expected = match (first.join().unwrap(), second.join().unwrap()) {
            (1, 2) => b"ab",
            (2, 1) => b"ba",
            numbers => panic!("{numbers:?}"),
        };
        assert_eq!(read, expected);
    });
}

#[test]
fn a_message_published_during_a_stop_is_delivered_or_refused() {
    in_every_order(|| {
        let (hub, id, mut reader) = watched(10);
        let publisher = hub.clone();
        let publishing = thread::spawn(move || publish(&publisher, id, "a"));
        assert!(hub.stop(id));
        let (read, end) = read_on(&mut reader);
        assert_eq!(end, Delivery::End(End::Stopped));
        let published = publishing.join().unwrap();
        let expected = match published {
            Ok(1) => "a",
            Err(Refusal::Ended) => "",
            other => panic!("{other:?}"),
        };
        assert_eq!(read, expected);
        assert_eq!(publish(&hub, id, "b"), Err(Refusal::Ended));
    });
}

#[test]
fn a_subscription_during_an_expiry_gets_the_end_or_an_open_channel() {
    in_every_order(|| {
        let hub = hub(10);
        let id = hub.connect().unwrap();
        let sweeper = hub.clone();
        let sweeping = thread::spawn(move || sweeper.sweep());
        let mut reader = subscribe(&hub, id);
        assert_eq!(reader.start(), Start::Fresh);
        let ended = sweeping.join().unwrap();
        match publish(&hub, id, "a") {
            Ok(1) => {
                assert!(hub.stop(id));
                let read = read_on(&mut reader);
                assert_eq!(read, ("a".to_owned(), Delivery::End(End::Stopped)));
            }
            Err(Refusal::Ended) => {
                assert_eq!(ended, 1);
                let read = read_on(&mut reader);
                assert_eq!(read, (String::new(), Delivery::End(End::Idle)));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(hub.stats().channels, 0);
    });
}

#[test]
fn an_operation_begun_during_an_expiry_is_refused_or_keeps_its_channel_open() {
    in_every_order(|| {
        let hub = hub(10);
        let id = hub.connect().unwrap();
        let sweeper = hub.clone();
        let sweeping = thread::spawn(move || sweeper.sweep());
        let work = hub.listen(id, Some("build".parse().unwrap()));
        let ended = sweeping.join().unwrap();
        assert_eq!(work.is_err(), ended == 1);
        assert_eq!(publish(&hub, id, "a").is_err(), ended == 1);
        drop(work);
        assert_eq!(hub.sweep(), 1 - ended);
    });
}

#[test]
fn two_subscribers_of_an_unknown_client_share_one_channel() {
    in_every_order(|| {
        let hub = hub(10);
        let id = ClientId::random();
        let other = hub.clone();
        let other = thread::spawn(move || subscribe(&other, id));
        let one = subscribe(&hub, id);
        let other = other.join().unwrap();
        assert_eq!(publish(&hub, id, "a"), Ok(1));
        assert!(hub.stop(id));
        for mut reader in [one, other] {
            assert_eq!(read_on(&mut reader).0, "a");
        }
        assert_eq!(hub.stats().channels, 0);
    });
}

/// A task; each of its wakers holds a reference.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_reader_that_leaves_drops_its_waker() {
    in_every_order(|| {
        let (hub, id, mut reader) = watched(10);
        let publisher = hub.clone();
        let publishing = thread::spawn(move || publish(&publisher, id, "a"));
        let task = Arc::new(Task);
        let waker = Waker::from(Arc::clone(&task));
        let _ = reader.poll_read(
            &mut Vec::new(),
            READ_BYTES,
            &mut Context::from_waker(&waker),
        );
        drop((reader, waker));
        publishing.join().unwrap().unwrap();
        assert_eq!(Arc::strong_count(&task), 1);
    });
}

#[test]
fn a_streaming_publisher_waits_for_its_reader_and_is_woken() {
    in_every_order(|| {
        let (hub, id, mut reader) = watched(1);
        let reading = thread::spawn(move || {
            let mut read = Vec::new();
            while read.len() < 2 {
                let delivery = block_on(reader.read(&mut read, READ_BYTES));
                assert_eq!(delivery, Delivery::Events, "nothing is lost");
            }
            read
        });
        let mut publisher = hub.publish_stream(id, None).unwrap();
        let mut queue: VecDeque<_> = ["a", "b", "c"].map(Message::text).into();
        // The reader takes two messages and leaves, which frees the publisher just as reading on would.
        assert_eq!(block_on(publisher.send(&mut queue)), Ok(()));
        assert_eq!(publisher.finish().accepted, 3);
        assert_eq!(reading.join().unwrap()[..2], *b"ab");
    });
}

#[test]
fn a_waiting_control_stream_gets_each_subscriber_and_each_request() {
    in_every_order(|| {
        let hub = hub(10);
        let id = hub.connect().unwrap();
        let mut listener = hub.listen(id, None).unwrap();
        let (asking, reading) = (hub.clone(), hub.clone());
        let request = ControlRequest {
            level: Change::Set(Level::Debug),
            ..ControlRequest::default()
        };
        let asking = thread::spawn(move || asking.request_control(id, request).map(drop));
        let reading = thread::spawn(move || subscribe(&reading, id));
        loop {
            match block_on(poll_fn(|cx| listener.poll_event(cx))) {
                ControlEvent::State(it) if it.subscribers == 1 && it.requested.level.is_some() => {
                    break;
                }
                ControlEvent::State(_) => {}
                other => panic!("{other:?}"),
            }
        }
        asking.join().unwrap().unwrap();
        let reader = reading.join().unwrap();
        assert!(hub.stop(id));
        let told = block_on(poll_fn(|cx| listener.poll_event(cx)));
        assert_eq!(told, ControlEvent::End(End::Stopped));
        drop(reader);
    });
}

#[test]
fn a_close_reaches_a_reader_that_waits() {
    in_every_order(|| {
        let (hub, _, mut reader) = watched(10);
        let reading = thread::spawn(move || read_on(&mut reader));
        hub.close();
        let read = reading.join().unwrap();
        assert_eq!(read, (String::new(), Delivery::Closing));
    });
}

#[test]
fn a_close_reaches_a_streaming_publisher_wherever_it_waits() {
    in_every_order(|| {
        let (hub, id, mut reader) = watched(1);
        let closer = hub.clone();
        let closing = thread::spawn(move || closer.close());
        let mut publisher = match hub.publish_stream(id, None) {
            Ok(publisher) => publisher,
            Err(refusal) => {
                assert_eq!(refusal, Refusal::Closing);
                return closing.join().unwrap();
            }
        };
        let closed = publisher.closed();
        let mut queue: VecDeque<_> = ["a", "b"].map(Message::text).into();
        // The reader never reads, so there is no room for the second message.
        let sent = block_on(publisher.send(&mut queue));
        assert_eq!(sent, Err(Refusal::Closing));
        block_on(closed);
        let sent = publisher.finish().accepted;
        closing.join().unwrap();
        let mut read = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        let delivery = reader.poll_read(&mut read, READ_BYTES, &mut cx);
        let expected = if sent == 0 {
            Delivery::Closing
        } else {
            Delivery::Events
        };
        assert_eq!(delivery, Poll::Ready(expected));
    });
}

#[test]
fn every_change_of_a_mirror_is_reported_to_its_store() {
    in_every_order(|| {
        let hub = hub(4);
        let id = ClientId::random();
        let mirror = hub.mirror(id, image()).unwrap();
        let (other, end) = (mirror.clone(), EventId { seq: 1, time: 2 });
        let feed = thread::spawn(move || {
            other.append(1, 1, vec![(2, Message::text("a"))]).unwrap();
            other.note_awaited();
        });
        let opened = mirror.subscribe(Format::Text, Position::Start, None);
        let mut reader = opened.unwrap().unwrap();
        let (delivery, out) = block_on(read(&mut reader));
        assert_eq!((delivery, &*out), (Delivery::Events, &b"a"[..]));
        feed.join().unwrap();
        // It needs what it read last until it reads again.
        let mut cx = Context::from_waker(Waker::noop());
        let again = reader.poll_read(&mut Vec::new(), READ_BYTES, &mut cx);
        assert!(again.is_pending());
        assert_eq!(block_on(hub.changed_mirror()), id);
        let change = mirror.take_change().unwrap();
        assert_eq!((change.readers, change.slowest), (1, 2));
        drop(reader);
        assert_eq!(block_on(hub.changed_mirror()), id);
        assert_eq!(mirror.take_change().unwrap().readers, 0);
        assert_eq!(mirror.last(), end);
        assert!(mirror.remove_if_unused());
    });
}

fn image() -> Image {
    Image {
        created: 1,
        held_from: 1,
        before: EventId { seq: 0, time: 1 },
        events: Vec::new(),
        lost: None,
        control: ControlState::default(),
    }
}

async fn read(reader: &mut Subscription) -> (Delivery, Vec<u8>) {
    let mut out = Vec::new();
    let delivery = reader.read(&mut out, READ_BYTES).await;
    (delivery, out)
}
