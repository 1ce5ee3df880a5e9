use super::client::BATCH;
use super::*;

fn texts(batch: &Batch) -> Vec<&str> {
    let texts = batch.waiting.iter().map(|it| it.message.text.as_str());
    texts.collect()
}

#[test]
fn a_full_queue_drops_the_oldest_message_of_all_clients() {
    let queue = Queue::default();
    let clients: Vec<_> = (0..10).map(|_| ClientId::random()).collect();
    queue.push(clients[0], Message::text("start"), true);
    for number in 0..ALL.messages {
        let id = clients[number % clients.len()];
        queue.push(id, Message::text(number.to_string()), false);
    }
    let stats = queue.stats();
    assert_eq!((stats.pending, stats.dropped), (ALL.messages as u64, 1));
    let batch = queue.take().unwrap();
    assert_eq!((batch.id, batch.dropped), (clients[0], 1));
    assert_eq!(texts(&batch)[..2], ["start", "10"]);
}

#[test]
fn one_client_has_an_eighth_of_it_and_keeps_how_operations_end() {
    let queue = Queue::default();
    let id = ClientId::random();
    queue.push(id, Message::text("end"), true);
    for number in 0..2 * ONE.messages {
        queue.push(id, Message::text(number.to_string()), false);
    }
    let batch = queue.take().unwrap();
    assert_eq!(batch.waiting.len(), BATCH.messages);
    assert_eq!(batch.dropped, ONE.messages as u64 + 1);
    assert_eq!(texts(&batch)[..2], ["end", "1025"]);
    assert!(
        queue.take().is_none(),
        "one request at a time for one client"
    );
    queue.done(&batch, 1 + BATCH.messages as u64);
    let rest = queue.take().unwrap();
    assert_eq!((rest.waiting.len(), rest.dropped), (24, 0));
    queue.done(&rest, 24);
    assert_eq!(queue.stats().accepted, ONE.messages as u64);
    assert!(
        lock(&queue.state).clients.is_empty(),
        "nothing is left of it"
    );
}

#[test]
fn bytes_are_bounded_too() {
    let queue = Queue::default();
    let id = ClientId::random();
    for _ in 0..100 {
        queue.push(id, Message::text("x".repeat(64 << 10)), false);
    }
    assert_eq!(queue.stats().pending, 15);
    assert_eq!(queue.take().unwrap().waiting.len(), 3);
}
