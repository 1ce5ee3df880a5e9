//! The hub alone: no sockets, no HTTP, one thread.
//!
//! Run it with `cargo bench --bench hub`. A rate counts messages, or deliveries if there are many subscribers. A
//! request costs the server around the hub ten times as much as what is measured here, so only a large change of these
//! numbers matters, and `load` shows whether users notice it.

use std::{
    collections::VecDeque,
    hint::black_box,
    task::{Context, Poll, Waker},
};

use codechat::internal::{
    event::{ClientId, Format},
    hub::{Delivery, Hub, Limits, Position, Subscription},
    message::Message,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::FutureExt;

/// The length of a text, in bytes: that of a usual log line.
const TEXT_BYTES: usize = 120;
/// Upper bound of one read of a subscriber, in bytes, as in the server.
const READ_BYTES: usize = 64 * 1024;
const SUBSCRIBERS: usize = 1_000;
/// Below the log's bound, so that a streaming publisher never waits for the reader of this thread.
const BATCH: usize = 500;

fn hub() -> (Hub, ClientId) {
    let hub = Hub::new(Limits::new().subscribers(SUBSCRIBERS));
    let id = hub.connect().expect("an empty hub has room");
    (hub, id)
}

fn subscribe(hub: &Hub, id: ClientId, format: Format) -> Subscription {
    hub.subscribe(id, format, Position::Start)
        .expect("the limit is not reached")
}

fn message() -> Message {
    Message::text("x".repeat(TEXT_BYTES))
}

fn publish(hub: &Hub, id: ClientId) {
    let receipt = hub.publish(id, message(), None);
    black_box(receipt).expect("the channel is open");
}

/// Reads until nothing is left, and leaves the waker, like a subscriber that waits for more.
fn read(subscription: &mut Subscription, out: &mut Vec<u8>) {
    let mut cx = Context::from_waker(Waker::noop());
    out.clear();
    while let Poll::Ready(delivery) = subscription.poll_read(out, READ_BYTES, &mut cx) {
        assert_eq!(
            delivery,
            Delivery::Events,
            "a reader that keeps up loses nothing"
        );
        if out.len() >= READ_BYTES {
            black_box(&*out);
            out.clear();
        }
    }
    black_box(&*out);
}

fn one_subscriber(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish and read");
    group.throughput(Throughput::Elements(1));
    for format in [Format::Text, Format::Json] {
        group.bench_function(format.as_str(), |bencher| {
            let (hub, id) = hub();
            let mut subscription = subscribe(&hub, id, format);
            let mut out = Vec::with_capacity(READ_BYTES);
            bencher.iter(|| {
                publish(&hub, id);
                read(&mut subscription, &mut out);
            });
        });
    }
    group.finish();
}

fn many_subscribers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan out to 1,000");
    group.throughput(Throughput::Elements(SUBSCRIBERS as u64));
    for format in [Format::Text, Format::Json] {
        group.bench_function(format.as_str(), |bencher| {
            let (hub, id) = hub();
            let mut subscriptions: Vec<_> = (0..SUBSCRIBERS)
                .map(|_| subscribe(&hub, id, format))
                .collect();
            let mut out = Vec::with_capacity(READ_BYTES);
            bencher.iter(|| {
                publish(&hub, id);
                for subscription in &mut subscriptions {
                    read(subscription, &mut out);
                }
            });
        });
    }
    group.finish();
}

fn streaming_publisher(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream in batches of 500");
    group.throughput(Throughput::Elements(BATCH as u64));
    for format in [Format::Text, Format::Json] {
        group.bench_function(format.as_str(), |bencher| {
            let (hub, id) = hub();
            let mut subscription = subscribe(&hub, id, format);
            let mut publisher = hub.publish_stream(id, None).expect("the channel is open");
            let mut out = Vec::with_capacity(READ_BYTES);
            bencher.iter(|| {
                let mut batch: VecDeque<_> = (0..BATCH).map(|_| message()).collect();
                let sent = publisher.send(&mut batch).now_or_never();
                sent.expect("the reader is up to date")
                    .expect("the channel is open");
                read(&mut subscription, &mut out);
            });
        });
    }
    group.finish();
}

criterion_group!(
    benches,
    one_subscriber,
    many_subscribers,
    streaming_publisher
);
criterion_main!(benches);
