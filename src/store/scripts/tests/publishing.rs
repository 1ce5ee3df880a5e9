//! Publishing: numbers, bounds, keys, and the notices to nodes.

use super::*;
use crate::event::unix_millis;
use crate::message::{Level, Outcome};

fn ends(operation: Option<&str>) -> Message {
    Message {
        operation: operation.map(super::operation),
        outcome: Some(Outcome::Ok),
        ..Message::text("over")
    }
}

#[tokio::test]
async fn messages_are_numbered_without_holes_however_they_arrive() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let first = stage.say(id, "a").await;
    assert_eq!(
        (first.last.unwrap().seq, first.accepted, first.subscribers),
        (1, 1, 0)
    );
    let keyed = stage
        .scripts
        .publish(id, &Message::text("b"), Some("k"))
        .await
        .unwrap();
    let over = stage.scripts.publish(id, &ends(None), None).await.unwrap();
    let some = stage
        .stream(id, "n", ("n:1", None, 0), &["d", "e"])
        .await
        .unwrap();
    assert_eq!(
        [keyed, over, some.receipt].map(|it| it.last.unwrap().seq),
        [2, 3, 5]
    );
    let last = stage.say(id, "ü\n").await.last.unwrap();
    assert!(last.time.abs_diff(unix_millis()) < 60_000);
    let image = stage.join(id, "n", 1).await;
    assert_eq!(texts(&image), ["over", "d", "e", "ü\n"]);
    assert_eq!(
        (image.held_from, image.before.seq, image.last()),
        (3, 2, last)
    );
}

#[tokio::test]
async fn a_message_to_a_missing_channel_is_refused_with_the_reason() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = ClientId::random();
    for message in [Message::text("a"), ends(None)] {
        let unknown = stage.scripts.publish(id, &message, None).await;
        assert!(is_hub(&unknown, hub::Refusal::Unknown));
    }
    stage.scripts.open(id).await.unwrap();
    stage.scripts.end(id, End::Stopped).await.unwrap();
    for message in [Message::text("a"), ends(None)] {
        let ended = stage.scripts.publish(id, &message, Some("k")).await;
        assert!(is_hub(&ended, hub::Refusal::Ended));
        let ended = stage.scripts.publish(id, &message, None).await;
        assert!(is_hub(&ended, hub::Refusal::Ended));
    }
}

#[tokio::test]
async fn a_message_after_its_deadline_is_refused() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    // This node assumes that the store's clock is an hour behind.
    stage.scripts.link.set_time(unix_millis() - 3_600_000);
    for message in [Message::text("a"), ends(None)] {
        let late = stage.scripts.publish(id, &message, None).await;
        assert!(matches!(late, Err(Refusal::StoreAway)));
    }
    assert!(stage.join(id, "n", 1).await.events.is_empty());
}

#[tokio::test]
async fn time_never_runs_backwards_in_a_channel() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let ahead = unix_millis() + 3_600_000;
    let position = format!("7 {ahead} 0 0 {ahead} 0");
    let key = stage.channel_key(id, "");
    let set: i64 = stage
        .run(redis::cmd("HSET").arg(key).arg("position").arg(position))
        .await;
    assert_eq!(set, 0);
    for message in [Message::text("a"), ends(None)] {
        let taken = stage.scripts.publish(id, &message, None).await.unwrap();
        assert_eq!(taken.last.unwrap().time, ahead);
    }
}

#[tokio::test]
async fn a_log_keeps_its_bounds_and_at_least_one_message() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let large = "x".repeat(BYTES);
    for keyed in [None, Some("k")] {
        stage.say(id, "a").await;
        let dropped = stage.say(id, "b").await.last.unwrap();
        let message = Message::text(&large);
        let last = stage
            .scripts
            .publish(id, &message, keyed)
            .await
            .unwrap()
            .last
            .unwrap();
        let image = stage.join(id, "n", 1).await;
        assert_eq!(texts(&image), [&large]);
        assert_eq!((image.before, image.last()), (dropped, last));
        stage.say(id, "c").await;
        assert_eq!(texts(&stage.join(id, "n", 1).await), ["c"]);
    }
}

#[tokio::test]
async fn each_node_in_the_audience_gets_notices_and_no_other() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let (mut one, mut two, mut three) = (
        stage.inbox("1").await,
        stage.inbox("2").await,
        stage.inbox("3").await,
    );
    stage.join(id, "1", 1).await;
    stage.join(id, "2", 1).await;
    let a = stage.say(id, "a").await;
    assert_eq!(a.subscribers, 2);
    stage
        .stream(id, "3", ("3:1", None, 0), &["b", "c"])
        .await
        .unwrap();
    let warning = Message {
        level: Some(Level::Warn),
        ..Message::text("d")
    };
    stage
        .scripts
        .publish(id, &warning, Some("k"))
        .await
        .unwrap();
    stage.say(id, "e\0f").await;
    let notices = one.notices().await;
    assert_eq!(two.notices().await, notices);
    assert_eq!(three.notices().await, []);
    let mut next = 1;
    let mut heard = Vec::new();
    for notice in notices {
        let Notice::Published(of, published) = notice else {
            panic!("{notice:?}")
        };
        assert_eq!((of, published.from), (id, next));
        next += published.events.len() as u64;
        assert_eq!(
            published.held_from,
            (next - 1).saturating_sub(HELD as u64) + 1
        );
        heard.extend(published.events.into_iter().map(|(_, message)| message));
    }
    assert_eq!(heard[3], warning);
    let heard: Vec<_> = heard.iter().map(|it| &*it.text).collect();
    assert_eq!(heard, ["a", "b", "c", "d", "e\0f"]);
}

