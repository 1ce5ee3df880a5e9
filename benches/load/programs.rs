//! Works of whole programs: `watch`, `send` and `start`.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use crate::{
    Scale,
    http::{Connection, publication},
    process::{self, Machine, Server, Subject, Took},
    source::{self, Chunks},
    table::{Figure, Unit, float},
};

/// The ID that curl requests; the source knows only one stream.
const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
/// The length of a line that `send` reads, in bytes, without its end.
const LINE_BYTES: usize = 100;
const LINES_IN_A_WRITE: u64 = 500;
/// How a stream is divided into chunks, and its rows: curl as it shows a stream live, and as it is fastest.
const WATCH_ROWS: [(Chunks, [(&str, &str); 2]); 2] = [
    (
        Chunks::OfOneEvent,
        [
            ("watch/curl -sN, chunk=event", "-sN"),
            ("watch/curl -s, chunk=event", "-s"),
        ],
    ),
    (
        Chunks::OfAWrite,
        [
            ("watch/curl -sN, chunk=64 KiB", "-sN"),
            ("watch/curl -s, chunk=64 KiB", "-s"),
        ],
    ),
];

/// Measures reading a stream into a file: `codechat watch` compared with curl, as fast as the source can write.
pub(crate) fn watch(
    machine: &Machine,
    subject: Subject,
    scale: Scale,
) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (chunks, rows) in WATCH_ROWS {
        figures.extend(watch_chunks(
            machine,
            subject,
            scale.of(1_000_000),
            chunks,
            rows,
        )?);
    }
    Ok(figures)
}

fn watch_chunks(
    machine: &Machine,
    subject: Subject,
    events: u64,
    chunks: Chunks,
    rows: [(&'static str, &str); 2],
) -> anyhow::Result<Vec<Figure>> {
    let server = format!("http://{}", source::start(events, chunks)?);
    let path = scratch("watched");
    let rate = |row, took: Took| Figure::rate(row, "events", events, took);
    let mut figures = Vec::new();
    if subject == Subject::Codechat {
        let mut command = machine.command(&machine.codechat);
        command.args(["watch", "--server", &server]);
        let took = into_file(command, &path)?;
        check_lines(&path, events)?;
        figures.extend(rows.map(|(row, _)| rate(row, took)));
    } else if is_there("curl") {
        for (row, flags) in rows {
            let mut command = machine.command(Path::new("curl"));
            command
                .arg(flags)
                .arg(format!("{server}/api/v1/sse/debug/{ID}?format=text"));
            let took = into_file(command, &path)?;
            let (length, due) = (fs::metadata(&path)?.len(), source::stream_bytes(events));
            ensure!(length == due, "curl wrote {length} of {due} bytes");
            figures.push(rate(row, took));
        }
    }
    fs::remove_file(&path).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    Ok(figures)
}

/// Checks that a file has the texts of the messages, each once and in order.
fn check_lines(path: &Path, events: u64) -> anyhow::Result<()> {
    let mut lines = BufReader::new(File::open(path)?).lines();
    for index in 0..events {
        let line = lines.next().transpose()?;
        let line = line.with_context(|| format!("watch wrote {index} of {events} lines"))?;
        let due = source::text(index);
        ensure!(line == due, "line {index} should be {due:?}, not {line:?}");
    }
    ensure!(lines.next().is_none(), "watch wrote more than there was");
    Ok(())
}

fn into_file(mut command: Command, path: &Path) -> anyhow::Result<Took> {
    command
        .stdin(Stdio::null())
        .stdout(File::create(path)?)
        .stderr(Stdio::null());
    let start = Instant::now();
    process::finish(command.spawn()?, start)
}

/// Measures `codechat send` from a pipe to a server whose stream nobody reads. The sender shares our core, since the
/// server has its own; filling the pipe costs little.
pub(crate) async fn send(
    machine: &Machine,
    server: &Server,
    scale: Scale,
) -> anyhow::Result<Vec<Figure>> {
    let lines = scale.of(1_000_000);
    let mut control = Connection::open(server.address).await?;
    let id = control.connect().await?;
    let mut command = Command::new(&machine.codechat);
    process::clear(&mut command);
    command
        .args(["send", "--id", &id])
        .args(["--server", &format!("http://{}", server.address)])
        .stdin(Stdio::piped());
    let (start, meter) = (Instant::now(), server.meter()?);
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().context("stdin is a pipe")?;
    let line = format!("{}\n", "x".repeat(LINE_BYTES));
    let block = line.repeat(usize::try_from(LINES_IN_A_WRITE)?);
    let feeder = std::thread::spawn(move || {
        (0..lines / LINES_IN_A_WRITE).try_for_each(|_| stdin.write_all(block.as_bytes()))
    });
    let took = process::finish(child, start)?;
    let fed = feeder.join();
    fed.ok().context("the feeder panicked")??;
    let serving = meter.took()?;
    // The number of one more message says how many came before it.
    let answer = control
        .ask(&publication(&id, "text/plain", "one more"))
        .await?;
    let due = format!("\"id\":\"{}-", lines + 1);
    let answer = String::from_utf8_lossy(&answer.body).into_owned();
    ensure!(
        answer.contains(&due),
        "of {lines} lines the server has: {answer}"
    );
    let sender = took.cpu.as_secs_f64() * 1e6 / float(lines);
    Ok(vec![
        Figure::rate("send", "lines", lines, serving),
        Figure::new("send, sender's CPU", sender, Unit::Microseconds),
    ])
}

/// Measures the time of `--help` and of a start, and the size of the program.
pub(crate) fn start(
    machine: &Machine,
    subject: Subject,
    scale: Scale,
) -> anyhow::Result<Vec<Figure>> {
    let times = if scale.is_quick() { 5 } else { 20 };
    let program = match subject {
        Subject::Codechat => machine.codechat.clone(),
        Subject::Reference => std::env::current_exe()?,
    };
    // Without taskset, which would be measured too; nothing else runs meanwhile.
    let command = || {
        let mut command = Command::new(&program);
        process::clear(&mut command);
        command.stdout(Stdio::null());
        command
    };
    let mut figures = Vec::new();
    if subject == Subject::Codechat {
        let help = median(times, || {
            let status = command().arg("--help").status()?;
            ensure!(status.success(), "--help failed: {status}");
            Ok(())
        })?;
        figures.push(Figure::new("start, --help", help, Unit::Milliseconds));
    }
    let ready = median(times, || {
        let mut command = command();
        match subject {
            Subject::Codechat => process::serve(&mut command),
            Subject::Reference => drop(command.args(["--reference", "64"])),
        }
        Server::listening(command).map(drop)
    })?;
    figures.push(Figure::new(
        "start, serve listens",
        ready,
        Unit::Milliseconds,
    ));
    if subject == Subject::Codechat {
        let size = float(fs::metadata(&program)?.len()) / f64::from(1 << 20);
        figures.push(Figure::new("binary", size, Unit::Mebibytes));
    }
    Ok(figures)
}

/// Returns the median time of an action, in milliseconds.
fn median(times: usize, mut act: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        act()?;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    Ok(took[times / 2].as_secs_f64() * 1e3)
}

fn is_there(program: &str) -> bool {
    let asked = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let there = asked.is_ok_and(|it| it.success());
    if !there {
        eprintln!("{program} is missing, so there is nothing to compare with");
    }
    there
}

/// Returns the path of a file of this run.
fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}
