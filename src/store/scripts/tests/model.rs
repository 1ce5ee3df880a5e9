//! Compares the scripts with a hub: for any sequence of steps at several nodes, the store must decide as one process
//! would.

mod both;
mod workers;

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use self::both::{Both, answer, refused};
use super::*;
use crate::control::Change;
use crate::hub::{Frames, Hub};
use crate::message::Level;

const FRAMES: Frames = Frames {
    text: |event| format!("{} {}\n", event.id.seq, event.message.text).into_bytes(),
    json: |_| Vec::new(),
};
/// The node whose inbox is checked.
const WATCHED_NODE: usize = 0;
const NODES: [&str; 3] = ["0", "1", "2"];
const CHANNELS: usize = 2;
const NAMES: [&str; 2] = ["a", "b c"];
const CASES: u32 = 60;

#[derive(Clone, Debug)]
enum Step {
    Say {
        channel: usize,
        key: Option<usize>,
        operation: Option<usize>,
        ends: bool,
    },
    Subscribe(usize, usize),
    /// A reader reads this number of bytes.
    Read(usize, usize, usize),
    Leave(usize, usize),
    Begin(usize, usize, Option<usize>),
    /// A streaming publisher gets this number of further messages.
    Send(usize, usize, Option<usize>),
    Finish(usize),
    Break(usize),
    Stand(usize, usize, usize),
    Quit(usize),
    Ask(usize, Change<Level>, Change<Option<usize>>),
    Stop(usize),
    /// A node dies.
    Die(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let channel = || 0..CHANNELS;
    let node = || 0..NODES.len();
    let key = || prop::option::of(0..2usize);
    let name = || prop::option::of(0..NAMES.len());
    let say = (channel(), key(), name(), any::<bool>());
    let level = select(vec![Change::Keep, Change::Clear, Change::Set(Level::Debug)]);
    let cancel = select(vec![
        Change::Keep,
        Change::Clear,
        Change::Set(None),
        Change::Set(Some(0)),
        Change::Set(Some(1)),
    ]);
    prop_oneof![
        6 => say.prop_map(|(channel, key, operation, ends)| Step::Say { channel, key, operation, ends }),
        6 => (channel(), node()).prop_map(|(channel, node)| Step::Subscribe(channel, node)),
        8 => (channel(), node(), 1..20usize).prop_map(|(channel, node, max)| Step::Read(channel, node, max)),
        3 => (channel(), node()).prop_map(|(channel, node)| Step::Leave(channel, node)),
        4 => (channel(), node(), key()).prop_map(|(channel, node, key)| Step::Begin(channel, node, key)),
        10 => (any::<usize>(), 0..7usize, name()).prop_map(|(which, count, name)| Step::Send(which, count, name)),
        2 => any::<usize>().prop_map(Step::Finish),
        2 => any::<usize>().prop_map(Step::Break),
        3 => (channel(), node(), 0..NAMES.len()).prop_map(|(channel, node, name)| Step::Stand(channel, node, name)),
        2 => any::<usize>().prop_map(Step::Quit),
        2 => (channel(), level, cancel).prop_map(|(channel, level, cancel)| Step::Ask(channel, level, cancel)),
        1 => channel().prop_map(Step::Stop),
        1 => node().prop_map(Step::Die),
    ]
}

#[test]
fn the_store_decides_what_a_hub_decides() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let Some(redis) = Redis::start() else { return };
    let limits = Limits {
        log: LogLimits {
            messages: HELD,
            bytes: 1 << 20,
        },
        subscribers: SUBSCRIBERS,
        ..Limits::default()
    };
    let scripts = runtime.block_on(async { scripts(&redis, limits, Duration::from_hours(1)) });
    let stage = Stage {
        scripts,
        _redis: redis,
    };
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    });
    let run = |steps: Vec<Step>| {
        runtime.block_on(async {
            let mut both = Both {
                stage: &stage,
                hub: Hub::with_frames(limits, FRAMES),
                inbox: stage.inbox(NODES[WATCHED_NODE]).await,
                ids: [ClientId::random(), ClientId::random()],
                readers: HashMap::new(),
                workers: Vec::new(),
                said: 0,
                tickets: 0,
                next: HashMap::new(),
            };
            for step in steps {
                both.step(step).await;
            }
            both.compare_logs().await;
            Ok(())
        })
    };
    runner.run(&vec(step(), 1..120), run).unwrap();
}
