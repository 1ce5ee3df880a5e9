//! Readers and listeners at several nodes: limits, flow control, and what a node gets when it joins.

use super::*;

const NONE: [Notice; 0] = [];

#[tokio::test]
async fn subscribers_of_all_nodes_are_counted_and_bounded() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    stage.join(id, "1", 2).await;
    assert_eq!(stage.join(id, "2", 1).await.control.subscribers, 3);
    let full = hub::Refusal::TooManySubscribers(SUBSCRIBERS);
    assert!(is_hub(&stage.try_join(id, "3", 1, true).await, full));
    assert!(is_hub(&stage.report(id, "2", 2, 0, 1).await, full));
    assert_eq!(stage.say(id, "a").await.subscribers, 3);
    assert_eq!(stage.report(id, "1", 0, 0, 1).await.unwrap().subscribers, 1);
    stage.join(id, "3", 2).await;
    assert_eq!(stage.say(id, "b").await.subscribers, 3);
    // A repeated report changes nothing.
    stage.report(id, "3", 2, 0, 3).await.unwrap();
    assert_eq!(stage.say(id, "c").await.subscribers, 3);
}

#[tokio::test]
async fn listeners_are_bounded_and_get_the_number_of_subscribers() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let mut inbox = stage.inbox("1").await;
    stage.join(id, "1", 0).await;
    stage.report(id, "1", 0, CONTROL_STREAMS, 1).await.unwrap();
    assert_eq!(inbox.notices().await.len(), 1);
    let refused = stage.report(id, "1", 0, CONTROL_STREAMS + 1, 1).await;
    assert!(is_hub(
        &refused,
        hub::Refusal::TooManyControlStreams(CONTROL_STREAMS)
    ));
    stage.join(id, "2", 2).await;
    let subscribers = |notices: Vec<Notice>| -> Vec<_> {
        let counts = notices.into_iter().map(|notice| match notice {
            Notice::Audience(of, control) if of == id => control.subscribers,
            other => panic!("{other:?}"),
        });
        counts.collect()
    };
    assert_eq!(subscribers(inbox.notices().await), [2]);
    stage.report(id, "2", 2, 0, 1).await.unwrap();
    assert_eq!(inbox.notices().await, NONE);
    stage.scripts.drop_node(id, "2").await.unwrap();
    assert_eq!(subscribers(inbox.notices().await), [0]);
}

#[tokio::test]
async fn clients_are_bounded_and_an_ended_client_frees_its_place() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let mut ids = Vec::new();
    for _ in 0..CLIENTS {
        ids.push(stage.opened().await);
    }
    let full = hub::Refusal::TooManyClients(CLIENTS);
    assert!(is_hub(&stage.scripts.open(ClientId::random()).await, full));
    assert!(is_hub(
        &stage.try_join(ClientId::random(), "1", 1, true).await,
        full
    ));
    stage.join(ids[0], "1", 1).await;
    stage.scripts.open(ids[0]).await.unwrap();
    stage.scripts.end(ids[0], End::Stopped).await.unwrap();
    // A channel that the store evicted frees its place when a sweep finds it missing.
    let _: i64 = stage
        .run(redis::cmd("DEL").arg(stage.channel_key(ids[1], "")))
        .await;
    assert!(is_hub(
        &stage.scripts.end_if_idle(ids[1], 0).await,
        hub::Refusal::Unknown
    ));
    assert!(is_hub(
        &stage.scripts.end_if_idle(ids[1], 0).await,
        hub::Refusal::Unknown
    ));
    stage.opened().await;
    stage.opened().await;
    assert!(is_hub(&stage.scripts.open(ClientId::random()).await, full));
}

