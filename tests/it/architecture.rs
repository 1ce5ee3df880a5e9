//! The dependencies between files: layers, and no cycles.

use std::{fs, path::Path};

use crate::support::sources::{Sources, code, files, is_below, paths, reachable};

/// Files whose paths begin with one of the first must use none of the second.
const NEVER: &[(&[&str], &[&str])] = &[
    (
        &["hub", "message", "event", "control"],
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
            "crate::channels",
            "crate::store",
            "redis",
            "crate::server",
            "crate::client",
            "crate::watch",
            "crate::terminal",
        ],
    ),
    (
        &[
            "frames",
            "hub_feed",
            "message_builder",
            "publisher/destination",
            "scope",
            "scope_layer",
            "tracing_layer",
            "update",
        ],
        &[
            "crate::channels",
            "crate::client",
            "crate::server",
            "crate::store",
            "crate::watch",
            "hyper",
            "reqwest",
        ],
    ),
    (
        &["publisher"],
        &["crate::server", "crate::watch", "hyper", "reqwest"],
    ),
    (&["publisher", "scope"], &["tracing_subscriber"]),
    (&["refusal"], &["crate::store", "crate::channels"]),
    (&["channels"], &["crate::wire", "axum", "hyper", "redis"]),
    (
        &["channels", "store"],
        &[
            "crate::server",
            "crate::client",
            "crate::watch",
            "crate::terminal",
            "axum",
            "hyper",
            "clap",
        ],
    ),
    (&["store"], &["crate::channels"]),
    (&["server"], &["redis"]),
    (&["message", "event", "control"], &["crate::hub", "tokio"]),
    (
        &[
            "command/send/lines",
            "command/send/exec/child_lines",
            "command/send/exec/messages",
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
            "crate::terminal",
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
        &["client/sse_repair"],
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
            "watch/pane/state",
            "watch/pane/update",
            "watch/pane/keys",
        ],
        &["crossterm", "ratatui", "tokio"],
    ),
    (
        &["watch/pane/draw"],
        &["crossterm", "tokio", "crate::terminal::stderr"],
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
        &["terminal"],
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
            "hub",
            "message",
            "event",
            "control",
            "wire",
            "channels",
            "store",
            "server",
            "client",
            "watch",
            "terminal",
            "signals",
            "process",
            "token",
            "file_error",
            "metrics",
            "pem_file",
        ],
        &["crate::command", "crate::cli"],
    ),
    (&["command"], &["crate::cli::parse"]),
];

#[test]
fn no_layer_uses_a_forbidden_one() {
    let sources = Sources::read();
    let mut checked = 0;
    let mut wrong = Vec::new();
    for (module, paths) in &sources.paths {
        let file = module.join("/");
        for (layers, never) in NEVER {
            if !layers.iter().any(|it| is_below(&file, it, "/")) {
                continue;
            }
            checked += 1;
            for path in paths {
                let path = match sources.target(module, path) {
                    Some(used) => format!("crate::{}", used.join("::")),
                    None => path.join("::"),
                };
                if never.iter().any(|it| is_below(&path, it, "::")) {
                    wrong.push(format!("src/{file}.rs uses {path}"));
                }
            }
        }
    }
    assert!(checked > 20, "the sources are not where they were");
    assert_eq!(wrong, [""; 0]);
}

/// What belongs to the process rather than to a library in it.
const OF_THE_PROCESS: &[&str] = &[
    "install_default",
    "set_hook",
    "set_global_default",
    "set_default",
    "try_init",
    "increase_nofile_limit",
    "setrlimit",
    "signal_hook",
    "signal",
    "exit",
    "abort_process",
    "println",
    "eprintln",
    "print",
    "eprint",
    "dbg",
    "stdout",
    "stderr",
    "set_var",
    "set_current_dir",
];
/// Files that only the program has.
const PROGRAM: &[&str] = &["cli", "command", "process", "signals", "terminal", "watch"];

#[test]
fn the_library_changes_no_process_state() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for path in files(&root) {
        let name = path.strip_prefix(&root).unwrap().with_extension("");
        let name = name.to_str().unwrap();
        let is_program = name == "main" || PROGRAM.iter().any(|it| is_below(name, it, "/"));
        if is_program || name.ends_with("tests") || name.contains("/tests/") {
            continue;
        }
        for token in code(&fs::read_to_string(&path).unwrap()) {
            if OF_THE_PROCESS.contains(&token.as_str()) {
                wrong.push(format!("src/{name}.rs: {token}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn no_files_use_each_other_in_a_cycle() {
    let sources = Sources::read();
    let arrows = sources.arrows();
    assert!(arrows.len() > 100, "the sources are not where they were");
    let in_circles: Vec<_> = arrows
        .keys()
        .filter(|file| reachable(&arrows, file).contains(*file))
        .map(|file| file.join("/"))
        .collect();
    assert_eq!(in_circles, [""; 0]);
}

#[test]
fn the_paths_of_a_file_are_found_in_every_form() {
    let text = "
        //! serde is not used here.
        use std::{fmt, io};
        use crate::{
            client::{self, Client, Options as Other},
            wire,
        };
        pub use http::header;
        fn f() { let x: axum::body::Body = hyper::Request::new(); select! { _ = crate::hub::f() => {} } }
        const TEXT: &str = \"reqwest::get\"; // ratatui::init
        #[cfg(test)]
        mod tests { use proptest::prelude; }
    ";
    let paths: Vec<_> = paths(text).iter().map(|it| it.join("::")).collect();
    for expected in [
        "crate::client",
        "crate::client::Client",
        "crate::client::Options",
        "crate::wire",
        "http::header",
        "axum::body::Body",
        "hyper::Request::new",
        "crate::hub::f",
    ] {
        assert!(
            paths.iter().any(|it| it == expected),
            "{expected} in {paths:?}"
        );
    }
    for other in ["serde", "ratatui", "reqwest", "proptest"] {
        assert!(
            !paths.iter().any(|it| it.starts_with(other)),
            "{other} in {paths:?}"
        );
    }
}
