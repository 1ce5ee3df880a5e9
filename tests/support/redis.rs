//! A redis-server for one test. It listens on a socket in a folder of its own, keeps nothing on disk, and ends with its
//! handle.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use super::program;

/// Time limit for its start.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two attempts to reach it.
const LOOK: Duration = Duration::from_millis(5);

pub(crate) struct Redis {
    process: Child,
    command: Command,
    folder: PathBuf,
}

impl Redis {
    /// Starts one. Returns `None` if redis-server is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// Starts one with more settings, each a flag and its value.
    pub(crate) fn with(settings: &[&str]) -> Option<Self> {
        let program = program::find("redis-server")?;
        // The path of a socket must not be long, so it is not below the build folder.
        let folder =
            env::temp_dir().join(format!("codechat-redis-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir(&folder).unwrap();
        let mut command = Command::new(program);
        command
            .current_dir(&folder)
            .args([
                "--port",
                "0",
                "--unixsocket",
                "socket",
                "--unixsocketperm",
                "700",
            ])
            .args(["--save", "", "--appendonly", "no", "--logfile", "log"])
            .args(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let mut redis = Self {
            process,
            command,
            folder,
        };
        redis.wait();
        Some(redis)
    }

    /// Waits until it answers.
    fn wait(&mut self) {
        let redis = self;
        let begun = Instant::now();
        while !redis.answers() {
            let ended = redis.process.try_wait().unwrap();
            let log = || fs::read_to_string(redis.folder.join("log")).unwrap_or_default();
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "redis-server does not answer: {}",
                log()
            );
            sleep(LOOK);
        }
    }

    /// Returns its address, as `--store` takes it.
    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Kills it and starts it again, empty except for what it keeps on disk.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let _ = fs::remove_file(self.socket());
        self.process = self.command.spawn().unwrap();
        self.wait();
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Puts its socket in the place of another one's: new connections there reach this server.
    pub(crate) fn take_over(&self, other: &Self) {
        let link = self.folder.join("takes-over");
        std::os::unix::fs::symlink(self.socket(), &link).unwrap();
        fs::rename(link, other.socket()).unwrap();
    }

    /// Stops it in the middle of its work.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it continue.
    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let done = kill
            .args(["-s", name, &self.process.id().to_string()])
            .status();
        assert!(done.unwrap().success());
    }

    /// Returns the first line of its answer to a command.
    pub(crate) fn ask(&self, command: &str) -> String {
        let mut socket = UnixStream::connect(self.socket()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn answers(&self) -> bool {
        // Or its answer is that it needs a password first.
        const PONG: &[u8] = b"+PONG\r\n";
        const REFUSAL: &[u8] = b"-NOAUTH";
        let asked = UnixStream::connect(self.socket()).and_then(|mut socket| {
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.write_all(b"PING\r\n")?;
            let mut answer = [0; PONG.len()];
            socket.read_exact(&mut answer)?;
            Ok(answer == PONG || answer == REFUSAL)
        });
        asked.unwrap_or(false)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
