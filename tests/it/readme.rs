//! The README is true: its commands are run as they stand, and its limits are the program's.
//!
//! The word after a fence says what a block is:
//!
//! | fence | is |
//! | --- | --- |
//! | `sh` | run to its end, which must be exit code 0, or N with `exit=N` |
//! | `sh terminal` | runs beside the blocks after it, until its section ends |
//! | `sh later` | run at the end of each later section of the chapter that has a terminal |
//! | `sh untested` | not run: it needs another machine, or changes this one |
//! | `python app.py` and the like | a file of that name in the folder where the section's blocks run |
//! | `text`, right after one that is run | lines that it shows, in this order, maybe with others between |
//!
//! Sections run one after the other, since the README's commands use the default port. The ID in the
//! README stands for the one that the section's watcher told.

use std::{
    fs::{self, File},
    io::Read,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use regex::Regex;

const README: &str = include_str!("../../README.md");
/// Stands for a watcher's ID.
const ANY_ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
/// The ports that the README's commands use.
const PORTS: [u16; 2] = [codechat::command::serve::DEFAULT_PORT, 8000];
/// So long a port may be in use by another test before this one gives up.
const PORT_PATIENCE: Duration = Duration::from_mins(1);
/// So long a block may take. The first one may have to build the program.
const BLOCK_PATIENCE: Duration = Duration::from_mins(5);
/// So long it may take until what is expected is shown.
const SHOW_PATIENCE: Duration = Duration::from_secs(30);
/// What a terminal says once it is ready for the next block.
const READY: [&str; 3] = ["client ID ", "listening on ", "waiting for "];

#[test]
fn the_commands_work_as_pasted() {
    let _turn = turn();
    let mut wrong = Vec::new();
    let mut later = None;
    for section in sections(README) {
        if section.is_chapter {
            later = None;
        }
        eprintln!("README: {}", section.title);
        if let Err(error) = run(&section, &mut later) {
            wrong.push(format!("in {:?}: {error}", section.title));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_is_not_run_needs_another_machine_or_changes_this_one() {
    for section in sections(README) {
        for block in section.blocks.iter().filter(|it| it.has("untested")) {
            for line in block.text.lines() {
                let known = ["cargo test", "cargo install", "ssh ", "(umask"];
                let is_known = known.iter().any(|it| line.starts_with(it));
                assert!(is_known || line.contains("host.example.org"), "{line}");
            }
        }
    }
}

#[test]
fn the_limits_are_the_flags_of_the_server() {
    let definition = codechat::cli::definition();
    let serve = definition.find_subcommand("serve").unwrap();
    let mut flags: Vec<_> = serve
        .get_arguments()
        .filter(|it| it.get_help_heading() == Some("Limits") || it.get_id() == "grace")
        .filter(|it| !it.is_hide_set())
        .map(|it| {
            let default = it.get_default_values()[0].to_str().unwrap().to_owned();
            let variable = it.get_env().unwrap().to_str().unwrap().to_owned();
            [format!("--{}", it.get_long().unwrap()), variable, default]
        })
        .collect();
    let limits = README
        .lines()
        .skip_while(|line| *line != "## Limits")
        .skip(1);
    let mut told: Vec<_> = limits
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("| `--"))
        .map(|line| {
            let mut cells = line.split('|').skip(1).map(|it| it.trim().replace('`', ""));
            std::array::from_fn(|_| cells.next().unwrap())
        })
        .collect();
    flags.sort();
    told.sort();
    assert_eq!(told, flags);
}

/// A turn with the default port: one at a time on this machine.
pub(crate) fn turn() -> File {
    let path = std::env::temp_dir().join("codechat-default-port.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .unwrap();
    file.lock().unwrap();
    file
}

struct Section {
    title: String,
    is_chapter: bool,
    blocks: Vec<Block>,
}

#[derive(Clone)]
struct Block {
    info: Vec<String>,
    text: String,
    /// The lines it should show.
    expected: Vec<String>,
}

impl Block {
    fn has(&self, word: &str) -> bool {
        self.info.iter().skip(1).any(|it| it == word)
    }

    /// The file that it is, where it is one.
    fn file(&self) -> Option<&str> {
        let name = self.info.get(1)?;
        name.contains('.').then_some(name)
    }

    fn exit(&self) -> i32 {
        let code = self.info.iter().find_map(|it| it.strip_prefix("exit="));
        code.map_or(0, |it| it.parse().unwrap())
    }
}

fn sections(readme: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut open: Option<Block> = None;
    for line in readme.lines() {
        if let Some(block) = &mut open {
            if line != "```" {
                block.text.push_str(line);
                block.text.push('\n');
                continue;
            }
            let block = open.take().unwrap();
            let blocks = &mut sections.last_mut().unwrap().blocks;
            match blocks.last_mut() {
                Some(before) if block.info == ["text"] => {
                    before.expected = normal(&block.text);
                }
                _ => blocks.push(block),
            }
        } else if let Some(info) = line.strip_prefix("```") {
            let info = info.split_whitespace().map(Into::into).collect();
            let (text, expected) = Default::default();
            open = Some(Block {
                info,
                text,
                expected,
            });
        } else if let Some(title) = line.strip_prefix("#") {
            sections.push(Section {
                title: title.trim_start_matches('#').trim().into(),
                is_chapter: !title.starts_with("##"),
                blocks: Vec::new(),
            });
        }
    }
    sections
}

/// Runs a section's blocks. `later` is the chapter's block that is run at the end of each section.
fn run(section: &Section, later: &mut Option<Block>) -> Result<(), String> {
    let is_run = |it: &&Block| it.info[0] == "sh" && !it.has("untested");
    if section.blocks.iter().filter(is_run).count() == 0 {
        return Ok(());
    }
    if let Some(missing) = missing(section)? {
        eprintln!("  not run: {missing} is not here");
        return Ok(());
    }
    for port in PORTS {
        free(port)?;
    }
    let folder = Folder::new();
    let mut terminals: Vec<(Shell, &Block)> = Vec::new();
    for block in &section.blocks {
        if let Some(name) = block.file() {
            fs::write(folder.0.join(name), &block.text).unwrap();
        } else if !is_run(&block) {
        } else if block.has("later") {
            *later = Some(block.clone());
        } else if block.has("terminal") {
            let shell = Shell::start(block, &folder.0, &terminals)?;
            shell.shows("that it is ready", |shown| {
                READY.iter().any(|it| shown.contains(it))
            })?;
            terminals.push((shell, block));
        } else {
            Shell::start(block, &folder.0, &terminals)?.finish(block)?;
        }
    }
    if let Some(later) = later
        && !terminals.is_empty()
    {
        Shell::start(later, &folder.0, &terminals)?.finish(later)?;
    }
    for (shell, block) in &terminals {
        shell.shows_expected(block)?;
    }
    for (shell, _) in terminals.into_iter().rev() {
        shell.interrupt()?;
    }
    Ok(())
}

/// A program that the section needs and that is not here. In CI, those that are always to be had must
/// be.
fn missing(section: &Section) -> Result<Option<&'static str>, String> {
    const PROGRAMS: [(&str, &str, bool); 7] = [
        ("python3", "apt install python3", true),
        ("node", "apt install nodejs", true),
        ("curl", "apt install curl", true),
        ("jq", "apt install jq", true),
        ("java", "apt install default-jdk-headless", false),
        ("go", "apt install golang-go", false),
        ("dart", "https://dart.dev/get-dart", false),
    ];
    let scripts = section.blocks.iter().filter(|it| it.info[0] == "sh");
    let words: Vec<_> = scripts.flat_map(|it| it.text.split_whitespace()).collect();
    for (program, source, is_needed) in PROGRAMS {
        let script = format!("command -v {program}");
        if !words.contains(&program)
            || Command::new("sh")
                .args(["-c", &script])
                .output()
                .is_ok_and(|it| it.status.success())
        {
            continue;
        }
        if is_needed && std::env::var_os("CI").is_some() {
            return Err(format!("{program} is missing; to get it: {source}"));
        }
        eprintln!("  to get {program}: {source}");
        return Ok(Some(program));
    }
    Ok(None)
}

/// Waits until nobody listens on a port.
fn free(port: u16) -> Result<(), String> {
    let start = Instant::now();
    while TcpListener::bind(("127.0.0.1", port)).is_err() {
        if start.elapsed() > PORT_PATIENCE {
            return Err(format!(
                "port {port}, which the README's commands use, is taken by another program; end that first"
            ));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// A folder of its own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("codechat-readme-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A block in a process group of its own, which ends with it.
struct Shell {
    script: String,
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Shell {
    fn start(block: &Block, folder: &Path, terminals: &[(Self, &Block)]) -> Result<Self, String> {
        let mut script = block.text.clone();
        if script.contains(ANY_ID) {
            let id = terminals.iter().rev().find_map(|(it, _)| it.id());
            script = script.replace(ANY_ID, &id.ok_or("no watcher told its ID")?);
        }
        let program = Path::new(env!("CARGO_BIN_EXE_codechat"));
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", program.parent().unwrap().display());
        let is_for_the_sources = script.contains("cargo ");
        let folder = if is_for_the_sources {
            Path::new(env!("CARGO_MANIFEST_DIR"))
        } else {
            folder
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
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .process_group(0)
            .spawn()
            .unwrap();
        // It holds the pipe's other end, for which the reader would wait.
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
            script,
            child,
            shown,
        })
    }

    /// Waits for its end, and checks it.
    fn finish(mut self, block: &Block) -> Result<(), String> {
        let ended = self.wait(BLOCK_PATIENCE);
        let status = ended.ok_or_else(|| self.complaint("does not end"))?;
        if status.code() != Some(block.exit()) {
            return Err(self.complaint(&format!("ends with {status}, not {}", block.exit())));
        }
        self.shows_expected(block)
    }

    /// Ends what runs until somebody ends it. By SIGTERM rather than by SIGINT, as Ctrl-C would: where
    /// these tests run in a shell's background, SIGINT is ignored, and so it is in what they start.
    fn interrupt(mut self) -> Result<(), String> {
        self.signal("TERM");
        let ended = self.wait(SHOW_PATIENCE);
        ended
            .map(drop)
            .ok_or_else(|| self.complaint("does not end when it is told to"))
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
        // A group that is gone is what is wanted.
        let _ = Command::new("kill")
            .args(["-s", name, "--", &group])
            .output();
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
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

    fn shows_expected(&self, block: &Block) -> Result<(), String> {
        let what = format!("these lines in this order:\n{}", block.expected.join("\n"));
        self.shows(&what, |text| {
            let mut shown = normal(text).into_iter();
            block
                .expected
                .iter()
                .all(|line| shown.any(|it| it == *line))
        })
    }

    fn shows(&self, what: &str, is_shown: impl Fn(&str) -> bool) -> Result<(), String> {
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
        format!("{}\n{what}\nit shows:\n{}", self.script, self.text())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.child.wait();
    }
}

/// Lines as they are compared: every ID and every time is the same.
fn normal(text: &str) -> Vec<String> {
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
