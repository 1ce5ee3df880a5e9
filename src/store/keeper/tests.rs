//! Servers that appear dead, temporarily or permanently.

use tokio::time::timeout;

use super::*;
use crate::event::Format;
use crate::hub::{Delivery, Frames, Limits, Position};
use crate::store::reading::BEGINNING;
use crate::store::scripts::Joining;
use crate::store::scripts::tests::redis_server::Redis;
use crate::store::{Store, StoreOptions};

const FRAMES: Frames = Frames {
    text: |event| event.message.text.clone().into_bytes(),
    json: |_| Vec::new(),
};
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

async fn node(redis: &Redis) -> Store {
    let options = StoreOptions {
        address: redis.url().parse().unwrap(),
        password: None,
        prefix: "test".into(),
        timeout: PATIENCE,
        patience: PATIENCE,
        stall_timeout: Duration::from_secs(5),
    };
    Store::connect(options, Limits::default(), FRAMES)
        .await
        .unwrap()
}

/// Publishes a message; returns the number of subscribers.
async fn publish(store: &Store, id: ClientId) -> usize {
    let receipt = store.publish(id, Message::text("a"), None).await;
    receipt.unwrap().subscribers
}

impl Inner {
    /// Makes a node appear dead.
    async fn seems_dead(&self, node: &str) {
        let set = redis::cmd("ZADD")
            .arg(self.scripts.key("nodes"))
            .arg(1)
            .arg(node)
            .to_owned();
        let _: i64 = self.scripts.link().query(&set).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_was_considered_dead_gets_the_messages_that_it_missed() {
    let Some(redis) = Redis::start() else { return };
    let store = node(&redis).await;
    let id = store.open().await.unwrap();
    let opened = store
        .subscribe(id, Format::Text, Position::Start, true)
        .await;
    let mut subscription = opened.unwrap();
    let inner = &store.inner;
    inner.scripts.drop_node(id, &inner.node).await.unwrap();
    assert_eq!(publish(&store, id).await, 0);
    inner.seems_dead(&inner.node).await;
    let mut text = Vec::new();
    let read = timeout(PATIENCE, subscription.read(&mut text, usize::MAX)).await;
    assert_eq!(
        (read.expect("the message has not arrived"), &*text),
        (Delivery::Events, &b"a"[..])
    );
    assert_eq!(publish(&store, id).await, 1);
}

#[tokio::test]
async fn the_readers_of_a_dead_node_do_not_count() {
    let Some(redis) = Redis::start() else { return };
    let store = node(&redis).await;
    let id = store.open().await.unwrap();
    let inner = &store.inner;
    let joining = Joining {
        subscribers: 2,
        listeners: 0,
        makes: false,
        from: Some(BEGINNING),
        resumes: false,
    };
    inner.scripts.join(id, "dead", &joining).await.unwrap();
    assert_eq!(publish(&store, id).await, 2);
    inner.seems_dead("dead").await;
    let gone = async {
        while publish(&store, id).await > 0 {
            sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, gone)
        .await
        .expect("the dead node still counts");
}
