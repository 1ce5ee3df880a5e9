//! Published messages are delivered, once, in order, or as a gap with exact numbers, whatever readers do and wherever
//! they resume.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use codechat::internal::{
    event::{Event, EventId, Format, Gap},
    hub::{Delivery, Frames, Hub, Limits, LogLimits, Position, Start, Subscription},
    message::Message,
};
use proptest::prelude::*;

/// Returns a frame that is easy to parse: `<seq> <text>;`.
fn frame(event: &Event) -> Vec<u8> {
    format!("{} {};", event.id.seq, event.message.text).into_bytes()
}

pub(crate) fn hub(log: LogLimits) -> Hub {
    Hub::with_frames(
        Limits::new().log(log),
        Frames {
            text: frame,
            json: frame,
        },
    )
}

/// A reader that checks, at every step, that nothing is missing, repeated or out of order.
struct Reader {
    subscription: Subscription,
    /// The number that must come next.
    next: u64,
    read: Vec<(u64, String)>,
    lost: u64,
}

impl Reader {
    fn open(
        hub: &Hub,
        id: codechat::internal::event::ClientId,
        format: Format,
        at: Position,
    ) -> Self {
        let subscription = hub.subscribe(id, format, at).unwrap();
        let next = subscription.last().seq + 1;
        Self {
            subscription,
            next,
            read: Vec::new(),
            lost: 0,
        }
    }

    /// Reads once, up to `max` bytes; returns false if there is nothing.
    fn read(&mut self, max: usize) -> bool {
        let mut out = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        match self.subscription.poll_read(&mut out, max, &mut cx) {
            Poll::Pending => return false,
            Poll::Ready(Delivery::Events) => {
                let out = String::from_utf8(out).unwrap();
                for frame in out.split_terminator(';') {
                    let (seq, text) = frame.split_once(' ').unwrap();
                    assert_eq!(seq.parse(), Ok(self.next), "no hole, no repeat");
                    self.read.push((self.next, text.into()));
                    self.next += 1;
                }
                assert_eq!(self.subscription.last().seq + 1, self.next);
            }
            Poll::Ready(Delivery::Gap(Gap::Known { from, to }, id)) => {
                assert_eq!(from, self.next, "a gap begins where reading ended");
                assert!(to >= from && id.seq == to);
                self.lost += to - from + 1;
                self.next = to + 1;
            }
            Poll::Ready(other) => panic!("{other:?}"),
        }
        true
    }

    fn drain(&mut self) {
        while self.read(16) {}
    }
}

/// A reader that left: its cursor, what it had read, how much it had lost.
type Away = (EventId, Vec<(u64, String)>, u64);

#[derive(Clone, Debug)]
enum Step {
    Publish(String),
    Open { format: Format, at: At },
    Read { reader: usize, max: usize },
    Leave { reader: usize },
    Return { reader: usize },
}

