//! A running block of a document: its command, its output, its end.

use std::{
    io::Read,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use regex::Regex;

use super::{ANY_ID, Block, Workplace, root};

/// Time limit of a block. The first one may have to build the program.
const BLOCK_PATIENCE: Duration = Duration::from_mins(5);
/// Time limit for the expected output.
const SHOW_PATIENCE: Duration = Duration::from_secs(30);

/// A block in a process group of its own, which is killed with it.
pub(super) struct Shell<'a> {
    workplace: &'a Workplace,
    place: String,
    script: String,
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl<'a> Shell<'a> {
    pub(super) fn start(
        block: &Block,
        workplace: &'a Workplace,
        terminals: &[(Self, &Block)],
    ) -> Result<Self, String> {
        let mut script = workplace.here(&block.text);
        if script.contains(ANY_ID) {
            let id = terminals.iter().rev().find_map(|(it, _)| it.id());
            let id = id.ok_or_else(|| format!("{}: no watcher printed its ID", block.place))?;
            script = script.replace(ANY_ID, &id);
        }
        let program = Path::new(env!("CARGO_BIN_EXE_codechat"));
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", program.parent().unwrap().display());
        let folder = if script.contains("cargo ") {
            root()
        } else {
            &workplace.folder
        };
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            let is_ours = name.to_string_lossy().starts_with("CODECHAT_");
            if is_ours || name == "SSE_CLIENT_ID" || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        let child = command
            .args(["-c", &script])
            .current_dir(folder)
            .env("PATH", path)
            .env(
                "CODECHAT_DEFAULT_PORT",
                workplace.ports[0].address.port().to_string(),
            )
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .process_group(0)
            .spawn()
            .unwrap();
        // It holds the other end of the pipe, for which the reader would wait.
        drop(command);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&shown);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Ok(Self {
            workplace,
            place: block.place.clone(),
            script,
            child,
            shown,
        })
    }

    /// Waits for the end, and checks it.
    pub(super) fn finish(mut self, block: &Block) -> Result<(), String> {
        let ended = self.wait(BLOCK_PATIENCE);
        let status = ended.ok_or_else(|| self.complaint("does not end"))?;
        if status.code() != Some(block.exit()) {
            return Err(self.complaint(&format!("ends with {status}, not {}", block.exit())));
        }
        self.shows_expected(block)
    }

    /// Ends what runs until it is interrupted. By SIGTERM rather than SIGINT, as Ctrl-C would: if these tests run in a
    /// shell's background, SIGINT is ignored, also in what they start.
    pub(super) fn interrupt(mut self) -> Result<(), String> {
        self.signal("TERM");
        let ended = self.wait(SHOW_PATIENCE);
        ended
            .map(drop)
            .ok_or_else(|| self.complaint("does not end after a signal"))
    }

    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        // The group may be gone already.
        let _ = Command::new("kill")
            .args(["-s", name, "--", &group])
            .output();
    }

    fn text(&self) -> String {
        let shown = self.shown.lock().unwrap();
        self.workplace.documented(&String::from_utf8_lossy(&shown))
    }

    fn id(&self) -> Option<String> {
        let text = self.text();
        Some(
            text.split_once("client ID ")?
                .1
                .get(..ANY_ID.len())?
                .to_owned(),
        )
    }

    pub(super) fn shows_expected(&self, block: &Block) -> Result<(), String> {
        let what = format!("these lines in this order:\n{}", block.expected.join("\n"));
        self.shows(&what, |text| {
            let mut shown = normal(text).into_iter();
            block
                .expected
                .iter()
                .all(|line| shown.any(|it| it == *line))
        })
    }

    pub(super) fn shows(&self, what: &str, is_shown: impl Fn(&str) -> bool) -> Result<(), String> {
        let start = Instant::now();
        while !is_shown(&self.text()) {
            if start.elapsed() > SHOW_PATIENCE {
                return Err(self.complaint(&format!("does not show {what}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn complaint(&self, what: &str) -> String {
        let (place, script, text) = (&self.place, &self.script, self.text());
        format!("{place}:\n{script}\n{what}\nit shows:\n{text}")
    }
}

impl Drop for Shell<'_> {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.child.wait();
    }
}

/// Normalises lines for comparison: every ID and every time is the same.
pub(super) fn normal(text: &str) -> Vec<String> {
    let replace = |text: &str, pattern: &str, with: &str| {
        Regex::new(pattern)
            .unwrap()
            .replace_all(text, with)
            .into_owned()
    };
    let text = replace(text, r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ANY_ID);
    let text = replace(&text, r"\b\d{13}\b", "MILLIS");
    let text = replace(&text, r"\d{4}-\d\d-\d\dT[0-9:.]{12}Z", "TIME");
    text.lines()
        .map(|line| line.trim_start().to_owned())
        .collect()
}
