//! Connected publishers: tries, control streams that accompany operations, and which losses are reported.

use super::*;
use crate::control::{Cancel, Change};
use crate::hub::BROKEN_OFF;
use crate::message::{Level, Outcome};

fn over(name: Option<&str>) -> Message {
    Message {
        operation: name.map(operation),
        outcome: Some(Outcome::Ok),
        ..Message::text("over")
    }
}

impl Stage {
    async fn gone(&self, id: ClientId, work: &str, of: Option<&str>) {
        let message = Message {
            operation: of.map(operation),
            ..Message::system(Some(Level::Error), BROKEN_OFF)
        };
        self.scripts.gone(id, work, &message).await.unwrap();
    }

    /// Returns how many times the loss of a publisher was published.
    async fn losses(&self, id: ClientId) -> usize {
        let image = self.join(id, "reader", 1).await;
        texts(&image).iter().filter(|it| **it == BROKEN_OFF).count()
    }

    async fn ask(
        &self,
        id: ClientId,
        level: Change<Level>,
        cancel: Change<Cancel>,
    ) -> ControlState {
        self.scripts
            .request(id, ControlRequest { level, cancel })
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn the_loss_of_a_streaming_publisher_is_published_once() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let mut inbox = stage.inbox("reader").await;
    stage.join(id, "reader", 1).await;
    stage.scripts.begin(id, "1", "1:1", None).await.unwrap();
    stage
        .stream(id, "1", ("1:1", None, 0), &["a"])
        .await
        .unwrap();
    stage.gone(id, "1:1", None).await;
    stage.gone(id, "1:1", None).await;
    assert_eq!(stage.losses(id).await, 1);
    let notices = inbox.notices().await;
    let Notice::Published(_, last) = notices.last().unwrap() else {
        panic!("{notices:?}")
    };
    assert_eq!((last.from, last.events[0].1.level), (2, Some(Level::Error)));
    assert!(last.events[0].1.system);
}

#[tokio::test]
async fn the_regular_end_of_a_stream_is_not_published_as_a_loss() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    for key in [None, Some("k")] {
        stage.scripts.begin(id, "1", "1:1", key).await.unwrap();
        let taken = stage
            .stream(id, "1", ("1:1", key, 0), &["a"])
            .await
            .unwrap();
        stage
            .scripts
            .done(id, "1:1", key, &taken.receipt)
            .await
            .unwrap();
        stage.gone(id, "1:1", None).await;
    }
    assert_eq!(stage.losses(id).await, 0);
}

#[tokio::test]
async fn a_repeated_call_adds_nothing() {
    let Some(stage) = Stage::new() else {
        return;
    };
    for key in [None, Some("k")] {
        let id = stage.opened().await;
        stage.scripts.begin(id, "1", "1:1", key).await.unwrap();
        let first = stage
            .stream(id, "1", ("1:1", key, 0), &["a", "b"])
            .await
            .unwrap();
        // As if the answer was lost: the node does not know that the message was accepted.
        let again = stage
            .stream(id, "1", ("1:1", key, 0), &["a", "b", "c"])
            .await
            .unwrap();
        assert_eq!((first.receipt.accepted, again.receipt.accepted), (2, 3));
        assert_eq!(again.receipt.last.unwrap().seq, 3);
        assert_eq!(texts(&stage.join(id, "n", 1).await), ["a", "b", "c"]);
    }
}

