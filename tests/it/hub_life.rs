//! How channels live and end: idleness, stopping, tombstones, memory, wake-ups.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use codechat::internal::{
    event::{ClientId, End, EventId, Format},
    hub::{BROKEN_OFF, Delivery, Frames, Hub, Limits, LogLimits, Position, Refusal},
    message::Message,
};
use tokio::time;

use crate::hub_history::hub;

const LOG: LogLimits = LogLimits::new().messages(4).bytes(1000);
pub(crate) const FRAMES: Frames = Frames {
    text: |event| event.message.text.clone().into_bytes(),
    json: |event| event.message.text.clone().into_bytes(),
};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) fn text(text: &str) -> Message {
    Message::text(text)
}

#[tokio::test]
async fn a_waiting_reader_is_woken_once_until_it_reads() {
    let hub = hub(LOG);
    let id = hub.connect().unwrap();
    let mut reader = hub.subscribe(id, Format::Text, Position::Start).unwrap();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    assert!(reader.poll_read(&mut Vec::new(), 100, &mut cx).is_pending());
    for _ in 0..3 {
        hub.publish(id, text("x"), None).unwrap();
    }
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    let mut out = Vec::new();
    assert_eq!(
        reader.poll_read(&mut out, 100, &mut cx),
        Poll::Ready(Delivery::Events)
    );
    assert_eq!(out, b"1 x;2 x;3 x;");
}

#[tokio::test]
async fn a_reader_or_publisher_that_leaves_drops_its_waker() {
    let hub = hub(LOG);
    let id = hub.connect().unwrap();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);

    let mut behind = hub.subscribe(id, Format::Text, Position::Start).unwrap();
    let mut reader = hub.subscribe(id, Format::Text, Position::Start).unwrap();
    assert!(reader.poll_read(&mut Vec::new(), 100, &mut cx).is_pending());
    let mut publisher = hub.publish_stream(id, None).unwrap();
    let mut queue: VecDeque<_> = (0..9).map(|_| text("x")).collect();
    assert!(
        std::pin::pin!(publisher.send(&mut queue))
            .poll(&mut cx)
            .is_pending()
    );
    let (held, mine) = (Arc::strong_count(&count), 2);
    assert!(held > mine, "both wait");
    drop(reader);
    drop(publisher);
    drop(waker);
    assert_eq!(
        Arc::strong_count(&count),
        1,
        "nothing in the hub keeps a task alive"
    );
    let mut cx = Context::from_waker(Waker::noop());
    assert!(behind.poll_read(&mut Vec::new(), 100, &mut cx).is_ready());
}

