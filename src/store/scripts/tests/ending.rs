//! How a channel ends, by request or when idle, and what is left of it.

use super::*;
use crate::event::unix_millis;

impl Stage {
    async fn active(&self, id: ClientId) -> u64 {
        self.scripts.info(id).await.unwrap().unwrap().last_activity
    }

    /// Sets the times of the channel's last activity and of its newest message.
    async fn set_times(&self, id: ClientId, active: u64, newest: u64) {
        let (key, mut script) = (self.channel_key(id, ""), redis::cmd("EVAL"));
        let lua = "local at = redis.call('HGET', KEYS[1], 'position'):gsub('^(%d+) %d+', '%1 ' .. ARGV[2]) \
                   redis.call('HSET', KEYS[1], 'active', ARGV[1], 'position', at) return 1";
        let _: i64 = self
            .run(script.arg(lua).arg(1).arg(key).arg(active).arg(newest))
            .await;
    }

    async fn sweep(&self, id: ClientId, since: u64) -> bool {
        self.scripts.end_if_idle(id, since).await.unwrap();
        self.scripts.info(id).await.unwrap().is_none()
    }
}

#[tokio::test]
async fn an_ended_channel_is_remembered_for_a_day_and_can_be_created_again() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let mut inbox = stage.inbox("1").await;
    stage.join(id, "1", 1).await;
    let last = stage.say(id, "a").await.last.unwrap();
    stage.scripts.end(id, End::Quit).await.unwrap();
    assert_eq!(inbox.notices().await[1], Notice::Ended(id, End::Quit, last));
    assert!(is_hub(
        &stage.scripts.end(id, End::Stopped).await,
        hub::Refusal::Ended
    ));
    let resuming = Joining {
        subscribers: 1,
        listeners: 0,
        makes: true,
        from: Some(EventId { seq: 1, time: 0 }),
        resumes: true,
    };
    let resume = || stage.scripts.join(id, "1", &resuming);
    assert!(matches!(resume().await, Ok(Join::Ended(End::Quit, it)) if it == last));
    assert!(matches!(
        stage.try_join(id, "1", 1, false).await,
        Ok(Join::Ended(End::Quit, _))
    ));
    let Ok(Join::Joined(image, Some(past))) = stage.try_join(id, "1", 1, true).await else {
        panic!()
    };
    assert!(matches!(past, ClientPast::Ended { end: End::Quit, at } if at >= last.time));
    assert_eq!((image.last().seq, image.control.subscribers), (0, 1));

    stage.scripts.end(id, End::Stopped).await.unwrap();
    let yesterday = unix_millis() - u64::try_from(TOMBSTONE_AGE.as_millis()).unwrap();
    let ended = stage.bucket_key(id, "ended");
    let _: i64 = stage
        .run(
            redis::cmd("ZADD")
                .arg(ended)
                .arg(yesterday)
                .arg(id.to_string()),
        )
        .await;
    let unknown = stage.scripts.publish(id, &Message::text("a"), None).await;
    assert!(is_hub(&unknown, hub::Refusal::Unknown));
    assert!(matches!(resume().await, Ok(Join::Joined(_, None))));
}

#[tokio::test]
async fn idleness_counts_from_the_last_delivery_or_subscription() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let (id, now) = (stage.opened().await, unix_millis());
    let (old, older) = (now - 1000, now - 2000);
    stage.set_times(id, older, old).await;
    assert_eq!(
        stage.active(id).await,
        older,
        "a message without a reader is not activity"
    );
    stage.join(id, "1", 1).await;
    assert!(stage.active(id).await >= now);
    stage.join(id, "2", 1).await;
    stage.set_times(id, older, old).await;
    // A report, a repeated join or a node that leaves is not activity.
    stage.report(id, "1", 1, 0, 1).await.unwrap();
    stage.join(id, "2", 1).await;
    stage.report(id, "1", 0, 0, 1).await.unwrap();
    stage.report(id, "2", 0, 0, 1).await.unwrap();
    assert_eq!(stage.active(id).await, old, "the last delivery");
    stage.say(id, "a").await;
    assert_eq!(stage.active(id).await, old, "delivered to no reader");
    assert!(!stage.sweep(id, old - 1).await);
    let score: u64 = stage
        .run(
            redis::cmd("ZSCORE")
                .arg(stage.bucket_key(id, "open"))
                .arg(id.to_string()),
        )
        .await;
    assert_eq!(score, old);
    assert!(stage.sweep(id, old).await);
}

#[tokio::test]
async fn a_dead_node_does_not_keep_a_channel_from_being_idle() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let (id, now) = (stage.opened().await, unix_millis());
    stage.join(id, "1", 1).await;
    stage.set_times(id, now - 2000, now - 1000).await;
    stage.scripts.drop_node(id, "1").await.unwrap();
    assert_eq!(stage.active(id).await, now - 1000);
}

#[tokio::test]
async fn only_the_tombstone_of_an_ended_channel_is_left() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    stage.join(id, "1", 1).await;
    stage
        .scripts
        .begin(id, "2", "2:1", Some("k"))
        .await
        .unwrap();
    stage
        .scripts
        .stand(id, "3", "3:1", &operation("a"))
        .await
        .unwrap();
    stage
        .stream(id, "2", ("2:1", Some("k"), 0), &["a"])
        .await
        .unwrap();
    stage
        .scripts
        .publish(id, &Message::text("b"), Some("l"))
        .await
        .unwrap();
    let keys = stage.keys_left().await;
    for key in keys.iter().filter(|it| it.contains(&id.to_string())) {
        let left: i64 = stage.run(redis::cmd("PTTL").arg(key)).await;
        assert!(left > 0, "{key} does not expire without nodes");
    }
    stage.scripts.end(id, End::Stopped).await.unwrap();
    let bucket = |name| stage.bucket_key(id, name);
    assert_eq!(
        stage.keys_left().await,
        [
            "test:clients".to_owned(),
            "test:store".into(),
            bucket("ended"),
            bucket("reasons")
        ]
    );
    let count: u64 = stage.run(redis::cmd("GET").arg("test:clients")).await;
    assert_eq!(count, 0);
}
