//! The pane's model and its drawing, without a terminal.
//!
//! Run it with `cargo bench --bench screen`. The goals, on one core: a frame of 200 x 50 with all kept records in 1 ms;
//! 2 M records appended per second; all of them filtered anew in 30 ms. `cargo bench --bench pane` measures the program
//! on a real stream.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use codechat::internal::{
    client::subscribe::{Received, Update},
    event::Format,
    message::Message,
    terminal::safe_text::Colour,
    watch::{
        model::Model,
        pane::{
            draw::{
                self,
                theme::{Background, Theme},
            },
            keys::{Code, Key},
            state::{
                PaneOptions, Screen, Watched,
                records::{RECORDS_MAX, Record, Records},
            },
            update::{Msg, update},
        },
    },
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ratatui::{buffer::Buffer, layout::Rect};

const SIZE: (u16, u16) = (200, 50);
/// The length of a text, in bytes: that of a usual log line.
const TEXT_BYTES: usize = 100;
/// The number of updates that arrive at once in a flood.
const BATCH: usize = 1000;
const NOW: Duration = Duration::from_secs(1);

fn received(number: usize) -> Received {
    let mut text = format!("Processed file {number}: ");
    text.extend(std::iter::repeat_n('x', TEXT_BYTES - text.len()));
    Received::new(format!("{number}-1732262400123"), Message::text(text))
}

fn batch() -> Vec<(Duration, Update)> {
    (0..BATCH)
        .map(|it| (NOW, Update::Message(Box::new(received(it)))))
        .collect()
}

fn empty() -> Screen {
    let target = Watched {
        server: Some("http://127.0.0.1:2428".into()),
        ..Watched::default()
    };
    let options = PaneOptions {
        target,
        colour: Colour::Keep,
        recording: None,
        began: 1_732_262_400_000,
        utc_offset: 0,
    };
    let mut screen = Screen::new(options, Model::default(), SIZE.0, SIZE.1);
    let connected = Update::Connected {
        format: Format::Json,
        is_codechat: true,
    };
    update(&mut screen, Msg::Updates(vec![(NOW, connected)]), NOW);
    screen
}

/// Returns a screen that keeps as many records as it can.
fn full() -> Screen {
    let mut screen = empty();
    for number in 0..RECORDS_MAX {
        let message = Update::Message(Box::new(received(number)));
        update(&mut screen, Msg::Updates(vec![(NOW, message)]), NOW);
    }
    screen
}

fn press(screen: &mut Screen, keys: &str) {
    for letter in keys.chars() {
        let code = match letter {
            '\r' => Code::Enter,
            letter => Code::Char(letter),
        };
        update(screen, Msg::Key(Key::plain(code)), NOW);
    }
}

fn frames(criterion: &mut Criterion) {
    let theme = Theme::new(Background::Dark, None, true, false);
    let mut screen = full();
    let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
    for (name, keys) in [
        ("following", ""),
        ("paused", "kkkbbb"),
        ("search", "/file 1\r"),
    ] {
        press(&mut screen, keys);
        criterion.bench_function(&format!("frame, {name}"), |bencher| {
            bencher.iter(|| {
                buffer.reset();
                black_box(draw::draw(&screen, theme, NOW, &mut buffer));
            });
        });
    }
}

fn appending(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut records = Records::default();
    group.bench_function("records", |bencher| {
        let batch = || (0..BATCH).map(received).collect::<Vec<_>>();
        bencher.iter_batched(
            batch,
            |batch| {
                for received in batch {
                    let record = Record::received(received, NOW, Colour::Keep);
                    records.push(record, |_, _| ());
                }
            },
            BatchSize::LargeInput,
        );
    });
    let mut screen = full();
    group.bench_function("whole update", |bencher| {
        bencher.iter_batched(
            batch,
            |batch| update(&mut screen, Msg::Updates(batch), NOW),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn filtering(criterion: &mut Criterion) {
    let mut screen = full();
    for (name, keys) in [("regex", "&file .*"), ("literal", "&17")] {
        update(&mut screen, Msg::Key(Key::plain(Code::Esc)), NOW);
        press(&mut screen, keys);
        // Each letter filters all records anew; removing it does too, and is not counted.
        criterion.bench_function(&format!("refilter, {name}"), |bencher| {
            bencher.iter_custom(|count| {
                let mut spent = Duration::ZERO;
                for _ in 0..count {
                    let begin = Instant::now();
                    press(&mut screen, "7");
                    spent += begin.elapsed();
                    update(&mut screen, Msg::Key(Key::plain(Code::Backspace)), NOW);
                }
                spent
            });
        });
    }
}

criterion_group!(benches, frames, appending, filtering);
criterion_main!(benches);
