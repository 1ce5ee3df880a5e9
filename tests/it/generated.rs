//! Generated text is true: the completion scripts in `completions/` are those of this command line,
//! and the manual page can be read.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use clap::ValueEnum;
use clap_complete::{Generator, Shell};
use codechat::{command::completions, watch::pane::keys};

/// Set, it makes the test write the files rather than compare them.
const UPDATE: &str = "UPDATE";

#[test]
fn the_completion_scripts_are_those_of_this_command_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    let mut stale = Vec::new();
    for shell in Shell::value_variants() {
        let path = folder.join(shell.file_name("codechat"));
        let script = completions::script(*shell, codechat::cli::definition());
        if fs::read(&path).is_ok_and(|kept| kept == script) {
            continue;
        }
        if std::env::var_os(UPDATE).is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, script).unwrap();
        } else {
            stale.push(path.file_name().unwrap().to_owned());
        }
    }
    assert!(
        stale.is_empty(),
        "in completions/, {stale:?} differ from the command line; to rewrite them: {UPDATE}=1 cargo test generated"
    );
}

#[test]
fn every_flag_names_its_environment_variable_and_what_it_is_for() {
    for verb in codechat::cli::definition().get_subcommands() {
        for arg in verb.get_arguments() {
            let name = format!("{} {}", verb.get_name(), arg.get_id());
            assert!(arg.get_help().is_some(), "{name} has no help");
            assert!(
                arg.is_positional() || arg.get_env().is_some(),
                "{name} has no variable"
            );
        }
    }
}

#[test]
fn the_manual_page_has_no_empty_section() {
    let page =
        String::from_utf8(completions::manual(codechat::cli::definition()).unwrap()).unwrap();
    let mut heading: Option<&str> = None;
    for line in page.lines() {
        let is_text = !line.starts_with('.') && !line.trim().is_empty();
        if line.starts_with(".SH") || line.starts_with(".SS") {
            // A section may begin with a part of it; a part must have text.
            let is_empty =
                heading.is_some_and(|it| it.starts_with(".SS") || line.starts_with(".SH"));
            assert!(!is_empty, "{heading:?} is empty");
            heading = Some(line);
        } else if is_text {
            heading = None;
        }
    }
    assert_eq!(heading, None, "the last section is empty");
    for part in [
        "CODECHAT WATCH",
        "CODECHAT SEND",
        "CODECHAT SERVE",
        "LIMITS",
        "EXAMPLES",
        "KEYS",
    ] {
        assert!(page.contains(part), "the page has no {part}");
    }
}

#[test]
fn the_manual_page_renders() {
    let page = completions::manual(codechat::cli::definition()).unwrap();
    let renderers: [(&str, &[&str]); 2] = [
        ("mandoc", &["-T", "utf8", "-W", "error"]),
        ("man", &["-l", "-"]),
    ];
    for (program, arguments) in renderers {
        let started = Command::new(program)
            .args(arguments)
            .env("MANPAGER", "cat")
            .env("MANWIDTH", "100")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut renderer) = started else {
            eprintln!("{program} is not here, so it was not asked to render the manual page");
            continue;
        };
        renderer.stdin.take().unwrap().write_all(&page).unwrap();
        let output = renderer.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {told}");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("codechat watch"), "{program} shows {shown}");
    }
}

#[test]
fn the_readme_lists_the_panes_keys() {
    const HEAD: &str = "| key | does |\n| --- | --- |\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, table) = readme.split_once(HEAD).expect("the README has the table");
    let (table, after) = table.split_once("\n\n").expect("text comes after it");
    let line = |line: &keys::Line| {
        let keys = line.label().replace(" · ", "\0").replace(' ', "` `");
        format!("| `{}` | {} |", keys.replace('\0', "` · `"), line.does)
    };
    let lines: Vec<_> = keys::TABLE.iter().map(line).collect();
    let wanted = lines.join("\n");
    if std::env::var_os(UPDATE).is_some() && table != wanted {
        fs::write(&path, [before, HEAD, &wanted, "\n\n", after].concat()).unwrap();
    } else {
        assert!(
            table == wanted,
            "in README.md, the pane's keys are others; to rewrite them: {UPDATE}=1 cargo test generated"
        );
    }
}