#[tokio::test]
async fn a_repeated_request_returns_the_first_answer_and_adds_nothing() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let message = Message::text("a");
    let first = stage
        .scripts
        .publish(id, &message, Some("k"))
        .await
        .unwrap();
    stage.join(id, "n", 2).await;
    let request = ControlRequest {
        level: crate::control::Change::Set(Level::Debug),
        ..ControlRequest::default()
    };
    stage.scripts.request(id, request).await.unwrap();
    let again = stage
        .scripts
        .publish(id, &message, Some("k"))
        .await
        .unwrap();
    // The requests are the current ones.
    assert_eq!(again.requested.level, Some(Level::Debug));
    let requested = first.requested.clone();
    assert_eq!(Receipt { requested, ..again }, first);
    assert_eq!(stage.say(id, "b").await.last.unwrap().seq, 2);
}

#[tokio::test]
async fn the_newest_finished_and_unfinished_keys_are_remembered() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    stage
        .scripts
        .begin(id, "n", "n:1", Some("broken"))
        .await
        .unwrap();
    for index in 0..=FINISHED_KEYS {
        let key = index.to_string();
        stage
            .scripts
            .publish(id, &Message::text("a"), Some(&key))
            .await
            .unwrap();
    }
    let count = FINISHED_KEYS as u64 + 1;
    let known = stage
        .scripts
        .publish(id, &Message::text("a"), Some("1"))
        .await
        .unwrap();
    assert_eq!(known.last.unwrap().seq, 2);
    let forgotten = stage
        .scripts
        .publish(id, &Message::text("a"), Some("0"))
        .await
        .unwrap();
    assert_eq!(forgotten.last.unwrap().seq, count + 1);
    stage
        .scripts
        .begin(id, "n", "n:2", Some("broken"))
        .await
        .unwrap();
    let held: i64 = stage
        .run(redis::cmd("HLEN").arg(stage.channel_key(id, ":keys")))
        .await;
    assert_eq!(held, i64::try_from(FINISHED_KEYS).unwrap() + 1);
}

#[tokio::test]
async fn a_full_store_accepts_messages_that_only_replace_and_can_be_read() {
    let settings = ["--maxmemory-policy", "noeviction"];
    let Some(stage) = Stage::with(&settings, Duration::ZERO) else {
        return;
    };
    let (rolling, short) = (stage.opened().await, stage.opened().await);
    for _ in 0..HELD {
        stage.say(rolling, "a").await;
    }
    stage.say(short, "a").await;
    stage
        .scripts
        .begin(rolling, "n", "n:1", None)
        .await
        .unwrap();
    let () = stage
        .run(redis::cmd("CONFIG").arg(&["SET", "maxmemory", "1"]))
        .await;
    let full = |answer| matches!(answer, Err(Refusal::StoreFull));
    assert!(full(
        stage
            .scripts
            .publish(short, &Message::text("b"), None)
            .await
    ));
    assert!(full(
        stage
            .scripts
            .publish(short, &Message::text("b"), Some("k"))
            .await
    ));
    assert!(full(
        stage
            .scripts
            .open(ClientId::random())
            .await
            .map(|()| Receipt::default())
    ));
    assert_eq!(
        stage.say(rolling, "b").await.last.unwrap().seq,
        HELD as u64 + 1
    );
    let keyed = stage
        .scripts
        .publish(rolling, &Message::text("c"), Some("k"))
        .await
        .unwrap();
    assert_eq!(keyed.last.unwrap().seq, HELD as u64 + 2);

    assert_eq!(texts(&stage.join(short, "n", 1).await), ["a"]);
    stage.report(short, "n", 1, 1, 2).await.unwrap();
    stage
        .scripts
        .request(short, ControlRequest::default())
        .await
        .unwrap();
    stage
        .scripts
        .done(rolling, "n:1", Some("s"), &Receipt::default())
        .await
        .unwrap();
    stage.scripts.drop_node(short, "n").await.unwrap();
    stage.scripts.end(short, End::Stopped).await.unwrap();
}

#[tokio::test]
async fn a_log_that_the_store_evicted_is_noticed() {
    let Some(stage) = Stage::new() else {
        return;
    };
    for keyed in [None, Some("k")] {
        let id = stage.opened().await;
        stage.say(id, "a").await;
        let mut lost = stage.say(id, "b").await.last.unwrap();
        // As if it had been accepted some time after the channel was created.
        lost.time += 3_600_000;
        let position = format!("2 {} 30 0 {} 2", lost.time, lost.time - 3_600_000);
        let key = stage.channel_key(id, "");
        let _: i64 = stage
            .run(redis::cmd("HSET").arg(key).arg("position").arg(position))
            .await;
        let _: i64 = stage
            .run(redis::cmd("DEL").arg(stage.channel_key(id, ":log")))
            .await;
        let image = stage.join(id, "n", 1).await;
        assert_eq!((image.held_from, image.before.seq), (3, 2));
        stage
            .scripts
            .publish(id, &Message::text("c"), keyed)
            .await
            .unwrap();
        let image = stage.join(id, "n", 1).await;
        assert_eq!(
            (image.held_from, image.before, texts(&image)),
            (3, lost, vec!["c"])
        );
    }
}