#[tokio::test]
async fn a_streaming_publisher_waits_for_the_slowest_reader_of_all_nodes() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let (mut slow, mut fast, mut sender) = (
        stage.inbox("1").await,
        stage.inbox("2").await,
        stage.inbox("3").await,
    );
    stage.join(id, "1", 1).await;
    stage.join(id, "2", 1).await;
    let texts = ["a", "b", "c", "d", "e", "f"];
    let taken = stage
        .stream(id, "3", ("3:1", None, 0), &texts)
        .await
        .unwrap();
    assert!(taken.is_held);
    assert_eq!(taken.receipt.accepted, HELD as u64);
    for inbox in [&mut slow, &mut fast] {
        let notices = inbox.notices().await;
        assert!(
            matches!(&notices[..], [Notice::Published(..), Notice::Report(of)] if *of == id),
            "{notices:?}"
        );
    }
    // A node that was asked is not asked again before it answers.
    let again = stage
        .stream(id, "3", ("3:1", None, 4), &texts[4..])
        .await
        .unwrap();
    assert!(again.is_held);
    assert_eq!(
        [
            slow.notices().await,
            fast.notices().await,
            sender.notices().await
        ],
        [NONE; 3]
    );

    stage.report(id, "2", 1, 0, 5).await.unwrap();
    assert_eq!(sender.notices().await, [Notice::Room(id)]);
    assert!(stage.is_held(id, "3", ("3:1", None, 4), &texts[4..]).await);
    stage.report(id, "1", 1, 0, 2).await.unwrap();
    assert_eq!(sender.notices().await, [Notice::Room(id)]);
    let taken = stage
        .stream(id, "3", ("3:1", None, 4), &texts[4..])
        .await
        .unwrap();
    assert_eq!((taken.receipt.accepted, taken.is_held), (5, true));
    // A single message does not wait for readers.
    assert_eq!(stage.say(id, "single").await.last.unwrap().seq, 6);
    stage.report(id, "1", 0, 0, 2).await.unwrap();
    assert_eq!(sender.notices().await, [Notice::Room(id)]);
    let taken = stage
        .stream(id, "3", ("3:1", None, 5), &texts[5..])
        .await
        .unwrap();
    assert!(!taken.is_held);
    assert_eq!(taken.receipt.last.unwrap().seq, 7);
}

#[tokio::test]
async fn a_publisher_waits_for_a_silent_node_until_the_stall_timeout() {
    let Some(stage) = Stage::with(&[], Duration::ZERO) else {
        return;
    };
    let id = stage.opened().await;
    stage.join(id, "1", 1).await;
    for _ in 0..HELD {
        stage.say(id, "a").await;
    }
    assert!(stage.is_held(id, "2", ("2:1", None, 0), &["b"]).await);
    while stage.is_held(id, "2", ("2:1", None, 0), &["b"]).await {}
    assert!(!stage.is_held(id, "2", ("2:1", None, 1), &["c"]).await);
    // Once it reports again, it counts again.
    stage.report(id, "1", 1, 0, 3).await.unwrap();
    assert!(stage.is_held(id, "2", ("2:1", None, 2), &["d"]).await);
}

#[tokio::test]
async fn a_publisher_waits_for_readers_of_a_node_that_leaves_but_does_not_count_them() {
    for stall in [Duration::from_mins(1), Duration::ZERO] {
        let Some(stage) = Stage::with(&[], stall) else {
            return;
        };
        let id = stage.opened().await;
        let mut inbox = stage.inbox("1").await;
        stage.join(id, "1", 1).await;
        let away = MirrorChange {
            readers: 0,
            listeners: 0,
            slowest: 1,
            is_closing: true,
            is_unused: true,
            gone: Vec::new(),
        };
        stage.scripts.report(id, "1", &away).await.unwrap();
        for _ in 0..HELD {
            assert_eq!(stage.say(id, "a").await.subscribers, 0);
        }
        while stage.is_held(id, "2", ("2:1", None, 0), &["b"]).await {
            if !stall.is_zero() {
                stage.scripts.drop_node(id, "1").await.unwrap();
            }
        }
        assert_eq!(inbox.notices().await, NONE);
    }
}

#[tokio::test]
async fn a_readers_position_is_unknown_until_its_node_reports() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    for _ in 0..=HELD {
        stage.say(id, "a").await;
    }
    // The node has only a listener, and its last report is old.
    stage.join(id, "1", 0).await;
    stage.report(id, "1", 0, 1, 1).await.unwrap();
    stage.join(id, "1", 1).await;
    assert!(stage.is_held(id, "2", ("2:1", None, 0), &["b"]).await);
    stage.report(id, "1", 1, 1, 3).await.unwrap();
    assert!(!stage.is_held(id, "2", ("2:1", None, 0), &["b"]).await);
}

