//! How a hub keeps within its memory.

use std::time::Duration;

use codechat::internal::{
    event::Format,
    hub::{Delivery, FINISHED_KEYS, Hub, Limits, LogLimits, Position, Refusal},
};
use tokio::time;

use crate::hub_life::{FRAMES, broadcast, text};

/// Creates a hub with this much memory, whose logs have room for two large messages each.
fn small_hub(memory: usize) -> Hub {
    let log = LogLimits::new().messages(4).bytes(2000);
    let limits = Limits::new().memory(memory).log(log);
    Hub::with_frames(limits, FRAMES)
}

#[tokio::test(start_paused = true)]
async fn if_memory_is_used_up_the_longest_idle_unread_channel_ends_first() {
    let hub = small_hub(3000);
    let big = "x".repeat(900);
    let watched = hub.connect().unwrap();
    let reader = hub
        .subscribe(watched, Format::Text, Position::Start)
        .unwrap();
    hub.publish(watched, text(&big), None).unwrap();
    let mut idle = Vec::new();
    for _ in 0..2 {
        time::advance(Duration::from_secs(1)).await;
        let id = hub.connect().unwrap();
        hub.publish(id, text(&big), None).unwrap();
        idle.push(id);
    }
    let newcomer = hub.connect().unwrap();
    hub.publish(newcomer, text(&big), None).unwrap();

    assert_eq!(hub.publish(idle[0], text("x"), None), Err(Refusal::Ended));
    assert!(hub.publish(idle[1], text("x"), None).is_ok());
    assert!(hub.publish(watched, text("x"), None).is_ok());
    drop(reader);
}

#[tokio::test(start_paused = true)]
async fn if_memory_is_used_up_an_empty_channel_stays() {
    let hub = small_hub(1900);
    let waiting = hub.connect().unwrap();
    time::advance(Duration::from_secs(1)).await;
    for _ in 0..10 {
        let id = hub.connect().unwrap();
        hub.publish(id, text(&"x".repeat(900)), None).unwrap();
    }
    assert!(hub.stats().memory < 1900 + 4000);
    assert!(hub.publish(waiting, text("x"), None).is_ok());
}

#[tokio::test(start_paused = true)]
async fn if_memory_is_used_up_and_all_channels_are_read_publishing_is_refused() {
    let hub = small_hub(1900);
    let ids = [hub.connect().unwrap(), hub.connect().unwrap()];
    let open = |id| hub.subscribe(id, Format::Text, Position::Start).unwrap();
    let readers = ids.map(open);
    let publish = |turn: usize| hub.publish(ids[turn % 2], text(&"x".repeat(900)), None);
    let refused = (0..10).map(publish).find_map(Result::err);
    assert_eq!(refused, Some(Refusal::OutOfMemory(1900)));
    assert!(
        hub.stats().memory < 1900 + 4000,
        "over the budget by one message at the most"
    );

    // The channel to end is not chosen anew at each message.
    drop(readers);
    assert_eq!(publish(0), Err(Refusal::OutOfMemory(1900)));
    time::advance(Duration::from_millis(100)).await;
    assert!(publish(0).is_ok());
}

#[tokio::test]
async fn if_memory_is_used_up_a_log_that_only_replaces_accepts_messages() {
    let hub = small_hub(1900);
    let (full, other) = (hub.connect().unwrap(), hub.connect().unwrap());
    let open = |id| hub.subscribe(id, Format::Text, Position::Start).unwrap();
    let [mut reader, _other] = [full, other].map(open);
    let publish = |id, length: usize| hub.publish(id, text(&"x".repeat(length)), None);
    for _ in 0..2 {
        publish(full, 900).unwrap();
    }
    let refused = Refusal::OutOfMemory(1900);
    let memory = hub.stats().memory;
    assert_eq!(publish(other, 1), Err(refused));
    assert_eq!(publish(full, 1), Err(refused), "nothing would be dropped");
    assert_eq!(publish(full, 901), Err(refused), "less would be dropped");
    assert_eq!(publish(full, 900).unwrap().last.unwrap().seq, 3);
    assert_eq!(hub.stats().memory, memory);

    let mut out = Vec::new();
    assert!(matches!(
        reader.read(&mut out, 100).await,
        Delivery::Gap(..)
    ));
    assert_eq!(reader.read(&mut out, 10_000).await, Delivery::Events);
    let mut publisher = hub.publish_stream(full, None).unwrap();
    let mut queue = [900, 901, 1].map(|it| text(&"x".repeat(it))).into();
    assert_eq!(publisher.send(&mut queue).await, Err(refused));
    assert_eq!((publisher.accepted(), queue.len()), (1, 2));
    assert_eq!(hub.stats().memory, memory);
    assert_eq!(broadcast(&hub, &"x".repeat(900), None), Ok(1));
}

#[tokio::test]
async fn remembered_idempotency_keys_count_towards_the_memory_budget() {
    let hub = small_hub(1 << 20);
    let id = hub.connect().unwrap();
    let publish = |key: usize| hub.publish(id, text("x"), Some(&key.to_string()));
    for key in 0..100 {
        publish(key).unwrap();
    }
    let hundred = hub.stats().memory;
    for key in 100..FINISHED_KEYS {
        publish(key).unwrap();
    }
    let all = hub.stats().memory;
    // The log is full of the same text.
    assert!(
        all > hundred + 64 * (FINISHED_KEYS - 100),
        "{hundred} {all}"
    );
    publish(FINISHED_KEYS).unwrap();
    assert!(hub.stats().memory < all + 10, "the oldest is forgotten");
    assert!(hub.stop(id));
    assert_eq!(hub.stats().memory, 0);
}