#[tokio::test]
async fn a_request_resumed_at_another_node_skips_accepted_messages_and_is_not_published_as_lost() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    stage
        .scripts
        .begin(id, "1", "1:1", Some("k"))
        .await
        .unwrap();
    stage
        .stream(id, "1", ("1:1", Some("k"), 0), &["a", "b"])
        .await
        .unwrap();
    stage
        .scripts
        .begin(id, "2", "2:1", Some("k"))
        .await
        .unwrap();
    // Node 1 is found dead; its own state is lost.
    let work = stage.scripts.drop_node(id, "1").await.unwrap();
    assert_eq!(work, [("1:1".to_owned(), None)]);
    stage.gone(id, "1:1", None).await;
    let taken = stage
        .stream(id, "2", ("2:1", Some("k"), 0), &["a", "b", "c"])
        .await
        .unwrap();
    assert_eq!(
        (taken.receipt.accepted, taken.receipt.last.unwrap().seq),
        (3, 3)
    );
    stage
        .scripts
        .done(id, "2:1", Some("k"), &taken.receipt)
        .await
        .unwrap();
    assert_eq!(texts(&stage.join(id, "n", 1).await), ["a", "b", "c"]);

    // The loss of the newest try is reported, although that of an older one was not.
    stage
        .scripts
        .begin(id, "2", "2:2", Some("k"))
        .await
        .unwrap();
    stage.gone(id, "2:2", None).await;
    assert_eq!(stage.losses(id).await, 1);
}

#[tokio::test]
async fn the_loss_of_an_operation_is_published_unless_it_has_ended_or_another_accompanies_it() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let a = operation("a");
    stage.scripts.stand(id, "1", "1:1", &a).await.unwrap();
    stage.scripts.stand(id, "2", "2:1", &a).await.unwrap();
    let work = stage.scripts.drop_node(id, "1").await.unwrap();
    assert_eq!(work, [("1:1".to_owned(), Some(a.clone()))]);
    stage.gone(id, "1:1", Some("a")).await;
    assert_eq!(
        stage.losses(id).await,
        0,
        "another control stream accompanies it"
    );
    stage.gone(id, "2:1", Some("a")).await;
    assert_eq!(stage.losses(id).await, 1);

    stage.scripts.stand(id, "1", "1:2", &a).await.unwrap();
    stage
        .scripts
        .stand(id, "1", "1:3", &operation("b"))
        .await
        .unwrap();
    stage
        .scripts
        .publish(id, &over(Some("a")), None)
        .await
        .unwrap();
    stage.gone(id, "1:2", Some("a")).await;
    assert_eq!(stage.losses(id).await, 1, "the operation has ended");
    stage.gone(id, "1:3", Some("b")).await;
    assert_eq!(stage.losses(id).await, 2);
}

#[tokio::test]
async fn the_loss_of_a_stream_is_not_published_if_a_control_stream_accompanies_its_operation() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let say = Message {
        operation: Some(operation("a b")),
        ..Message::text("x")
    };
    for (is_over, losses) in [(false, 0), (true, 0)] {
        stage
            .scripts
            .stand(id, "1", "1:1", &operation("a b"))
            .await
            .unwrap();
        stage
            .scripts
            .begin(id, "2", "2:1", Some("a key"))
            .await
            .unwrap();
        let publication = Publication {
            work: Some("2:1"),
            done: 0,
            key: Some("a key"),
            flow: true,
        };
        let messages = [say.clone(), Message::text("y")];
        stage
            .scripts
            .publish_some(id, "2", &messages, &publication)
            .await
            .unwrap();
        if is_over {
            stage
                .scripts
                .publish(id, &over(Some("a b")), None)
                .await
                .unwrap();
        }
        stage.scripts.drop_node(id, "2").await.unwrap();
        stage.gone(id, "2:1", None).await;
        assert_eq!(stage.losses(id).await, losses);
        stage
            .scripts
            .publish(id, &over(Some("a b")), None)
            .await
            .unwrap();
        stage.gone(id, "1:1", Some("a b")).await;
        assert_eq!(stage.losses(id).await, losses);
    }
}

