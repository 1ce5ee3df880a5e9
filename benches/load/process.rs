//! Other programs: starting them on a core of their own, and what the system reports about them.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

/// The core of the measured process.
const ITS_CORE: &str = "0";
/// The core of this program and of everything else.
const OUR_CORE: &str = "1";
/// Linux counts a process's time in ticks of this length (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);
/// Time limit for the start of a server, or the end of a program.
const PATIENCE: Duration = Duration::from_mins(5);

/// Where a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// On the core of the measured process.
    Its,
    /// On the core of this program and of everything else.
    Ours,
    /// On either.
    Both,
}

/// Which of the two programs is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Codechat,
    Reference,
}

/// What all parts need to know about the machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// Whether processes can be bound to a core.
    pub(crate) pins: bool,
    /// The program to measure.
    pub(crate) codechat: PathBuf,
}

impl Machine {
    /// Binds this process to its core, before it has threads.
    pub(crate) fn new(codechat: PathBuf) -> Self {
        let bound = Command::new("taskset")
            .args(["-pc", OUR_CORE, &std::process::id().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let pins = bound.is_ok_and(|it| it.success());
        if !pins {
            eprintln!(
                "taskset is missing, or there is one core only: the load and the measured process share cores, so the rates are too low"
            );
        }
        Self { pins, codechat }
    }

    /// Returns a command on the core of the measured process, without settings of our environment.
    pub(crate) fn command(&self, program: &Path) -> Command {
        self.command_on(program, Cores::Its)
    }

    /// Returns a command on other cores.
    pub(crate) fn command_on(&self, program: &Path, cores: Cores) -> Command {
        let mut command = if self.pins {
            let cores = match cores {
                Cores::Its => ITS_CORE.to_owned(),
                Cores::Ours => OUR_CORE.to_owned(),
                Cores::Both => format!("{ITS_CORE},{OUR_CORE}"),
            };
            let mut taskset = Command::new("taskset");
            taskset.args(["-c", &cores]).arg(program);
            taskset
        } else {
            Command::new(program)
        };
        clear(&mut command);
        command
    }
}

/// Removes the caller's settings, all but `PATH`, from a command's environment.
pub(crate) fn clear(command: &mut Command) {
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
}

/// A server process. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    /// Held, so that it can still write.
    _stderr: BufReader<ChildStderr>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server; the reference's broadcasts hold `capacity` events.
    pub(crate) fn start(
        machine: &Machine,
        subject: Subject,
        capacity: usize,
    ) -> anyhow::Result<Self> {
        Self::start_with_token(machine, subject, capacity, None)
    }

    /// Starts a server with a token, which the reference does not check.
    pub(crate) fn start_with_token(
        machine: &Machine,
        subject: Subject,
        capacity: usize,
        token: Option<&str>,
    ) -> anyhow::Result<Self> {
        let command = match subject {
            Subject::Codechat => {
                let mut command = machine.command(&machine.codechat);
                serve(&mut command);
                command.envs(token.map(|it| ("CODECHAT_TOKEN", it)));
                command
            }
            Subject::Reference => {
                let mut command = machine.command(&std::env::current_exe()?);
                command.args(["--reference", &capacity.to_string()]);
                command
            }
        };
        Self::listening(command)
    }

    /// Runs a command that prints where it listens, and waits until it does.
    pub(crate) fn listening(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let mut stderr = BufReader::new(child.stderr.take().context("stderr is a pipe")?);
        let mut line = String::new();
        stderr.read_line(&mut line)?;
        let address = line
            .split_once("http://")
            .and_then(|(_, rest)| rest.split(';').next())
            .and_then(|address| address.trim().parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            bail!("the server does not listen: {line}");
        };
        Ok(Self {
            child,
            _stderr: stderr,
            address,
        })
    }

    /// Starts measuring its resources.
    pub(crate) fn meter(&self) -> anyhow::Result<Meter> {
        let process = self.child.id().to_string();
        let cpu = Stat::of(&process)?.own;
        Ok(Meter {
            process,
            start: Instant::now(),
            cpu,
        })
    }

    /// Returns the CPU time that its threads have used, to the nanosecond.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
            let running = stat.split_whitespace().next().context("no time")?;
            sum += running.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(sum))
    }

    /// Returns its memory, in KiB.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
        let number = line.and_then(|it| it.split_whitespace().next());
        number.context("no VmRSS")?.parse().context("VmRSS")
    }

    /// Returns the number of its open files.
    pub(crate) fn files(&self) -> anyhow::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Adds the arguments of a codechat server, with higher limits than the works reach.
pub(crate) fn serve(command: &mut Command) {
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "error"])
        .env("CODECHAT_MAX_SUBSCRIBERS", "100000")
        .env("CODECHAT_MAX_CLIENTS", "1000000");
}

/// A measurement of a process, from some moment on.
pub(crate) struct Meter {
    process: String,
    start: Instant,
    cpu: Duration,
}

impl Meter {
    /// Returns the time and the CPU used since then.
    pub(crate) fn took(&self) -> anyhow::Result<Took> {
        Ok(Took {
            time: self.start.elapsed(),
            cpu: Stat::of(&self.process)?.own.saturating_sub(self.cpu),
        })
    }
}

/// The duration of something, and the CPU time that it used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    pub(crate) time: Duration,
    pub(crate) cpu: Duration,
}

/// Waits for a program that was started at `start`, which must succeed.
pub(crate) fn finish(mut child: Child, start: Instant) -> anyhow::Result<Took> {
    let before = Stat::of("self")?;
    let deadline = start + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("the program did not end within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let time = start.elapsed();
    let after = Stat::of("self")?;
    ensure!(status.success(), "the program failed: {status}");
    Ok(Took {
        time,
        // The time of all children that were waited for, of which there is one at a time.
        cpu: after.children.saturating_sub(before.children),
    })
}

/// The times in `/proc/…/stat` (proc(5)).
struct Stat {
    own: Duration,
    children: Duration,
}

impl Stat {
    fn of(process: &str) -> anyhow::Result<Self> {
        /// The index of `utime` after the name, which may contain anything but ends with a parenthesis.
        const UTIME: usize = 11;
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let ticks: Vec<u32> = fields
            .split_whitespace()
            .skip(UTIME)
            .take(4)
            .map(|it| it.parse().unwrap_or(0))
            .collect();
        let [user, system, childrens_user, childrens_system] = ticks[..] else {
            bail!("stat is too short");
        };
        Ok(Self {
            own: TICK * (user + system),
            children: TICK * (childrens_user + childrens_system),
        })
    }
}
