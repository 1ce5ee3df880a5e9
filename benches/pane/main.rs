//! The pane on a real stream, in a terminal that reads everything at once: whether a flood is lost, how soon a key has
//! an effect, how much memory the messages need, and the cost at rest.
//!
//! `cargo bench --bench pane`; `-- --seconds 2` is a short form. It prints the figures, and fails on a loss.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use codechat::internal::{
    event::ClientId,
    hub::{Hub, Limits, LogLimits},
    message::Message,
    server::{Access, ServerOptions, serve},
};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use tokio::{net::TcpListener, time};

/// Messages per second of the flood, and messages per publish.
const RATE: u32 = 100_000;
const BATCH: u32 = 500;
const TEXT_BYTES: usize = 100;
/// The time between two keys in the flood.
const KEYS_EVERY: Duration = Duration::from_millis(250);
const REST: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(30);

/// The terminal, and the pane in it.
struct Pane {
    parser: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Pane {
    fn open(url: &str, id: ClientId) -> anyhow::Result<Self> {
        let size = PtySize {
            rows: 50,
            cols: 200,
            ..PtySize::default()
        };
        let pty = native_pty_system().openpty(size)?;
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_codechat"));
        command.args(["watch", "--server", url, "--id", &id.to_string()]);
        command.env("TERM", "xterm-256color");
        let child = pty.slave.spawn_command(command)?;
        let number = |it| NonZeroU16::new(it).expect("a size is above 0");
        let parser = vt100::Parser::new(number(size.rows), number(size.cols), 0);
        let parser = Arc::new(Mutex::new(parser));
        let (mut output, shown) = (pty.master.try_clone_reader()?, parser.clone());
        std::thread::spawn(move || {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                shown
                    .lock()
                    .expect("no holder of the lock panics")
                    .process(&bytes[..read]);
            }
        });
        Ok(Self {
            parser,
            keys: pty.master.take_writer()?,
            child,
            _master: pty.master,
        })
    }

    fn text(&self) -> String {
        self.parser
            .lock()
            .expect("no holder of the lock panics")
            .screen()
            .contents()
    }

    fn press(&mut self, keys: &str) -> anyhow::Result<()> {
        self.keys.write_all(keys.as_bytes())?;
        Ok(self.keys.flush()?)
    }

    /// Waits for a text; returns how long it took.
    async fn shows(&self, text: &str) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        while !self.text().contains(text) {
            ensure!(
                begin.elapsed() < PATIENCE,
                "{text:?} is not shown, but\n{}",
                self.text()
            );
            time::sleep(Duration::from_millis(1)).await;
        }
        Ok(begin.elapsed())
    }

    fn pid(&self) -> u32 {
        self.child.process_id().unwrap_or_default()
    }

    /// Returns its resident memory, in KiB.
    fn memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
        let number = line.and_then(|it| it.split_whitespace().next());
        Ok(number.context("no VmRSS")?.parse()?)
    }

    /// Returns its CPU time, in ticks of 10 ms.
    fn ticks(&self) -> anyhow::Result<u64> {
        const USER: usize = 11;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let (_, after_name) = stat.rsplit_once(')').context("no name")?;
        let fields: Vec<_> = after_name.split_whitespace().collect();
        Ok(fields[USER].parse::<u64>()? + fields[USER + 1].parse::<u64>()?)
    }
}

impl Drop for Pane {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Publishes at a steady rate for `seconds`; returns the number of messages.
async fn flood(hub: Hub, id: ClientId, seconds: u32) -> anyhow::Result<u64> {
    let mut due = time::interval(Duration::from_secs(1) * BATCH / RATE);
    let mut sent = 0;
    for _ in 0..RATE / BATCH * seconds {
        due.tick().await;
        for _ in 0..BATCH {
            let mut text = format!("message {sent} ");
            text.extend(std::iter::repeat_n('x', TEXT_BYTES - text.len()));
            hub.publish(id, Message::text(text), None)?;
            sent += 1;
        }
    }
    Ok(sent)
}

async fn measure(seconds: u32) -> anyhow::Result<()> {
    // A log with room for a second of it: the pane is measured, not the log's bound.
    let log = LogLimits::new().messages(RATE as usize).bytes(64 << 20);
    let hub = Hub::new(Limits::new().log(log));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let serving = serve(
        vec![listener],
        hub.clone(),
        ServerOptions::new(Access::open()),
        std::future::pending(),
    );
    tokio::spawn(serving);
    let id = hub.connect()?;
    let mut pane = Pane::open(&url, id)?;
    pane.shows("Nothing has come yet").await?;
    let empty = pane.memory()?;

    let flood = tokio::spawn(flood(hub.clone(), id, seconds));
    let mut slowest = Duration::ZERO;
    while !flood.is_finished() {
        pane.press("?")?;
        slowest = slowest.max(pane.shows("half a page down").await?);
        pane.press("\u{1b}")?;
        time::sleep(KEYS_EVERY).await;
    }
    let sent = flood.await??;
    let received = format!(
        "received {}",
        codechat::internal::watch::format::count_of(sent)
    );
    let late = pane.shows(&received).await?;
    pane.shows("lost 0").await?;
    println!(
        "flood: {sent} messages at {RATE}/s, none lost, the last shown {late:.1?} after it was sent"
    );
    println!("key echo in the flood: {slowest:.1?} at most (goal: 50 ms)");
    let full = pane.memory()?;
    let taken = full.saturating_sub(empty) / 1024;
    println!("memory for the newest 200,000 of {TEXT_BYTES} B: {taken} MiB (goal: 64)");

    let before = pane.ticks()?;
    time::sleep(REST).await;
    let ticks = pane.ticks()? - before;
    println!(
        "at rest: {} ms of CPU in {REST:.0?}, while the ages on screen change",
        ticks * 10
    );
    ensure!(hub.stop(id), "the stream has already ended");
    pane.shows("ended").await?;
    let before = pane.ticks()?;
    time::sleep(REST).await;
    let ticks = pane.ticks()? - before;
    println!("after the end: {} ms in {REST:.0?} (goal: 0)", ticks * 10);
    Ok(())
}

fn main() -> anyhow::Result<ExitCode> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if !cfg!(target_os = "linux") || !args.iter().any(|it| it == "--bench") {
        println!("run this with `cargo bench --bench pane`, on Linux");
        return Ok(ExitCode::SUCCESS);
    }
    let seconds = args.iter().skip_while(|it| *it != "--seconds").nth(1);
    let seconds = seconds.map_or(Ok(10), |it| it.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(measure(seconds))?;
    Ok(ExitCode::SUCCESS)
}
