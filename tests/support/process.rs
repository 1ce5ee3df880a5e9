//! The program itself, as a shell would run it.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    time::timeout,
};

use super::{PATIENCE, becomes, http::Http, soon};

/// The tested program.
pub(crate) const CODECHAT: &str = env!("CARGO_BIN_EXE_codechat");

/// Returns a command of codechat. It gets nothing of the caller's environment, except for the variable with which all
/// tests use hyper's requests and streams.
pub(crate) fn codechat<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Command {
    let mut command = clean(CODECHAT);
    command.args(args);
    if let Some(plain) = std::env::var_os("CODECHAT_PLAIN_STREAMS") {
        command.env("CODECHAT_PLAIN_STREAMS", plain);
    }
    command
}

/// Returns a command with nothing but PATH in its environment.
pub(crate) fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().kill_on_drop(true);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// A running program; it is killed if a test gives up.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if a signal killed it.
    pub(crate) code: Option<i32>,
    /// The part that was not read before the end; the same holds for `stderr`.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// Starts `codechat` with these words, and pipes for its streams.
    pub(crate) fn codechat<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Self {
        Self::start(codechat(args).stdout(Stdio::piped()))
    }

    /// Starts any program; its stdout is what the command says.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: child.stdout.take().map_or_else(Lines::none, Lines::of),
            stderr: child.stderr.take().map_or_else(Lines::none, Lines::of),
            child,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it has not ended")
    }

    /// Sends a signal.
    pub(crate) async fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.args([&format!("-{name}"), &self.pid().to_string()]);
        assert!(soon(kill.status()).await.unwrap().success());
    }

    /// Stops it with SIGSTOP; when this returns, all its threads are stopped.
    pub(crate) async fn pause(&self) {
        self.signal("STOP").await;
        let threads = format!("/proc/{}/task", self.pid());
        let moves = |stat: String| !stat.rsplit(") ").next().unwrap().starts_with('T');
        let all_stand = || {
            let mut threads = std::fs::read_dir(&threads).unwrap();
            !threads.any(|thread| {
                std::fs::read_to_string(thread.unwrap().path().join("stat")).is_ok_and(moves)
            })
        };
        assert!(becomes(all_stand).await, "it does not stop");
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        soon(stdin.write_all(bytes.as_ref())).await.unwrap();
        soon(stdin.flush()).await.unwrap();
    }

    /// Writes more than it reads, until it prints this on stderr.
    pub(crate) async fn flood(&mut self, bytes: impl AsRef<[u8]>, until: &str) {
        let mut stdin = self.stdin.take().expect("stdin is open");
        tokio::select! {
            written = stdin.write_all(bytes.as_ref()) => panic!("it reads all: {written:?}"),
            _ = self.says(until) => {}
        }
    }

    /// Closes our end of its stdout.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = Lines::none();
    }

    /// Returns the next line on stdout, with its end.
    pub(crate) async fn line(&mut self) -> String {
        self.stdout.next().await.expect("stdout ended")
    }

    /// Returns the next line on stderr that contains this text.
    pub(crate) async fn says(&mut self, what: &str) -> String {
        let mut said = String::new();
        while let Some(line) = self.stderr.next().await {
            if line.contains(what) {
                return line;
            }
            said += &line;
        }
        panic!("it never prints {what:?}, but {said}");
    }

    /// Waits for its end with its stdin open; returns whether it ends.
    pub(crate) async fn leaves(mut self) -> bool {
        timeout(PATIENCE, self.child.wait()).await.is_ok()
    }

    /// Closes its stdin and waits for its end.
    pub(crate) async fn end(self) -> Ended {
        self.end_within(PATIENCE).await
    }

    /// Closes its stdin and waits for its end, with this time limit.
    pub(crate) async fn end_within(self, patience: Duration) -> Ended {
        let ended = timeout(patience, self.ended()).await;
        ended.expect("the program does not end")
    }

    async fn ended(mut self) -> Ended {
        self.stdin = None;
        let (stdout, stderr) = (self.stdout.rest().await, self.stderr.rest().await);
        let status = self.child.wait().await.unwrap();
        Ended {
            code: status.code(),
            stdout,
            stderr,
        }
    }
}

/// The lines of a pipe, which are read at once so that it never fills up.
struct Lines(
    mpsc::UnboundedReceiver<String>,
    Option<tokio::task::AbortHandle>,
);

impl Lines {
    fn none() -> Self {
        Self(mpsc::unbounded_channel().1, None)
    }

    fn of(pipe: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        let mut pipe = BufReader::new(pipe);
        let task = tokio::spawn(async move {
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).await.unwrap() > 0 {
                let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        Self(lines, Some(task.abort_handle()))
    }

    async fn next(&mut self) -> Option<String> {
        soon(self.0.recv()).await
    }

    async fn rest(&mut self) -> String {
        let mut rest = String::new();
        while let Some(line) = self.0.recv().await {
            rest += &line;
        }
        rest
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if let Some(task) = &self.1 {
            task.abort();
        }
    }
}

/// `codechat serve` on a port of its own.
pub(crate) struct Serve {
    pub(crate) process: Running,
    pub(crate) url: String,
    pub(crate) http: Http,
}

impl Serve {
    pub(crate) async fn start(more: &[&str]) -> Self {
        let args = [&["serve", "--listen", "127.0.0.1:0"], more].concat();
        Self::of(Running::codechat(args)).await
    }

    /// Returns a server that was started in some other way.
    pub(crate) async fn of(mut process: Running) -> Self {
        let line = process.says("listening on http://").await;
        let (_, rest) = line.split_once("http://").unwrap();
        let (address, _) = rest.split_once(';').unwrap();
        let http = Http {
            address: address.parse().unwrap(),
        };
        Self {
            url: format!("http://{address}"),
            process,
            http,
        }
    }

    /// Starts `codechat watch` on this server; returns it once its stream is open.
    pub(crate) async fn watch(&self, more: &[&str]) -> (Running, String) {
        let args = [&["watch", "--server", &self.url], more].concat();
        opened(Running::codechat(args)).await
    }

    /// Starts `codechat send` on this server.
    pub(crate) fn send(&self, id: &str, more: &[&str]) -> Running {
        let args = [&["send", "--server", &self.url, "--id", id], more].concat();
        Running::codechat(args)
    }

    /// Runs `codechat send` with these words to its end.
    pub(crate) async fn sent(&self, id: &str, more: &[&str]) {
        let ended = self.send(id, more).end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

/// Waits until a watcher's stream is open; returns it and the ID that it prints.
pub(crate) async fn opened(mut watcher: Running) -> (Running, String) {
    let line = watcher.says("client ID ").await;
    let (_, rest) = line.split_once("client ID ").unwrap();
    let id = rest.split(';').next().unwrap().to_owned();
    watcher.says("Starting server communication...").await;
    (watcher, id)
}

/// A new directory, which is removed with its test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{count}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // It may be left from a killed run with the same process ID.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