#[tokio::test]
async fn requests_are_stored_sent_to_listeners_and_done_when_their_operation_ends() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let mut inbox = stage.inbox("1").await;
    stage.join(id, "1", 0).await;
    stage.report(id, "1", 0, 1, 1).await.unwrap();
    inbox.notices().await;
    let cancel = Cancel {
        operation: Some(operation("a =b")),
    };
    let asked = stage
        .ask(id, Change::Set(Level::Debug), Change::Set(cancel.clone()))
        .await;
    assert_eq!(inbox.notices().await, [Notice::Audience(id, asked.clone())]);
    assert_eq!(stage.say(id, "x").await.requested, asked.requested);
    stage.ask(id, Change::Set(Level::Debug), Change::Keep).await;
    for other in [None, Some("a"), Some("a =c")] {
        stage.scripts.publish(id, &over(other), None).await.unwrap();
    }
    let notices = inbox.notices().await;
    assert!(
        notices.iter().all(|it| matches!(it, Notice::Published(..))),
        "{notices:?}"
    );
    let over_now = stage
        .scripts
        .publish(id, &over(Some("a =b")), None)
        .await
        .unwrap();
    assert_eq!(
        (over_now.requested.level, over_now.requested.cancel),
        (Some(Level::Debug), None)
    );
    assert!(
        inbox
            .notices()
            .await
            .iter()
            .any(|it| matches!(it, Notice::Audience(..)))
    );
    stage
        .ask(id, Change::Clear, Change::Set(Cancel::default()))
        .await;
    let over_now = stage
        .scripts
        .publish(id, &over(None), Some("k"))
        .await
        .unwrap();
    assert_eq!(over_now.requested, crate::control::Requested::default());
}

#[tokio::test]
async fn a_running_operation_keeps_its_channel_from_being_idle() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let now = stage.say(id, "x").await.last.unwrap().time;
    stage
        .scripts
        .stand(id, "1", "1:1", &operation("a"))
        .await
        .unwrap();
    let publication = Publication {
        work: None,
        done: 0,
        key: None,
        flow: false,
    };
    while stage
        .scripts
        .publish_some(id, "", [&over(None)], &publication)
        .await
        .unwrap()
        .receipt
        .last
        .unwrap()
        .time
        == now
    {}
    for is_over in [false, true] {
        if is_over {
            stage
                .scripts
                .publish(id, &over(Some("a")), None)
                .await
                .unwrap();
        }
        stage.scripts.end_if_idle(id, now).await.unwrap();
        assert!(stage.scripts.info(id).await.unwrap().is_some());
    }
    stage.gone(id, "1:1", Some("a")).await;
    stage.scripts.end_if_idle(id, now).await.unwrap();
    assert!(
        stage.scripts.info(id).await.unwrap().is_some(),
        "idleness counts from the end of the work"
    );
    stage
        .scripts
        .end_if_idle(id, now + 3_600_000)
        .await
        .unwrap();
    assert!(stage.scripts.info(id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_node_is_listed_only_where_it_reads_or_publishes() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let key = stage.bucket_key(id, "at:1");
    let at = async || -> bool {
        stage
            .run(redis::cmd("SISMEMBER").arg(&key).arg(id.to_string()))
            .await
    };
    stage.join(id, "1", 1).await;
    let begun = stage.scripts.begin(id, "1", "1:1", None);
    begun.await.unwrap();
    stage.report(id, "1", 0, 0, 1).await.unwrap();
    assert!(at().await);
    stage
        .scripts
        .done(id, "1:1", None, &Receipt::default())
        .await
        .unwrap();
    assert!(!at().await);
    stage.scripts.begin(id, "1", "1:2", None).await.unwrap();
    stage.join(id, "1", 1).await;
    stage.gone(id, "1:2", None).await;
    assert!(at().await);
    stage.scripts.drop_node(id, "1").await.unwrap();
    assert!(!at().await);
    stage.join(id, "1", 1).await;
    stage
        .scripts
        .stand(id, "1", "1:3", &operation("a"))
        .await
        .unwrap();
    stage.scripts.drop_node(id, "1").await.unwrap();
    assert!(at().await, "the loss of its work has not been reported yet");
    stage.gone(id, "1:3", Some("a")).await;
    assert!(!at().await);
}
