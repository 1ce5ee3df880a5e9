//! The documents are correct: the commands of README.md and docs/ are run as written, and so are the examples; the
//! documented limits are the program's; links have targets.
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
//! | `sh` with `cargo` in it | run in this project's folder |
//! | `text`, right after a block that is run | lines that it prints, in this order, perhaps with others between |
//!
//! A document's sections run one after the other, each with ports of its own in place of those in the text. The ID in
//! them stands for the one that the section's watcher printed.

mod shell;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use crate::support::port::Port;
use regex::Regex;
use shell::Shell;
use text::{Block, Document, Section, documents, entries, root, slug};

/// Placeholder of a watcher's ID.
const ANY_ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
/// The ports in the documents' commands.
const PORTS: [u16; 2] = [codechat::internal::wire::DEFAULT_PORT, 8000];
/// The examples that `recipes.rs` runs, in applications.
const RECIPES: [&str; 4] = [
    "examples/go",
    "examples/java",
    "examples/node",
    "examples/python",
];
/// The messages of a program that is ready for the next block.
const READY: [&str; 3] = ["client ID ", "listening on ", "waiting for "];

#[test]
fn the_commands_work_as_pasted() {
    let wrong: Vec<_> = thread::scope(|scope| {
        let all = documents();
        let running = all.iter().map(|it| {
            let name = it.name.clone();
            let sections = it.sections();
            let run = move || run_all(&name, &sections);
            scope.spawn(run)
        });
        let running: Vec<_> = running.collect();
        running
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn commands_that_are_not_run_need_another_machine_or_change_this_one() {
    for section in documents().iter().flat_map(Document::sections) {
        for block in section.blocks.iter().filter(|it| it.has("untested")) {
            for line in block.text.lines() {
                let known = ["cargo test", "cargo install", "ssh ", "(umask"];
                let is_known = known.iter().any(|it| line.starts_with(it));
                let place = &block.place;
                assert!(
                    is_known || line.contains("host.example.org"),
                    "{place}: {line}"
                );
            }
        }
    }
}

#[test]
fn every_example_is_linked_to_and_run() {
    let documents = documents();
    let run: String = documents
        .iter()
        .flat_map(Document::sections)
        .flat_map(|it| it.blocks)
        .filter(Block::is_run)
        .map(|it| it.text)
        .collect();
    for folder in entries("examples") {
        for file in entries(&folder) {
            // `embedded` runs those in Rust.
            let is_tested = folder == "examples/rust" || RECIPES.contains(&folder.as_str());
            let is_run = is_tested || run.contains(&file);
            assert!(is_run, "no document runs {file}");
            let link = format!("](../{file})");
            let is_linked = documents.iter().any(|it| it.text.contains(&link));
            assert!(is_linked, "no document in docs/ links to {file}");
        }
    }
}

#[test]
fn every_link_has_a_target() {
    let link = Regex::new(r"\]\(([^)#]*)(?:#([^)]*))?\)").unwrap();
    let mut all = documents();
    all.extend(["SECURITY.md", "CHANGELOG.md"].map(Document::read));
    for document in &all {
        let folder = Path::new(&document.name).parent().unwrap();
        for (line, number) in document.text.lines().zip(1..) {
            for found in link.captures_iter(line) {
                let place = format!("{}:{number}: {}", document.name, &found[0]);
                let path = &found[1];
                if path.starts_with("https://") {
                    continue;
                }
                let target = if path.is_empty() {
                    Path::new(&document.name).to_owned()
                } else {
                    folder.join(path)
                };
                let target = root().join(target);
                assert!(target.exists(), "{place} leads to no file");
                if let Some(anchor) = found.get(2) {
                    let text = fs::read_to_string(target).unwrap();
                    let has_it = text
                        .lines()
                        .filter_map(|it| it.strip_prefix('#'))
                        .any(|it| slug(it.trim_start_matches('#')) == anchor.as_str());
                    assert!(has_it, "{place} leads to no heading");
                }
            }
        }
    }
}

#[test]
fn the_readme_is_short() {
    let lines = Document::read("README.md").text.lines().count();
    assert!(lines <= 200, "README.md has {lines} lines");
}

#[test]
fn the_documented_limits_are_the_servers_flags() {
    let definition = codechat::internal::cli::definition();
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
    let reference = Document::read("docs/reference.md");
    let mut documented: Vec<_> = reference
        .text
        .lines()
        .skip_while(|line| *line != "## Limits")
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("| `--"))
        .map(|line| {
            let mut cells = line.split('|').skip(1).map(|it| it.trim().replace('`', ""));
            std::array::from_fn(|_| cells.next().unwrap())
        })
        .collect();
    flags.sort();
    documented.sort();
    assert_eq!(documented, flags);
}

#[test]
fn the_documented_access_flags_are_the_servers() {
    let definition = codechat::internal::cli::definition();
    let serve = definition.find_subcommand("serve").unwrap();
    let security = Document::read("docs/security.md");
    let table: String = security
        .text
        .lines()
        .filter(|it| it.starts_with("| `--"))
        .collect();
    for flag in serve.get_arguments() {
        if flag.get_help_heading() == Some("Access") {
            let name = format!("`--{}`", flag.get_long().unwrap());
            let variable = format!("`{}`", flag.get_env().unwrap().display());
            assert!(table.contains(&name), "docs/security.md has no {name}");
            assert!(
                table.contains(&variable),
                "docs/security.md has no {variable}"
            );
        }
    }
}

/// Runs a document's sections, one after the other; returns the failures.
fn run_all(document: &str, sections: &[Section]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut later = None;
    for section in sections {
        if section.is_chapter {
            later = None;
        }
        eprintln!("{}: {}", section.place, section.title);
        if let Err(error) = run(document, section, &mut later) {
            wrong.push(error);
        }
    }
    wrong
}

/// Runs a section's blocks. `later` is the chapter's block that is run at the end of each section.
fn run(document: &str, section: &Section, later: &mut Option<Block>) -> Result<(), String> {
    if !section.blocks.iter().any(Block::is_run) {
        return Ok(());
    }
    let in_section = |error| format!("{}: {error}", section.place);
    if let Some(missing) = missing(section).map_err(in_section)? {
        eprintln!("  not run: {missing} is not here");
        return Ok(());
    }
    let workplace = Workplace::new(document);
    let mut terminals: Vec<(Shell, &Block)> = Vec::new();
    for block in &section.blocks {
        if let Some(name) = block.file() {
            workplace.write(name, &block.text);
        } else if !block.is_run() {
        } else if block.has("later") {
            *later = Some(block.clone());
        } else if block.has("terminal") {
            let shell = Shell::start(block, &workplace, &terminals)?;
            shell.shows("that it is ready", |shown| {
                READY.iter().any(|it| shown.contains(it))
            })?;
            terminals.push((shell, block));
        } else {
            Shell::start(block, &workplace, &terminals)?.finish(block)?;
        }
    }
    if let Some(later) = later
        && !terminals.is_empty()
    {
        let shell = Shell::start(later, &workplace, &terminals).map_err(in_section)?;
        shell.finish(later).map_err(in_section)?;
    }
    for (shell, block) in &terminals {
        shell.shows_expected(block)?;
    }
    for (shell, _) in terminals.into_iter().rev() {
        shell.interrupt()?;
    }
    Ok(())
}

/// Returns a program that the section needs and that is not installed. In CI, the programs that are always available
/// must be.
fn missing(section: &Section) -> Result<Option<&'static str>, String> {
    const PROGRAMS: [(&str, &str, bool); 5] = [
        ("python3", "apt install python3", true),
        ("node", "apt install nodejs", true),
        ("curl", "apt install curl", true),
        ("jq", "apt install jq", true),
        ("dart", "https://dart.dev/get-dart", false),
    ];
    let scripts = section.blocks.iter().filter(|it| it.is_run());
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

/// The place where a section's blocks are run: a folder and ports of its own, removed with it.
struct Workplace {
    folder: PathBuf,
    /// Used in place of [`PORTS`].
    ports: [Port; 2],
}

impl Workplace {
    fn new(document: &str) -> Self {
        let document = document.replace('/', "-");
        let name = format!("codechat-{document}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let ports = PORTS.map(|_| Port::keep());
        let workplace = Self { folder, ports };
        for language in entries("examples") {
            fs::create_dir_all(workplace.folder.join(&language)).unwrap();
            for file in entries(&language) {
                let text = fs::read_to_string(root().join(&file)).unwrap();
                workplace.write(&file, &text);
            }
        }
        workplace
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), self.here(text)).unwrap();
    }

    /// Returns a document's text with this workplace's ports.
    fn here(&self, text: &str) -> String {
        let ports = PORTS.iter().zip(&self.ports);
        ports.fold(text.to_owned(), |text, (documented, own)| {
            text.replace(&documented.to_string(), &own.address.port().to_string())
        })
    }

    /// Returns output of this workplace with the documents' ports.
    fn documented(&self, text: &str) -> String {
        let ports = PORTS.iter().zip(&self.ports);
        ports.fold(text.to_owned(), |text, (documented, own)| {
            text.replace(&own.address.port().to_string(), &documented.to_string())
        })
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
