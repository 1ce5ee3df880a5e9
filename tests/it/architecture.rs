//! Who may know whom.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Files that begin with one of these know none of those.
const NEVER: &[(&[&str], &[&str])] = &[
    (
        &["hub", "message", "event", "wish"],
        &[
            "axum",
            "reqwest",
            "ratatui",
            "crossterm",
            "serde",
            "serde_json",
            "hyper",
            "hyper_util",
            "httparse",
            "http",
            "http_body",
            "clap",
            "crate::wire",
            "crate::server",
            "crate::client",
            "crate::watch",
            "crate::text",
        ],
    ),
    (&["message", "event", "wish"], &["crate::hub", "tokio"]),
    (
        &[
            "command/send/lines",
            "command/send/operation/child_lines",
            "command/send/operation/voice",
        ],
        &["tokio", "rustix", "crate::client"],
    ),
    (
        &["wire"],
        &[
            "crate::hub",
            "crate::server",
            "crate::client",
            "crate::watch",
            "axum",
            "hyper",
            "httparse",
            "reqwest",
            "tokio",
        ],
    ),
    (
        &["server"],
        &[
            "crate::client",
            "crate::watch",
            "crate::text",
            "reqwest",
            "ratatui",
            "crossterm",
            "clap",
        ],
    ),
    (
        &["client"],
        &[
            "crate::server",
            "crate::hub",
            "crate::watch",
            "axum",
            "ratatui",
            "crossterm",
            "clap",
        ],
    ),
    (
        &["client/mend"],
        &["tokio", "reqwest", "hyper", "eventsource_client", "http"],
    ),
    (
        &["watch"],
        &["crate::server", "crate::hub", "axum", "hyper", "reqwest"],
    ),
    (
        &[
            "watch/model",
            "watch/operations",
            "watch/summary",
            "watch/screen",
            "watch/update",
            "watch/keys",
        ],
        &["crossterm", "ratatui", "tokio"],
    ),
    (
        &[
            "watch/pane/view",
            "watch/pane/header",
            "watch/pane/body",
            "watch/pane/footer",
            "watch/pane/help",
            "watch/pane/detail",
            "watch/pane/welcome",
            "watch/pane/spans",
            "watch/pane/theme",
        ],
        &["crossterm", "tokio", "crate::talk"],
    ),
    (
        &["token"],
        &[
            "crate::client",
            "crate::server",
            "crate::hub",
            "crate::wire",
            "tracing",
            "serde",
            "clap",
        ],
    ),
    (
        &["text"],
        &[
            "crate::client",
            "crate::server",
            "crate::hub",
            "crossterm",
            "ratatui",
            "tokio",
        ],
    ),
    (
        &[
            "hub", "message", "event", "wish", "wire", "server", "client", "watch", "text", "talk",
            "shutdown", "token",
        ],
        &["crate::command", "crate::cli"],
    ),
];

#[test]
fn no_layer_knows_what_it_must_not() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    let mut wrong = Vec::new();
    for path in files(&sources) {
        let name = path.strip_prefix(&sources).unwrap().with_extension("");
        let uses = uses(&fs::read_to_string(&path).unwrap());
        for (layers, never) in NEVER {
            if !layers.iter().any(|it| name.starts_with(it)) {
                continue;
            }
            seen += 1;
            for known in &uses {
                let is = |it: &&str| known == it || known.starts_with(&format!("{it}::"));
                if never.iter().any(is) {
                    wrong.push(format!("src/{}.rs uses {known}", name.display()));
                }
            }
        }
    }
    assert!(seen > 20, "the sources are not where they were");
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn the_uses_of_a_file_are_found_in_every_form() {
    let text = "
        //! serde is not used here.
        use std::{fmt, io};
        use crate::{
            client::{Client, Options},
            wire,
        };
        pub use http::header;
        fn f() { let x: axum::body::Body = hyper::Request::new(); crate::hub::f() }
        const TEXT: &str = \"reqwest::get\"; // ratatui::init
    ";
    let uses = uses(text);
    for known in [
        "crate::client",
        "crate::wire",
        "http",
        "axum",
        "hyper",
        "crate::hub",
    ] {
        assert!(uses.iter().any(|it| it == known), "{known} in {uses:?}");
    }
    for other in ["serde", "ratatui"] {
        assert!(!uses.iter().any(|it| it == other), "{other} in {uses:?}");
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found
}

/// The crates that a file names, and the modules of this one (`crate::module`), in `use` lines and in
/// paths. Its unit tests may use what they like.
fn uses(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    // Paths: whatever stands before `::` and not after another.
    let name = |it: char| it.is_alphanumeric() || it == '_';
    for (at, _) in code.match_indices("::") {
        let head: String = code[..at]
            .chars()
            .rev()
            .take_while(|it| name(*it))
            .collect();
        let head: String = head.chars().rev().collect();
        if code[..at - head.len()].ends_with("::") || head.is_empty() {
            continue;
        }
        let rest = &code[at + 2..];
        if head != "crate" {
            found.push(head);
        } else if let Some(tree) = rest.strip_prefix('{') {
            found.extend(modules(tree).into_iter().map(|it| format!("crate::{it}")));
        } else {
            let module: String = rest.chars().take_while(|it| name(*it)).collect();
            found.push(format!("crate::{module}"));
        }
    }
    found
}

/// The first names in a braced tree of a `use`.
fn modules(tree: &str) -> Vec<String> {
    let (mut depth, mut text) = (1, String::new());
    for letter in tree.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            other if depth == 1 => text.push(other),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    let first = |it: &str| it.trim().split("::").next().unwrap().to_owned();
    text.split(',')
        .map(first)
        .filter(|it| !it.is_empty())
        .collect()
}
