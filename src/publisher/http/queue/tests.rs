use std::collections::BTreeMap;
use std::time::Duration;

use super::client::BATCH;
use super::room::Room;
use super::state::{ALL, BATCHED, COUNTED_MAX, ONE};
use super::*;
use crate::control::Cancel;
use crate::message::Outcome;

fn start() -> Message {
    Message::text("Started import").operation("import")
}

fn end() -> Message {
    Message::text("Finished").outcome(Outcome::Ok)
}

fn texts(batch: &Batch) -> Vec<&str> {
    let texts = batch.waiting.iter().map(|it| it.message.text.as_str());
    texts.collect()
}

#[test]
fn a_full_queue_drops_the_oldest_message_of_all_clients() {
    let queue = Queue::default();
    let clients: Vec<_> = (0..10).map(|_| ClientId::random()).collect();
    queue.push(clients[0], start());
    for number in 0..ALL.messages {
        let id = clients[number % clients.len()];
        queue.push(id, Message::text(number.to_string()));
    }
    let stats = queue.stats();
    assert_eq!((stats.pending, stats.dropped), (ALL.messages as u64, 1));
    let batch = queue.take().unwrap();
    assert_eq!((batch.id, batch.dropped), (clients[0], 1));
    assert_eq!(texts(&batch)[..2], ["Started import", "10"]);
}

#[test]
fn one_client_has_an_eighth_of_the_queue_and_keeps_outcomes() {
    let queue = Queue::default();
    let id = ClientId::random();
    queue.push(id, end());
    for number in 0..2 * ONE.messages {
        queue.push(id, Message::text(number.to_string()));
    }
    let mut batch = queue.take().unwrap();
    assert_eq!(batch.waiting.len(), BATCH.messages);
    assert_eq!(batch.dropped, ONE.messages as u64 + 1);
    assert_eq!(texts(&batch)[..2], ["Finished", "1025"]);
    assert!(
        queue.take().is_none(),
        "one request at a time for one client"
    );
    batch.accept(1 + BATCH.messages as u64);
    queue.done(&batch);
    let mut rest = queue.take().unwrap();
    assert_eq!((rest.waiting.len(), rest.dropped), (24, 0));
    rest.accept(24);
    queue.done(&rest);
    assert_eq!(queue.stats().accepted, ONE.messages as u64);
    assert!(
        lock(&queue.state).clients.is_empty(),
        "nothing is left of it"
    );
}

#[test]
fn bytes_are_bounded() {
    let queue = Queue::default();
    let id = ClientId::random();
    for _ in 0..100 {
        queue.push(id, Message::text("x".repeat(64 << 10)));
    }
    assert_eq!(queue.stats().pending, 15);
    assert_eq!(queue.take().unwrap().waiting.len(), 3);
}

#[test]
fn a_long_message_drops_as_many_short_ones_as_it_needs() {
    let queue = Queue::default();
    let id = ClientId::random();
    for _ in 0..900 {
        queue.push(id, Message::text("x".repeat(900)));
    }
    for _ in 0..10 {
        queue.push(id, Message::text("x".repeat(64 << 10)));
    }
    let used = lock(&queue.state).clients[&id].used;
    assert!(used.fits(ONE), "{used:?}");
}

#[test]
fn a_text_holds_no_more_memory_than_it_has_characters() {
    let queue = Queue::default();
    let mut text = String::with_capacity(1 << 20);
    text.push_str("short");
    queue.push(ClientId::random(), Message::text(text));
    let batch = queue.take().unwrap();
    let text = &batch.waiting[0].message.text;
    assert_eq!(text.capacity(), text.len());
}

#[test]
fn a_client_whose_messages_were_all_dropped_is_not_ready() {
    let queue = Queue::default();
    let clients: Vec<_> = (0..8).map(|_| ClientId::random()).collect();
    for number in 0..ALL.messages {
        let id = clients[number % clients.len()];
        queue.push(id, end());
    }
    let id = ClientId::random();
    for _ in 0..100 {
        queue.push(id, Message::text("no room"));
    }
    let state = lock(&queue.state);
    let lists = [&state.ready, &state.counted].map(BTreeMap::len);
    assert_eq!((lists, state.counts.dropped), ([clients.len(), 1], 100));
}

#[test]
fn the_number_of_dropped_messages_is_kept_for_a_client_without_messages() {
    let queue = Queue::default();
    let clients: Vec<_> = (0..=COUNTED_MAX).map(|_| ClientId::random()).collect();
    for id in &clients {
        queue.push(*id, Message::text("given up"));
        queue.done(&queue.take().unwrap());
    }
    assert_eq!(lock(&queue.state).clients.len(), COUNTED_MAX);
    // The oldest count was forgotten.
    for (id, dropped) in [(clients[0], 0), (clients[1], 1)] {
        queue.push(id, Message::text("next"));
        let batch = queue.take().unwrap();
        assert_eq!((batch.id, batch.dropped), (id, dropped));
    }
}

#[test]
fn the_number_of_dropped_messages_can_be_sent_alone() {
    let queue = Queue::default();
    let id = ClientId::random();
    queue.push(id, Message::text("given up"));
    queue.done(&queue.take().unwrap());
    assert!(queue.take().is_none() && queue.has_counts());
    for is_accepted in [false, true] {
        queue.send_counts();
        let mut count = queue.take().unwrap();
        assert_eq!((texts(&count), count.dropped), (vec![], 1));
        if is_accepted {
            count.accept(1);
        }
        queue.done(&count);
        assert_eq!(queue.has_counts(), !is_accepted);
    }
    let state = lock(&queue.state);
    let counts = (state.counts.accepted, state.counts.dropped);
    assert_eq!((counts, state.clients.len()), ((0, 1), 0));
}