#[tokio::test]
async fn a_stopped_channel_gives_what_it_holds_then_its_end_and_stays_ended_for_cursors() {
    let hub = hub(LOG);
    let id = hub.connect().unwrap();
    let mut reader = hub.subscribe(id, Format::Text, Position::Start).unwrap();
    hub.publish(id, text("last words"), None).unwrap();
    assert!(hub.stop(id));
    assert!(!hub.stop(id), "it is gone already");

    let mut out = Vec::new();
    assert_eq!(reader.read(&mut out, 100).await, Delivery::Events);
    assert_eq!(out, b"1 last words;");
    assert_eq!(
        reader.read(&mut out, 100).await,
        Delivery::End(End::Stopped)
    );
    assert_eq!(
        reader.read(&mut out, 100).await,
        Delivery::End(End::Stopped)
    );

    assert_eq!(hub.publish(id, text("late"), None), Err(Refusal::Ended));
    let cursor = Position::After(reader.last());
    let back = hub.subscribe(id, Format::Text, cursor);
    assert_eq!(back.err(), Some(Refusal::Ended));
    assert!(
        hub.subscribe(id, Format::Text, Position::Start).is_ok(),
        "a fresh channel"
    );
    assert!(hub.publish(id, text("again"), None).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_channel_ends_after_the_idle_timeout_unless_something_is_delivered() {
    let hub = hub(LOG);
    let minutes = |count| time::advance(Duration::from_mins(count));
    let watched = hub.connect().unwrap();
    let unused = hub.connect().unwrap();
    let mut reader = hub
        .subscribe(watched, Format::Text, Position::Start)
        .unwrap();

    minutes(10).await;
    hub.publish(watched, text("x"), None).unwrap();
    hub.publish(unused, text("nobody reads this"), None)
        .unwrap();
    let mut out = Vec::new();
    assert_eq!(reader.read(&mut out, 100).await, Delivery::Events);
    assert_eq!(hub.sweep(), 0);

    minutes(5).await;
    assert_eq!(hub.sweep(), 1, "messages that nobody reads are no activity");
    assert_eq!(hub.publish(unused, text("x"), None), Err(Refusal::Ended));

    minutes(10).await;
    assert_eq!(hub.sweep(), 1);
    assert_eq!(reader.read(&mut out, 100).await, Delivery::End(End::Idle));
    assert_eq!(hub.stats().channels, 0);
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_not_idle_while_a_control_stream_accompanies_an_operation() {
    let hub = hub(LOG);
    let minutes = |count| time::advance(Duration::from_mins(count));
    let (worked_for, listened) = (hub.connect().unwrap(), hub.connect().unwrap());
    let operation = "build".parse().unwrap();
    let work = hub.listen(worked_for, Some(operation)).unwrap();
    let _plain = hub.listen(listened, None).unwrap();
    minutes(15).await;
    assert_eq!(hub.sweep(), 1);
    assert!(hub.listen(listened, None).is_err());
    minutes(60).await;
    assert_eq!(hub.sweep(), 0);

    drop(work);
    assert_eq!(hub.sweep(), 0, "the time counts from the end of the work");
    minutes(14).await;
    assert_eq!(hub.sweep(), 0);
    minutes(1).await;
    assert_eq!(hub.sweep(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_ended_id_is_forgotten_after_a_day() {
    let hub = hub(LOG);
    let id = hub.connect().unwrap();
    let _ = hub.stop(id);
    let cursor = Position::After(EventId { seq: 0, time: 0 });
    assert!(hub.subscribe(id, Format::Text, cursor).is_err());
    time::advance(Duration::from_hours(24)).await;
    assert!(hub.subscribe(id, Format::Text, cursor).is_ok());
}

#[tokio::test]
async fn the_loss_of_a_streaming_publisher_is_published_unless_it_returns() {
    let hub = hub(LogLimits::new().messages(100).bytes(10_000));
    let id = hub.connect().unwrap();
    let mut reader = hub.subscribe(id, Format::Text, Position::Start).unwrap();
    let mut read = async || {
        let mut out = Vec::new();
        reader.read(&mut out, 1000).await;
        String::from_utf8(out).unwrap()
    };

    drop(hub.publish_stream(id, None).unwrap());
    assert_eq!(read().await, format!("1 {BROKEN_OFF};"));

    let first = hub.publish_stream(id, Some("key".into())).unwrap();
    let second = hub.publish_stream(id, Some("key".into())).unwrap();
    drop(first);
    drop(second);
    assert_eq!(
        read().await,
        format!("2 {BROKEN_OFF};"),
        "only the loss of the last try is published"
    );
}

#[tokio::test]
async fn limits_of_clients_and_subscribers_hold_and_places_are_freed() {
    let limits = Limits::new().clients(2).subscribers(1);
    let hub = Hub::with_frames(limits, FRAMES);
    let id = hub.connect().unwrap();
    let reader = hub
        .subscribe(ClientId::random(), Format::Text, Position::Start)
        .unwrap();
    assert_eq!(hub.connect(), Err(Refusal::TooManyClients(2)));
    let refused = hub.subscribe(ClientId::random(), Format::Text, Position::Start);
    assert_eq!(refused.err(), Some(Refusal::TooManyClients(2)));
    let second = hub.subscribe(reader.client_id(), Format::Text, Position::Start);
    assert_eq!(second.err(), Some(Refusal::TooManySubscribers(1)));
    let known = reader.client_id();
    drop(reader);
    assert!(hub.subscribe(known, Format::Text, Position::Start).is_ok());
    assert!(hub.stop(id));
    assert!(hub.connect().is_ok());
}

#[tokio::test]
async fn a_closing_hub_lets_readers_finish_and_refuses_all_others() {
    let hub = hub(LOG);
    let id = hub.connect().unwrap();
    let mut reader = hub.subscribe(id, Format::Text, Position::Start).unwrap();
    hub.publish(id, text("x"), None).unwrap();
    hub.close();
    let mut out = Vec::new();
    assert_eq!(reader.read(&mut out, 100).await, Delivery::Events);
    assert_eq!(reader.read(&mut out, 100).await, Delivery::Closing);
    assert_eq!(hub.publish(id, text("x"), None), Err(Refusal::Closing));
    assert_eq!(hub.connect(), Err(Refusal::Closing));
    assert_eq!(broadcast(&hub, "x", None), Err(Refusal::Closing));
}

/// Broadcasts a text; returns how many channels accepted it.
pub(crate) fn broadcast(hub: &Hub, message: &str, key: Option<&str>) -> Result<usize, Refusal> {
    let mut broadcast = hub.broadcast(text(message), key.map(Into::into))?;
    loop {
        if let Some(reached) = broadcast.advance() {
            return reached;
        }
    }
}

#[tokio::test]
async fn a_broadcast_to_many_channels_pauses_for_other_work() {
    let hub = hub(LOG);
    for _ in 0..2500 {
        hub.connect().unwrap();
    }
    let mut broadcast = hub.broadcast(text("all"), None).unwrap();
    assert_eq!((broadcast.advance(), broadcast.advance()), (None, None));
    // Other calls are served in between, and a channel that ends is no longer among the recipients.
    let id = hub.connect().unwrap();
    assert!(hub.stop(id));
    let reached = broadcast.advance().unwrap().unwrap();
    assert!(reached == 2500, "{reached}");
}

#[tokio::test]
async fn a_broadcast_reaches_every_channel_that_has_not_ended() {
    let hub = hub(LOG);
    let ids = [
        hub.connect().unwrap(),
        hub.connect().unwrap(),
        hub.connect().unwrap(),
    ];
    assert!(hub.stop(ids[0]));
    assert_eq!(broadcast(&hub, "all", Some("key")), Ok(2));
    assert_eq!(
        broadcast(&hub, "all", Some("key")),
        Ok(2),
        "repeated, it adds nothing"
    );
    let mut reader = hub
        .subscribe(ids[1], Format::Text, Position::Start)
        .unwrap();
    let mut out = Vec::new();
    reader.read(&mut out, 1000).await;
    assert_eq!(out, b"1 all;");
}
