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

mod shell;

use std::{
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use shell::{Shell, normal};

const README: &str = include_str!("../../README.md");
/// Stands for a watcher's ID.
const ANY_ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
/// The ports that the README's commands use.
const PORTS: [u16; 2] = [codechat::wire::DEFAULT_PORT, 8000];
/// So long a port may be in use by another test before this one gives up.
const PORT_PATIENCE: Duration = Duration::from_mins(1);
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
