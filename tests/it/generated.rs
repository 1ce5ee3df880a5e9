//! Generated text is current: the completion scripts in `completions/` are those of this command line, the manual page
//! is readable, and the documents' tables of keys and flags are the program's.

use std::{
    ffi::OsString,
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use clap::{Arg, ValueEnum, builder::PossibleValue};
use clap_complete::{Generator, Shell};
use codechat::internal::{command::completions, watch::pane::keys};

/// If it is set, the test writes the files instead of comparing them.
const UPDATE: &str = "UPDATE";

#[test]
fn the_completion_scripts_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    let mut stale = Vec::new();
    for shell in Shell::value_variants() {
        let path = folder.join(shell.file_name("codechat"));
        let script = completions::script(*shell, codechat::internal::cli::definition());
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
    for verb in codechat::internal::cli::definition().get_subcommands() {
        for arg in verb.get_arguments() {
            let name = format!("{} {}", verb.get_name(), arg.get_id());
            if arg.is_hide_set() {
                continue;
            }
            assert!(arg.get_help().is_some(), "{name} has no help");
            // Flags for one URL make no sense for a whole environment.
            let is_of_url = arg.get_help_heading() == Some(OF_A_URL);
            assert_ne!(
                arg.is_positional() || arg.get_env().is_some(),
                is_of_url && !arg.is_positional(),
                "{name} has no variable, or one too many"
            );
        }
    }
}

/// The heading of flags for event streams of other servers.
const OF_A_URL: &str = "Request of a URL";

#[test]
fn short_help_has_one_line_per_flag_and_fits_a_screen() {
    for verb in ["watch", "send", "serve"] {
        let words = ["codechat", verb, "-h"].map(OsString::from);
        let help = codechat::internal::cli::parse(words)
            .unwrap_err()
            .to_string();
        assert!(help.lines().count() <= 40, "{verb}: {help}");
        let entries = help.lines().filter(|it| it.starts_with(' '));
        for entry in entries {
            let is_whole = entry.trim_start().starts_with(['-', '[']);
            assert!(is_whole && entry.len() <= 100, "{verb}: {entry}");
        }
        assert!(!help.contains("env:"), "{verb}: {help}");
    }
}

#[test]
fn every_flag_is_under_a_heading() {
    for verb in ["watch", "send"] {
        let definition = codechat::internal::cli::definition();
        let verb = definition.find_subcommand(verb).unwrap();
        for flag in verb
            .get_arguments()
            .filter(|it| !it.is_positional() && !it.is_hide_set())
        {
            assert!(flag.get_help_heading().is_some(), "{}", flag.get_id());
        }
    }
}

#[test]
fn the_manual_page_has_no_empty_section() {
    let page =
        String::from_utf8(completions::manual(codechat::internal::cli::definition()).unwrap())
            .unwrap();
    let mut heading: Option<&str> = None;
    for line in page.lines() {
        let is_text = !line.starts_with('.') && !line.trim().is_empty();
        if line.starts_with(".SH") || line.starts_with(".SS") {
            // A section may begin with a subsection; a subsection must have text.
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
    let page = completions::manual(codechat::internal::cli::definition()).unwrap();
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
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {errors}");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("codechat watch"), "{program} shows {shown}");
    }
}

#[test]
fn the_document_of_the_pane_lists_its_keys() {
    let line = |line: &keys::Line| {
        let keys = line.label().replace(" · ", "\0").replace(' ', "` `");
        format!("| `{}` | {} |", keys.replace('\0', "` · `"), line.does)
    };
    let head = "| key | does |\n| --- | --- |\n";
    let rows: Vec<_> = keys::TABLE.iter().map(line).collect();
    compare_table("docs/pane.md", head, &rows);
}

#[test]
fn the_reference_lists_every_flag() {
    let definition = codechat::internal::cli::definition();
    for verb in ["watch", "send", "serve"] {
        let is_elsewhere = |it: &Arg| {
            let heading = it.get_help_heading();
            heading == Some(OF_A_URL)
                || verb == "serve" && (heading.is_some() || it.get_id() == "grace")
        };
        let verb_definition = definition.find_subcommand(verb).unwrap();
        let flags = verb_definition
            .get_arguments()
            .filter(|it| it.get_long().is_some() && !it.is_hide_set() && !is_elsewhere(it));
        let head =
            format!("## `codechat {verb}`\n\n| flag | variable | does |\n| --- | --- | --- |\n");
        let rows: Vec<_> = flags.map(row).collect();
        compare_table("docs/reference.md", &head, &rows);
    }
    let watch = definition.find_subcommand("watch").unwrap();
    let of_a_url = watch.get_arguments().filter(|it| {
        it.get_help_heading() == Some(OF_A_URL) && it.get_long().is_some() && !it.is_hide_set()
    });
    let rows: Vec<_> = of_a_url.map(row_without_variable).collect();
    let head = "| flag | does |\n| --- | --- |\n";
    compare_table("docs/reference.md", head, &rows);
}

/// Returns a flag's row in the reference.
fn row(flag: &Arg) -> String {
    let variable = flag.get_env().unwrap().to_str().unwrap();
    let (name, does) = cells(flag);
    format!("| `{name}` | `{variable}` | {does} |")
}

/// Returns the row of a flag that has no variable.
fn row_without_variable(flag: &Arg) -> String {
    let (name, does) = cells(flag);
    format!("| `{name}` | {does} |")
}

/// Returns a flag as it is written, and what it does.
fn cells(flag: &Arg) -> (String, String) {
    let mut name = format!("--{}", flag.get_long().unwrap());
    if let Some(short) = flag.get_short() {
        name = format!("-{short}`, `{name}");
    }
    if flag.get_action().takes_values() {
        let values = flag.get_possible_values();
        let id = flag.get_id().as_str().to_uppercase();
        let value = match flag.get_value_names() {
            _ if !values.is_empty() => {
                let values: Vec<_> = values.iter().map(PossibleValue::get_name).collect();
                values.join("|")
            }
            Some([value, ..]) => value.to_string(),
            _ => id,
        };
        name = format!("{name} {value}");
    }
    let help = flag.get_long_help().or(flag.get_help());
    let mut does = help.unwrap().to_string().replace("\n\n", ". ");
    let defaults = flag.get_default_values();
    if flag.get_action().takes_values() && !defaults.is_empty() {
        let defaults: Vec<_> = defaults.iter().map(|it| it.to_str().unwrap()).collect();
        does = format!("{does} [default: {}]", defaults.join(", "));
    }
    // In a table, a bar ends a cell.
    let cell = |text: &str| text.replace('|', "\\|");
    (cell(&name), cell(&does))
}

/// Compares the table after `head` in a document, or writes it.
fn compare_table(document: &str, head: &str, rows: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text
        .split_once(head)
        .unwrap_or_else(|| panic!("{document} has no table behind {head:?}"));
    let length = rest
        .split_inclusive('\n')
        .take_while(|it| it.starts_with('|'))
        .map(str::len)
        .sum();
    let (table, after) = rest.split_at(length);
    let wanted: String = rows.iter().flat_map(|it| [it.as_str(), "\n"]).collect();
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, [before, head, &wanted, after].concat()).unwrap();
    } else {
        assert!(
            table == wanted,
            "{document} differs from the program; to rewrite it: {UPDATE}=1 cargo test generated\n{wanted}"
        );
    }
}
