//! What a server does under load, and what the programs around it cost, compared with a plain server of a hundred lines
//! (`reference`), in the same run on the same machine.
//!
//! ```text
//! cargo bench --bench load                      # everything, several minutes
//! cargo bench --bench load -- --quick           # everything, a tenth of it, each once
//! cargo bench --bench load -- fanout latency    # some works
//! cargo bench --bench load -- --binary PATH     # another codechat than the one just built
//! ```
//!
//! It needs Linux. The measured process runs on the first core, alone; the load and everything else on the second.
//! Works: `fanout`, `publish8`, `publish32`, `ndjson`, `cycles`, `latency`, `idle`, `watch`, `send`, `start`,
//! `clients`, `cluster`; their files describe them. Servers are started anew for each. `clients` and `cluster` have
//! tables of their own: ratios and whether they are within their bounds. `cluster` needs redis-server.
//!
//! In the table, `ratio` says how many times as good codechat is as the reference (as curl, for `watch`): above 1 is
//! better in every row, whatever the unit. `CPU` is the cost of one message (one cycle, one line) for the measured
//! process, kernel included. Rates depend on what else the machine does; the CPU and the ratio depend on it less. A
//! full run shows the middle one of three rounds.
//!
//! The program fails only if a work was not done correctly: every delivery is counted, and one too few or too many is a
//! failure. The speed is for people to judge.

mod clients;
mod cluster;
mod connections;
mod floor;
mod http;
mod latency;
mod process;
mod programs;
mod publishing;
mod reference;
mod source;
mod table;
mod tally;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};

use process::{Machine, Server, Subject};
use table::Figure;

/// How much of the work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Full,
    Quick,
}

impl Scale {
    /// Returns the number, or a tenth of it.
    fn of(self, full: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Quick => full / 10,
        }
    }

    fn is_quick(self) -> bool {
        self == Self::Quick
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Fanout,
    Publish8,
    Publish32,
    Ndjson,
    Cycles,
    Latency,
    Idle,
    Watch,
    Send,
    Start,
    Clients,
    Cluster,
}

impl Work {
    const ALL: [(&str, Self); 12] = [
        ("fanout", Self::Fanout),
        ("publish8", Self::Publish8),
        ("publish32", Self::Publish32),
        ("ndjson", Self::Ndjson),
        ("cycles", Self::Cycles),
        ("latency", Self::Latency),
        ("idle", Self::Idle),
        ("watch", Self::Watch),
        ("send", Self::Send),
        ("start", Self::Start),
        ("clients", Self::Clients),
        ("cluster", Self::Cluster),
    ];

    /// Returns the capacity of the reference's broadcasts: the smallest that loses nothing, since each is allocated
    /// completely when its client connects.
    fn capacity(self) -> usize {
        match self {
            Self::Fanout | Self::Ndjson => 1024,
            _ => 64,
        }
    }

    async fn run(
        self,
        machine: &Machine,
        subject: Subject,
        scale: Scale,
    ) -> anyhow::Result<Vec<Figure>> {
        match self {
            Self::Watch => return programs::watch(machine, subject, scale),
            Self::Start => return programs::start(machine, subject, scale),
            _ => {}
        }
        let server = &Server::start(machine, subject, self.capacity())?;
        match self {
            Self::Fanout => {
                let fanout = publishing::fanout(server, scale, publishing::FANOUT_PUBLISHERS);
                Ok(vec![fanout.await?.0])
            }
            Self::Publish8 => publishing::publish(server, scale, "publish8", 8).await,
            Self::Publish32 => publishing::publish(server, scale, "publish32", 32).await,
            Self::Ndjson => publishing::ndjson(server, scale).await,
            Self::Cycles => connections::cycles(server, scale).await,
            Self::Latency => latency::latency(server, scale).await,
            Self::Idle => connections::idle(server, scale).await,
            Self::Send => programs::send(machine, server, scale).await,
            Self::Watch | Self::Start | Self::Clients | Self::Cluster => {
                unreachable!("they need no server of ours")
            }
        }
    }

    /// Runs all rounds of both subjects in turns, and returns the middle of each.
    fn measure(self, machine: &Machine, scale: Scale) -> anyhow::Result<[Vec<Figure>; 2]> {
        let rounds = match self {
            _ if scale.is_quick() => 1,
            Self::Idle | Self::Start => 1,
            _ => 3,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut measured = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (subject, figures) in [Subject::Codechat, Subject::Reference]
                .iter()
                .zip(&mut measured)
            {
                // Everything that the work has left running ends with it.
                let tasks = tokio::task::LocalSet::new();
                let work = tasks.run_until(self.run(machine, *subject, scale));
                let done = runtime.block_on(work);
                figures.push(done.with_context(|| format!("{subject:?}"))?);
            }
        }
        Ok(measured.map(table::middle))
    }
}

struct Args {
    works: Vec<(&'static str, Work)>,
    scale: Scale,
    codechat: PathBuf,
}

impl Args {
    fn parse(args: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let mut parsed = Self {
            works: Vec::new(),
            scale: Scale::Full,
            codechat: env!("CARGO_BIN_EXE_codechat").into(),
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => {}
                "--quick" => parsed.scale = Scale::Quick,
                "--binary" => parsed.codechat = args.next().context("--binary PATH")?.into(),
                name => {
                    let Some(work) = Work::ALL.into_iter().find(|it| it.0 == name) else {
                        let all = Work::ALL.map(|it| it.0).join(", ");
                        bail!("there is no work {name:?}; there are {all}");
                    };
                    parsed.works.push(work);
                }
            }
        }
        if parsed.works.is_empty() {
            parsed.works = Work::ALL.into();
        }
        Ok(parsed)
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if !cfg!(target_os = "linux") {
        println!("this benchmark needs Linux: it reads /proc and binds processes to cores");
        return Ok(ExitCode::SUCCESS);
    }
    if let [first, capacity] = &args[..]
        && first == "--reference"
    {
        reference::run(capacity.parse()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let [first] = &args[..]
        && first == "--floor"
    {
        floor::run()?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.iter().any(|it| it == "--bench") {
        println!("run this with `cargo bench --bench load`");
        return Ok(ExitCode::SUCCESS);
    }
    let args = Args::parse(args)?;
    rlimit::increase_nofile_limit(u64::MAX).context("raise the limit of open files")?;
    let machine = Machine::new(args.codechat);
    let mut exit = ExitCode::SUCCESS;
    table::head();
    for (name, work) in args.works {
        eprintln!("{name} …");
        let done = match work {
            Work::Clients => clients::run(&machine, args.scale),
            Work::Cluster => cluster::run(&machine, args.scale),
            _ => {
                let measured = work.measure(&machine, args.scale);
                measured.map(|[codechat, reference]| table::rows(&codechat, &reference))
            }
        };
        match done {
            Ok(()) => {}
            Err(error) => {
                eprintln!("{name} FAILED: {error:#}");
                exit = ExitCode::FAILURE;
            }
        }
    }
    Ok(exit)
}
