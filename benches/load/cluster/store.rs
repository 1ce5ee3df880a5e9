//! A redis-server for one run, a minimal client, and the server's report of its resources.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

use crate::{
    process::{Cores, Machine},
    table::float,
};

/// Time limit for its start.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two attempts to reach it.
const LOOK: Duration = Duration::from_millis(5);
/// Commands per write, if only their number matters.
const AT_ONCE: usize = 500;

/// The server. It keeps nothing on disk, and ends with its handle.
pub(crate) struct Store {
    process: Child,
    folder: PathBuf,
}

/// The resources that a store has used since its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) cpu: Duration,
    /// The number of reads from connections.
    pub(crate) reads: u64,
}

/// Returns the CPU time of one of `count`, in microseconds.
pub(super) fn each_took(cpu: Duration, count: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / float(count)
}

/// Returns the store's CPU time for each of `messages` between two moments, in microseconds, and the messages per read.
pub(super) fn spent(before: Spent, after: Spent, messages: u64) -> (f64, f64) {
    let reads = (after.reads - before.reads).max(1);
    let took = each_took(after.cpu.saturating_sub(before.cpu), messages);
    (took, float(messages) / float(reads))
}

impl Store {
    pub(crate) fn start(machine: &Machine, cores: Cores) -> anyhow::Result<Self> {
        // The path of a socket must not be long, so it is not below the build folder.
        let name = format!("codechat-load-{}", uuid::Uuid::new_v4().simple());
        let folder = env::temp_dir().join(name);
        fs::create_dir(&folder)?;
        let process = machine
            .command_on(Path::new("redis-server"), cores)
            .current_dir(&folder)
            .args(["--port", "0", "--unixsocket", "socket"])
            .args(["--save", "", "--appendonly", "no", "--logfile", "log"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start redis-server")?;
        let mut store = Self { process, folder };
        let begun = Instant::now();
        while !store.answers() {
            let ended = store.process.try_wait()?;
            ensure!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "redis-server does not answer"
            );
            sleep(LOOK);
        }
        Ok(store)
    }

    /// Returns its address, as `--store` takes it.
    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.join("socket").display())
    }

    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let socket = UnixStream::connect(self.folder.join("socket"))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Client(BufReader::new(socket)))
    }

    fn answers(&self) -> bool {
        let pong = self.client().and_then(|mut it| it.ask(&["PING"]));
        pong.is_ok_and(|it| it == Answer::Bytes(b"PONG".into()))
    }

    /// Returns the resources used so far.
    pub(crate) fn spent(&self) -> anyhow::Result<Spent> {
        let info = self.client()?.ask(&["INFO", "everything"])?.text()?;
        let field = |name: &str| {
            let line = info.lines().find_map(|it| it.strip_prefix(name));
            line.map(str::trim)
                .with_context(|| format!("no {name} in INFO"))
        };
        let cpu = |name| anyhow::Ok(Duration::from_secs_f64(field(name)?.parse()?));
        Ok(Spent {
            cpu: cpu("used_cpu_user:")? + cpu("used_cpu_sys:")?,
            reads: field("total_reads_processed:")?.parse()?,
        })
    }

    /// Returns the bytes of all keys that belong to one channel, and of its share of common keys, such as the lists of
    /// a bucket's channels.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let mut client = self.client()?;
        let Answer::Many(keys) = client.ask(&["KEYS", "codechat:{*-*"])? else {
            bail!("no list of keys");
        };
        let keys = keys.into_iter().map(Answer::text);
        let keys = keys.collect::<anyhow::Result<Vec<_>>>()?;
        let mut bytes = 0;
        for keys in keys.chunks(AT_ONCE) {
            let usage = |key: &String| command(&["MEMORY", "USAGE", key, "SAMPLES", "0"]);
            client.send(&keys.iter().flat_map(usage).collect::<Vec<_>>())?;
            for _ in keys {
                bytes += client.answer()?.number()?;
            }
        }
        Ok(bytes)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A connection that sends and waits, in this thread.
pub(crate) struct Client(BufReader<UnixStream>);

/// The answer to a command. Errors are errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    Number(u64),
    Bytes(Vec<u8>),
    Many(Vec<Answer>),
}

impl Answer {
    pub(crate) fn text(self) -> anyhow::Result<String> {
        match self {
            Self::Bytes(bytes) => Ok(String::from_utf8(bytes)?),
            other => bail!("no text but {other:?}"),
        }
    }

    fn number(self) -> anyhow::Result<u64> {
        match self {
            Self::Number(number) => Ok(number),
            // The key has expired in the meantime.
            Self::Nothing => Ok(0),
            other => bail!("no number but {other:?}"),
        }
    }
}

impl Client {
    pub(crate) fn ask(&mut self, parts: &[&str]) -> anyhow::Result<Answer> {
        self.send(&command(parts))?;
        self.answer()
    }

    pub(crate) fn send(&mut self, commands: &[u8]) -> anyhow::Result<()> {
        Ok(self.0.get_mut().write_all(commands)?)
    }

    pub(crate) fn answer(&mut self) -> anyhow::Result<Answer> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let (kind, rest) = line.trim_end().split_at_checked(1).context("no answer")?;
        Ok(match kind {
            "+" => Answer::Bytes(rest.into()),
            ":" => Answer::Number(rest.parse()?),
            "$" | "*" if rest == "-1" => Answer::Nothing,
            "$" => {
                let length: usize = rest.parse()?;
                let mut bytes = vec![0; length + 2];
                self.0.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Answer::Bytes(bytes)
            }
            "*" => {
                let parts = (0..rest.parse::<u64>()?).map(|_| self.answer());
                Answer::Many(parts.collect::<anyhow::Result<_>>()?)
            }
            _ => bail!("the store answers {line}"),
        })
    }
}

/// Returns a command as it is sent.
pub(crate) fn command(parts: &[&str]) -> Vec<u8> {
    let strings = parts.iter().map(|it| format!("${}\r\n{it}\r\n", it.len()));
    let strings: Vec<_> = strings.collect();
    format!("*{}\r\n{}", parts.len(), strings.concat()).into()
}