#[tokio::test]
async fn a_node_that_was_considered_dead_has_to_join_again() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let mut inbox = stage.inbox("1").await;
    stage.join(id, "1", 1).await;
    stage.scripts.drop_node(id, "1").await.unwrap();
    assert_eq!(stage.say(id, "a").await.subscribers, 0);
    assert!(is_hub(
        &stage.report(id, "1", 1, 0, 1).await,
        hub::Refusal::Unknown
    ));
    assert_eq!(inbox.notices().await, NONE);
    let joining = Joining {
        subscribers: 1,
        listeners: 0,
        makes: true,
        from: Some(EventId { seq: 1, time: 0 }),
        resumes: true,
    };
    let Join::Joined(image, _) = stage.scripts.join(id, "1", &joining).await.unwrap() else {
        panic!()
    };
    assert_eq!(texts(&image), ["a"]);
    stage.report(id, "1", 0, 0, 2).await.unwrap();
    stage
        .report(id, "1", 0, 0, 2)
        .await
        .expect("a node that leaves need not have joined");
}

#[tokio::test]
async fn the_newest_place_of_a_loss_is_stored_and_sent_to_joined_nodes() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let mut inbox = stage.inbox("1").await;
    assert_eq!(stage.join(id, "1", 1).await.lost, None);
    for _ in 0..5 {
        stage.say(id, "a").await;
        inbox.notices().await;
    }
    // The last place is beyond the log.
    for (place, kept) in [(4, 4), (4, 4), (2, 4), (6, 6), (7, 6)] {
        stage.scripts.note_loss(id, place).await.unwrap();
        assert_eq!(stage.join(id, "2", 1).await.lost, Some(kept));
    }
    let notices = [4, 6].map(|place| Notice::Lost(id, place));
    assert_eq!(inbox.notices().await, notices);
}

#[tokio::test]
async fn a_join_gets_what_comes_after_its_cursor() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let id = stage.opened().await;
    let mut ids = vec![EventId { seq: 0, time: 0 }];
    for text in ["a", "b", "c", "d", "e", "f"] {
        ids.push(stage.say(id, text).await.last.unwrap());
    }
    let another = |seq: usize| EventId {
        time: ids[seq].time + 1,
        ..ids[seq]
    };
    for (from, expected) in [
        (Some(EventId { seq: 0, time: 0 }), &["c", "d", "e", "f"][..]),
        (Some(ids[2]), &["c", "d", "e", "f"]),
        (Some(ids[3]), &["c", "d", "e", "f"]),
        (Some(ids[5]), &["e", "f"]),
        (Some(another(5)), &["c", "d", "e", "f"]),
        (Some(ids[6]), &["f"]),
        (Some(EventId { seq: 7, ..ids[6] }), &["c", "d", "e", "f"]),
        (None, &[]),
    ] {
        let joining = Joining {
            subscribers: 1,
            listeners: 0,
            makes: false,
            from,
            resumes: true,
        };
        let joined = stage.scripts.join(id, "n", &joining).await.unwrap();
        let Join::Joined(image, past) = joined else {
            panic!()
        };
        assert_eq!((texts(&image), past), (expected.to_vec(), None));
        let before = 6 - expected.len();
        assert_eq!(
            (image.held_from, image.before, image.last()),
            (3, ids[before], ids[6]),
            "{from:?}"
        );
    }
}

#[tokio::test]
async fn a_join_reads_a_long_log_in_parts() {
    let log = LogLimits {
        messages: 300,
        bytes: 8 << 20,
    };
    let Some(stage) = Stage::with_log(&[], Duration::from_secs(5), log) else {
        return;
    };
    let id = stage.opened().await;
    let text = "x".repeat(20_000);
    for _ in 0..log.messages {
        stage.say(id, &text).await;
    }
    let whole = stage.join(id, "n", 1).await;
    assert_eq!(texts(&whole), vec![&*text; log.messages]);
    let mut timings = String::new();
    stage.scripts.read_log.took.write("took", "", &mut timings);
    assert!(timings.contains("took_count 2\n"), "{timings}");

    let mut image = whole.clone();
    image.events.truncate(10);
    stage.scripts.read_on(id, &mut image).await.unwrap();
    let numbers = (image.before, image.events.len(), image.held_from);
    assert_eq!(numbers, (whole.before, 110, 1));

    image.events.truncate(10);
    for _ in 0..20 {
        stage.say(id, &text).await;
    }
    // Messages 11 to 20 have been dropped.
    stage.scripts.read_on(id, &mut image).await.unwrap();
    let numbers = (image.before, image.events.len(), image.held_from);
    assert_eq!(numbers, (whole.id_of(20).unwrap(), 100, 21));

    // The store has lost what the image holds.
    image.events.resize(1000, image.events[0].clone());
    let refused = stage.scripts.read_on(id, &mut image).await;
    assert_eq!(refused, Err(Refusal::StoreAway));
}