#[test]
fn a_paused_batch_is_sent_again_unchanged_and_before_newer_messages() {
    let queue = Queue::default();
    let (id, other) = (ClientId::random(), ClientId::random());
    for text in ["a", "b", "c"] {
        queue.push(id, Message::text(text));
    }
    let mut batch = queue.take().unwrap();
    batch.accept(1);
    let (key, lines) = (batch.key, batch.lines());
    queue.pause(batch);
    queue.push(id, Message::text("d"));
    queue.push(other, Message::text("x"));
    assert_eq!(texts(&queue.take().unwrap()), ["x"]);
    assert!(queue.take().is_none());
    queue.wake(id);
    let mut again = queue.take().unwrap();
    assert_eq!((again.key, again.lines()), (key, lines));
    again.skip_one();
    assert_ne!(again.key, key, "the rest is another request");
    again.accept(100);
    queue.done(&again);
    let stats = queue.stats();
    assert_eq!((stats.accepted, stats.dropped), (2, 1));
    assert_eq!(texts(&queue.take().unwrap()), ["d"]);
}

#[test]
fn batches_leave_room_for_newer_messages() {
    let queue = Queue::default();
    let mut held = Vec::new();
    for _ in 0..32 {
        let id = ClientId::random();
        for _ in 0..ONE.messages {
            queue.push(id, Message::text("held back"));
        }
        held.push(queue.take().unwrap());
    }
    let batched = lock(&queue.state).batched;
    // The last ones are of one message.
    let most = BATCHED.messages + held.len();
    assert!(batched.messages <= most, "{batched:?}");
    assert_eq!(held[0].waiting.len(), BATCH.messages);
    let id = ClientId::random();
    for _ in 0..ONE.messages {
        queue.push(id, Message::text("newer"));
    }
    assert_eq!(lock(&queue.state).clients[&id].dropped, 0);
    for batch in &held {
        queue.done(batch);
    }
    assert_eq!(lock(&queue.state).batched, Room::default());
}

#[test]
fn a_batch_that_is_given_up_counts_what_the_server_had_accepted_of_it() {
    let queue = Queue::default();
    let id = ClientId::random();
    for text in ["a", "b", "c"] {
        queue.push(id, Message::text(text));
    }
    let mut batch = queue.take().unwrap();
    batch.report(2);
    let lines = batch.lines();
    queue.pause(batch);
    queue.wake(id);
    let mut again = queue.take().unwrap();
    assert_eq!(again.lines(), lines, "the server skips those that it has");
    again.report(0);
    queue.done(&again);
    let stats = queue.stats();
    assert_eq!((stats.accepted, stats.dropped), (2, 1));
}

#[test]
fn no_message_is_counted_twice_if_publishing_is_turned_off() {
    let queue = Queue::default();
    let (id, other) = (ClientId::random(), ClientId::random());
    queue.push(id, Message::text("pauses"));
    queue.pause(queue.take().unwrap());
    queue.push(other, Message::text("under way"));
    let batch = queue.take().unwrap();
    queue.push(other, end());
    queue.turn_off();
    queue.pause(batch);
    queue.push(id, Message::text("late"));
    let stats = queue.stats();
    assert_eq!((stats.dropped, stats.pending), (4, 0));
}

#[tokio::test]
async fn a_client_whose_message_finds_the_queue_full_is_sent() {
    let queue = Arc::new(Queue::default());
    for _ in 0..8 {
        let id = ClientId::random();
        for _ in 0..ONE.messages {
            queue.push(id, end());
        }
        queue.pause(queue.take().unwrap());
    }
    let sender = Arc::clone(&queue);
    let next = tokio::spawn(async move { sender.next().await.id });
    tokio::task::yield_now().await;
    let id = ClientId::random();
    queue.push(id, end());
    let next = tokio::time::timeout(Duration::from_secs(20), next).await;
    assert_eq!(next.unwrap().unwrap(), id);
}

/// A scope that ignores its standing.
struct Indifferent;

impl Controlled for Indifferent {
    fn set_standing(self: Arc<Self>, _: Standing) {}
}

#[test]
fn a_cancel_stays_over_even_if_the_outcome_of_its_operation_was_lost() {
    let queue = Queue::default();
    let id = ClientId::random();
    let scope: Arc<dyn Controlled> = Arc::new(Indifferent);
    queue.enter(id, &Arc::downgrade(&scope));
    let report = |cancel: Option<Cancel>| {
        let mut control = ControlState::default();
        control.requested.cancel = cancel;
        queue.set_control(id, control, false);
        let standing = lock(&queue.state).standing(id).unwrap();
        standing.control.requested.cancel
    };
    let any = || Some(Cancel::default());
    queue.push(id, start());
    assert_eq!(report(any()), any());
    queue.push(id, end().operation("import"));
    assert_eq!(report(any()), None, "the server does not know the outcome");

    let lost = queue.take().unwrap();
    queue.done(&lost);
    queue.push(id, Message::text("Started another").operation("another"));
    let mut accepted = queue.take().unwrap();
    accepted.accept(2);
    queue.done(&accepted);
    assert_eq!(report(any()), None, "the server still does not know it");

    assert_eq!(report(None), None);
    assert_eq!(report(any()), any(), "a new one");
}
