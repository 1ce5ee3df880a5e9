//! `producer | codechat send` into `codechat watch > file` loses nothing, repeats nothing, and keeps the order,
//! whatever happens in between; what a crash loses is reported.

use std::{
    fmt::Write,
    fs::{self, File},
    path::Path,
    time::Duration,
};

use crate::support::{
    becomes,
    cutter::Cutter,
    http::stream_of,
    process::{CODECHAT, Ended, Running, Scratch, Serve, clean, codechat, opened},
    soon,
};

/// Time that a debug build needs for a million lines, beside other tests on a small machine.
const LONG: Duration = Duration::from_mins(5);

/// Returns the output of `seq 1 COUNT`.
fn seq(count: u32) -> String {
    (1..=count).fold(String::new(), |mut text, number| {
        writeln!(text, "{number}").unwrap();
        text
    })
}

/// Starts a watcher that writes to a file and ends at this line.
async fn watch_into(server: &Serve, file: &Path, last: u32, more: &[&str]) -> (Running, String) {
    let until = format!("^{last}$");
    let args = ["watch", "--server", &server.url, "--until", &until];
    let mut command = codechat([&args, more].concat());
    opened(Running::start(command.stdout(File::create(file).unwrap()))).await
}

/// Starts `seq 1 COUNT | codechat send`.
fn send_seq(server: &Serve, id: &str, count: u32) -> Running {
    let script = format!("seq 1 {count} | \"$0\" send --server \"$1\" --id \"$2\"");
    let mut shell = clean("sh");
    Running::start(shell.args(["-c", &script, CODECHAT, &server.url, id]))
}