#[derive(Clone, Copy, Debug)]
enum At {
    Start,
    Tail(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let format = prop_oneof![Just(Format::Text), Just(Format::Json)];
    let at = prop_oneof![Just(At::Start), (0u64..8).prop_map(At::Tail)];
    prop_oneof![
        6 => "[a-z]{0,9}".prop_map(Step::Publish),
        1 => (format, at).prop_map(|(format, at)| Step::Open { format, at }),
        4 => (0usize..4, 1usize..30).prop_map(|(reader, max)| Step::Read { reader, max }),
        1 => (0usize..4).prop_map(|reader| Step::Leave { reader }),
        1 => (0usize..4).prop_map(|reader| Step::Return { reader }),
    ]
}

proptest! {
    #[test]
    fn every_reader_gets_everything_once_and_in_order_or_a_gap_with_exact_numbers(
        steps in prop::collection::vec(step(), 1..120),
        messages in 1usize..9,
        bytes in 8usize..90,
    ) {
        let hub = hub(LogLimits::new().messages(messages).bytes(bytes));
        let id = hub.connect().unwrap();
        let mut published: Vec<String> = Vec::new();
        let mut readers: Vec<Reader> = Vec::new();
        let mut away: Vec<Away> = Vec::new();
        for step in steps {
            match step {
                Step::Publish(text) => {
                    let receipt = hub.publish(id, Message::text(text.clone()), None).unwrap();
                    published.push(text);
                    prop_assert_eq!(receipt.last.unwrap().seq, published.len() as u64);
                    prop_assert_eq!(receipt.subscribers, readers.len());
                }
                Step::Open { format, at } => {
                    let at = match at {
                        At::Start => Position::Start,
                        At::Tail(count) => Position::Tail(count),
                    };
                    let reader = Reader::open(&hub, id, format, at);
                    prop_assert_eq!(reader.subscription.start(), Start::Fresh);
                    readers.push(reader);
                }
                Step::Read { reader, max } => {
                    if let Some(reader) = readers.get_mut(reader) {
                        reader.read(max);
                    }
                }
                Step::Leave { reader } if reader < readers.len() => {
                    let Reader { subscription, read, lost, .. } = readers.swap_remove(reader);
                    away.push((subscription.last(), read, lost));
                }
                Step::Return { reader } if reader < away.len() => {
                    let (cursor, read, lost) = away.swap_remove(reader);
                    let mut reader = Reader::open(&hub, id, Format::Text, Position::After(cursor));
                    prop_assert_eq!(reader.subscription.start(), Start::Resumed);
                    prop_assert_eq!(reader.next, cursor.seq + 1);
                    (reader.read, reader.lost) = (read, lost);
                    readers.push(reader);
                }
                Step::Leave { .. } | Step::Return { .. } => {}
            }
        }
        for reader in &mut readers {
            reader.drain();
            prop_assert_eq!(reader.next, published.len() as u64 + 1, "read to the end");
            for (seq, text) in &reader.read {
                prop_assert_eq!(text, &published[usize::try_from(*seq).unwrap() - 1]);
            }
        }
        drop(readers);
        hub.stop(id).then_some(()).expect("it was there");
        let stats = hub.stats();
        prop_assert_eq!((stats.channels, stats.subscribers, stats.memory), (0, 0, 0));
    }

    #[test]
    fn a_streaming_publisher_never_costs_an_attached_reader_a_message(
        texts in prop::collection::vec("[a-z]{0,9}", 1..80),
        reads in prop::collection::vec((0usize..3, 1usize..40), 0..200),
        messages in 1usize..6,
        bytes in 8usize..60,
    ) {
        let hub = hub(LogLimits::new().messages(messages).bytes(bytes));
        let id = hub.connect().unwrap();
        let open = || Reader::open(&hub, id, Format::Text, Position::Start);
        let mut readers = [open(), open(), open()];
        let mut publisher = hub.publish_stream(id, None).unwrap();
        let mut queue: VecDeque<_> = texts.iter().map(Message::text).collect();
        let mut cx = Context::from_waker(Waker::noop());
        let mut reads = reads.into_iter();
        loop {
            let sent = std::pin::pin!(publisher.send(&mut queue)).poll(&mut cx);
            if let Poll::Ready(sent) = sent {
                prop_assert_eq!(sent, Ok(()));
                break;
            }
            // The publisher may wait for any reader, so all of them read at the end.
            match reads.next() {
                Some((reader, max)) => {
                    readers[reader].read(max);
                }
                None => readers.iter_mut().for_each(|it| {
                    it.read(16);
                }),
            }
        }
        prop_assert_eq!(publisher.finish().accepted, texts.len() as u64);
        for reader in &mut readers {
            reader.drain();
            let read: Vec<_> = reader.read.iter().map(|(_, text)| text).collect();
            prop_assert_eq!(reader.lost, 0);
            prop_assert_eq!(read, texts.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_streamed_request_that_is_cut_and_repeated_is_in_the_log_once(
        texts in prop::collection::vec("[a-z]{0,9}", 1..40),
        cuts in prop::collection::vec(0usize..40, 0..4),
    ) {
        let hub = hub(LogLimits::new().messages(1000).bytes(100_000));
        let id = hub.connect().unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let mut broken = Vec::new();
        let mut send = |count: usize| {
            let mut publisher = hub.publish_stream(id, Some("key".into())).unwrap();
            let mut queue: VecDeque<_> = texts.iter().take(count).map(Message::text).collect();
            let sent = std::pin::pin!(publisher.send(&mut queue)).poll(&mut cx);
            assert_eq!(sent, Poll::Ready(Ok(())));
            publisher
        };
        for cut in cuts {
            broken.push(send(cut));
        }
        let receipt = send(texts.len()).finish();
        drop(broken);
        prop_assert_eq!(receipt.accepted, texts.len() as u64);
        let mut reader = Reader::open(&hub, id, Format::Text, Position::Start);
        reader.drain();
        let read: Vec<_> = reader.read.iter().map(|(_, text)| text).collect();
        prop_assert_eq!(read, texts.iter().collect::<Vec<_>>());
    }

    #[test]
    fn only_a_cursor_of_this_channel_is_resumed_and_any_other_gets_a_gap_of_unknown_size(
        count in 0u64..12,
        seq in 0u64..15,
        shift in -3i64..4,
    ) {
        let hub = hub(LogLimits::new().messages(5).bytes(1000));
        let id = hub.connect().unwrap();
        let probe = hub.subscribe(id, Format::Text, Position::Start).unwrap();
        let created = probe.last().time;
        let mut ids = vec![probe.last()];
        for _ in 0..count {
            ids.push(hub.publish(id, Message::text("x"), None).unwrap().last.unwrap());
        }
        let held = count.saturating_sub(4).max(1)..=count;
        let known = ids.get(usize::try_from(seq).unwrap());
        let time = known.map_or(created, |it| it.time).saturating_add_signed(shift);
        // The newest dropped message can still confirm a cursor before it.
        let newest_dropped = ids[usize::try_from(held.start() - 1).unwrap()].time;
        let owns = seq <= count
            && if seq == 0 || held.contains(&seq) {
                shift == 0
            } else {
                (created..=newest_dropped).contains(&time)
            };

        let cursor = EventId { seq, time };
        let mut back = hub.subscribe(id, Format::Text, Position::After(cursor)).unwrap();
        let start = if owns { Start::Resumed } else { Start::Restarted };
        prop_assert_eq!(back.start(), start);
        let mut cx = Context::from_waker(Waker::noop());
        let first = back.poll_read(&mut Vec::new(), 1, &mut cx);
        if owns {
            prop_assert!(!matches!(first, Poll::Ready(Delivery::Gap(Gap::Unknown, _))));
        } else {
            let Poll::Ready(Delivery::Gap(Gap::Unknown, at)) = first else {
                panic!("{first:?}");
            };
            prop_assert_eq!(at.seq, held.start() - 1, "all that is held comes next");
        }
    }
}