async fn well_ended(process: Running) -> Ended {
    let ended = process.end_within(LONG).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

/// Compares without `assert_eq`, which would print millions of lines.
fn assert_is_seq(file: &Path, count: u32) {
    assert_text_is_seq(&fs::read_to_string(file).unwrap(), count);
}

fn assert_text_is_seq(text: &str, count: u32) {
    let expected = seq(count);
    if text != expected {
        let same = text
            .lines()
            .zip(expected.lines())
            .take_while(|(it, other)| it == other)
            .count();
        let next = text.lines().nth(same);
        panic!(
            "after {same} lines of {count} comes {next:?}; {} lines in all",
            text.lines().count()
        );
    }
}

/// Returns a process's peak memory, in KiB; `None` if the system does not report it.
fn peak_memory(process: &Running) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn assert_small(server: &Serve) {
    const MOST_KIB: u64 = 40 * 1024;
    if let Some(peak) = peak_memory(&server.process) {
        assert!(peak < MOST_KIB, "the server had {peak} KiB");
    }
}

/// Waits until the server receives nothing more; returns how many messages it has received.
///
/// Nothing announces that a sender is held back, so this polls: while a sender is not held back, the server receives
/// something between any two polls.
async fn standstill(server: &Serve) -> u64 {
    const LOOK: Duration = Duration::from_millis(100);
    const SAME: usize = 5;
    let received = async || {
        let metrics = server.http.get("/metrics").await;
        let number = metrics
            .text()
            .lines()
            .find_map(|it| it.strip_prefix("codechat_messages_received_total "));
        number.unwrap().parse::<u64>().unwrap()
    };
    soon(async {
        let (mut last, mut same) = (0, 0);
        while last == 0 || same < SAME {
            tokio::time::sleep(LOOK).await;
            let now = received().await;
            same = if now == last { same + 1 } else { 0 };
            last = now;
        }
        last
    })
    .await
}

#[tokio::test]
async fn a_million_lines_arrive_as_they_are() {
    const COUNT: u32 = 1_000_000;
    let (server, scratch) = (Serve::start(&[]).await, Scratch::new());
    let file = scratch.path("out");
    let (watcher, id) = watch_into(&server, &file, COUNT, &[]).await;
    well_ended(send_seq(&server, &id, COUNT)).await;
    well_ended(watcher).await;
    assert_is_seq(&file, COUNT);
    assert_small(&server);
}

#[tokio::test]
async fn a_million_lines_of_a_command_arrive_as_they_are() {
    const COUNT: u32 = 1_000_000;
    let (server, scratch) = (Serve::start(&[]).await, Scratch::new());
    let file = scratch.path("out");
    let (watcher, id) = watch_into(&server, &file, COUNT, &[]).await;
    let command = ["--", "seq", "1", &COUNT.to_string()];
    well_ended(server.send(&id, &command)).await;
    well_ended(watcher).await;
    let text = fs::read_to_string(&file).unwrap();
    let (started, lines) = text.split_once('\n').unwrap();
    assert_eq!(started, "Started seq 1 1000000");
    assert_text_is_seq(lines, COUNT);
    assert_small(&server);
}

#[tokio::test]
async fn a_command_is_held_back_by_a_watcher_that_pauses() {
    const COUNT: u32 = 1_000_000;
    let (server, scratch) = (Serve::start(&[]).await, Scratch::new());
    let (file, marker) = (scratch.path("out"), scratch.path("marker"));
    let (watcher, id) = watch_into(&server, &file, COUNT, &[]).await;
    watcher.pause().await;
    let script = format!("seq 1 {COUNT}; touch {}", marker.display());
    let sender = server.send(&id, &["--", "sh", "-c", &script]);
    let received = standstill(&server).await;
    assert!(received > 0 && !marker.exists(), "it was not held back");
    watcher.signal("CONT").await;
    well_ended(sender).await;
    well_ended(watcher).await;
    let text = fs::read_to_string(&file).unwrap();
    let (_, lines) = text.split_once('\n').unwrap();
    assert_text_is_seq(lines, COUNT);
}

#[tokio::test]
async fn a_watcher_that_pauses_in_the_middle_misses_nothing() {
    const COUNT: u32 = 200_000;
    let (server, scratch) = (Serve::start(&[]).await, Scratch::new());
    let file = scratch.path("out");
    let (watcher, id) = watch_into(&server, &file, COUNT, &[]).await;
    let sender = send_seq(&server, &id, COUNT);
    let size = || fs::metadata(&file).unwrap().len();
    assert!(becomes(|| size() >= 50_000).await, "too few lines arrive");
    watcher.pause().await;
    let stopped_at = size();
    standstill(&server).await;
    assert_eq!(size(), stopped_at, "it is paused");
    watcher.signal("CONT").await;
    well_ended(sender).await;
    well_ended(watcher).await;
    assert_is_seq(&file, COUNT);
    assert_small(&server);
}

#[tokio::test]
async fn two_watchers_on_one_id_both_get_everything() {
    const COUNT: u32 = 20_000;
    let (server, scratch) = (Serve::start(&[]).await, Scratch::new());
    let files = [scratch.path("one"), scratch.path("two")];
    let (first, id) = watch_into(&server, &files[0], COUNT, &[]).await;
    let (second, _) = watch_into(&server, &files[1], COUNT, &["--id", &id]).await;
    well_ended(send_seq(&server, &id, COUNT)).await;
    for watcher in [second, first] {
        well_ended(watcher).await;
    }
    for file in files {
        assert_is_seq(&file, COUNT);
    }
}

#[tokio::test]
async fn fifty_cuts_of_the_stream_lose_nothing_and_repeat_nothing() {
    const CUTS: u32 = 50;
    const BURST: u32 = 100;
    /// Less than one burst, so that each connection carries more than fits in its lifetime.
    const LONGEST: u64 = 9_000;
    let (server, scratch) = (
        Serve::start(&["--log-messages", "5000"]).await,
        Scratch::new(),
    );
    let id = server.http.connect().await;
    let budgets = random(0x2428)
        .map(|it| it % LONGEST)
        .take(CUTS as usize)
        .collect();
    let mut cutter = Cutter::start(server.http.address, budgets).await;
    let file = scratch.path("out");
    let until = format!("^{}$", CUTS * BURST);
    let args = [
        "watch",
        "--server",
        &cutter.url,
        "--id",
        &id,
        "--until",
        &until,
    ];
    let watcher = Running::start(codechat(args).stdout(File::create(&file).unwrap()));
    for burst in 0..CUTS {
        cutter.accepted().await;
        let mut lines = String::new();
        for number in burst * BURST + 1..=(burst + 1) * BURST {
            writeln!(lines, "\"{number}\"").unwrap();
        }
        let kind = ["Content-Type: application/x-ndjson"];
        assert_eq!(
            server.http.post(&stream_of(&id), &kind, lines).await.status,
            202
        );
    }
    let ended = well_ended(watcher).await;
    assert_is_seq(&file, CUTS * BURST);
    assert!(!ended.stderr.contains("lost"), "{ended:?}");
    let tries = ended.stderr.matches("reconnecting, try").count();
    assert!(tries >= CUTS as usize, "{tries} cuts only");
}

/// Generates pseudo-random numbers that are the same in every run (Knuth's MMIX generator).
fn random(seed: u64) -> impl Iterator<Item = u64> {
    let next = |it: &u64| {
        let next = it.wrapping_mul(6_364_136_223_846_793_005);
        Some(next.wrapping_add(1_442_695_040_888_963_407))
    };
    std::iter::successors(Some(seed), next)
        .skip(1)
        .map(|it| it >> 33)
}

#[tokio::test]
async fn a_crash_of_the_server_is_reported_and_later_messages_are_complete() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&["--format", "json"]).await;
    let mut sender = server.send(&id, &[]);
    for number in 1..=100 {
        sender.write(format!("{number}\n")).await;
    }
    for number in 1..=100 {
        assert_eq!(number_in(&watcher.line().await), Some(number));
    }
    let address = server.http.address.to_string();
    server.process.signal("KILL").await;
    assert_eq!(server.process.end().await.code, None);
    for number in 101..=200 {
        sender.write(format!("{number}\n")).await;
    }
    watcher.says("reconnecting, try 1").await;
    let server = Serve::of(Running::codechat(["serve", "--listen", &address])).await;
    assert_eq!(number_in(&watcher.line().await), None);
    watcher.says("lost").await;
    for number in 201..=300 {
        sender.write(format!("{number}\n")).await;
    }
    let ended = well_ended(sender).await;
    assert!(!ended.stderr.contains("not delivered:"), "{ended:?}");
    server.http.stop(&id).await;
    let ended = well_ended(watcher).await;
    let mut lines: Vec<_> = ended.stdout.lines().collect();
    assert!(lines.pop().unwrap().contains("\"end\""));
    let numbers: Vec<_> = lines.into_iter().map(number_in).collect();
    // The last of the first hundred may have arrived without its sender's knowledge.
    let again = numbers
        .iter()
        .take_while(|it| it.is_some_and(|it| it <= 100))
        .count();
    let first = 101 - u32::try_from(again).unwrap();
    let expected: Vec<_> = (first..=300).map(Some).collect();
    assert_eq!(numbers, expected);
}

/// Returns the number in a message; `None` for a gap of unknown size.
fn number_in(line: &str) -> Option<u32> {
    let object: serde_json::Value = serde_json::from_str(line).unwrap();
    if object["event"] == "gap" {
        assert!(object["missed"].is_null(), "{line}");
        return None;
    }
    object["message"].as_str().unwrap().parse().ok()
}
