//! Which file may use which: layers, and no circles.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Files whose paths begin with one of the first use none of the second.
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
            "builder",
            "feed",
            "frames",
            "publisher",
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
fn no_layer_uses_what_it_must_not() {
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

/// What belongs to the process, of which a library is a part.
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
fn the_library_changes_nothing_of_the_process() {
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
fn no_files_use_each_other_in_a_circle() {
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

type Module = Vec<String>;

/// The files of `src`, and the paths that stand in each.
struct Sources {
    paths: BTreeMap<Module, Vec<Module>>,
    /// The names that a file hands on with `pub use`, and what they stand for.
    reexports: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Sources {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut sources = Self {
            paths: BTreeMap::new(),
            reexports: BTreeMap::new(),
        };
        for path in files(&root) {
            let name = path.strip_prefix(&root).unwrap().with_extension("");
            let module: Module = name
                .iter()
                .map(|it| it.to_str().unwrap().to_owned())
                .collect();
            let is_test = ["tests", "interleavings"].contains(&module.last().unwrap().as_str());
            if is_test || ["lib", "main"].contains(&module[0].as_str()) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            sources
                .reexports
                .insert(module.clone(), reexports(&text, &module));
            sources.paths.insert(module, paths(&text));
        }
        sources
    }

    /// The module of this crate that a path in a file leads to.
    fn target(&self, from: &Module, path: &[String]) -> Option<Module> {
        let mut path = absolute(from, path, |child| {
            self.paths
                .contains_key(&[from.as_slice(), &[child]].concat())
        })?;
        loop {
            let length = (1..=path.len())
                .rev()
                .find(|length| self.paths.contains_key(&path[..*length]))?;
            let module = path[..length].to_vec();
            let named = path.get(length);
            match named.and_then(|it| self.reexports[&module].get(it)) {
                Some(meant) if !path.starts_with(meant) => {
                    path = [meant.as_slice(), &path[length + 1..]].concat();
                }
                _ => return Some(module),
            }
        }
    }

    /// Which file uses which. A file and those below it are one module, so what a file takes from one that
    /// it lies below is no arrow.
    fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let arrows = self.paths.iter().map(|(from, paths)| {
            let used = paths.iter().filter_map(|path| self.target(from, path));
            let used = used.filter(|used| !from.starts_with(used)).collect();
            (from.clone(), used)
        });
        arrows.collect()
    }
}

/// A path from the crate's root; `None` if it leads to another crate.
fn absolute(from: &Module, path: &[String], is_child: impl Fn(String) -> bool) -> Option<Module> {
    let mut base = from.clone();
    match path.first()?.as_str() {
        "crate" => return Some(path[1..].to_vec()),
        "self" | "super" => {
            let names = path
                .iter()
                .skip_while(|it| ["self", "super"].contains(&it.as_str()));
            let up = path
                .iter()
                .take_while(|it| *it != "self" && *it == "super")
                .count();
            base.truncate(from.len().checked_sub(up)?);
            base.extend(names.cloned());
        }
        child if is_child(child.into()) => base.extend_from_slice(path),
        _ => return None,
    }
    Some(base)
}

/// What a file hands on with `pub use`.
fn reexports(text: &str, module: &Module) -> BTreeMap<String, Module> {
    let mut found = BTreeMap::new();
    let tokens = code(text);
    let mut is_public = false;
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        if token == "use" && is_public {
            let mut leaves = Vec::new();
            tree(after, &[], &mut leaves);
            for leaf in leaves {
                // A path that is not the crate's begins at a child, or leads out of the crate.
                if let Some(meant) = absolute(module, &leaf, |_| true) {
                    found.insert(meant.last().unwrap().clone(), meant);
                }
            }
        }
        // `pub`, `pub(super)`.
        is_public = token == "pub"
            || is_public && ["(", ")", "super", "crate", "in"].contains(&token.as_str());
        rest = after;
    }
    found
}

/// The paths that stand in a file's code, `use` trees written out. Its inline tests may use what they like.
fn paths(text: &str) -> Vec<Module> {
    let tokens = code(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        // Not `impl Trait + use<>`.
        if tokens[at] == "use" && tokens[at + 1] != "<" {
            at += 1 + tree(&tokens[at + 1..], &[], &mut found);
            continue;
        }
        let length = path(&tokens[at..]);
        if length > 1 {
            let names = tokens[at..at + length].iter().filter(|it| *it != "::");
            found.push(names.cloned().collect());
        }
        at += length.max(1);
    }
    found
}

/// How many tokens the path takes that these begin with.
fn path(tokens: &[String]) -> usize {
    if !tokens.first().is_some_and(|it| is_name(it)) {
        return 0;
    }
    let more = tokens[1..]
        .chunks_exact(2)
        .take_while(|pair| pair[0] == "::" && is_name(&pair[1]))
        .count();
    1 + 2 * more
}

/// Takes one branch of a `use` tree; returns how many tokens it has.
fn tree(tokens: &[String], stem: &[String], found: &mut Vec<Module>) -> usize {
    let mut stem = stem.to_vec();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" => {
                at += 1;
                while tokens[at] != "}" {
                    at += tree(&tokens[at..], &stem, found);
                    at += usize::from(tokens[at] == ",");
                }
                return at + 1;
            }
            "," | "}" | ";" => break,
            // A leaf's other name says nothing of where it leads.
            "as" => at += 2,
            "self" if !stem.is_empty() => at += 1,
            "::" | "*" => at += 1,
            name => {
                stem.push(name.into());
                at += 1;
            }
        }
    }
    found.push(stem);
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|it: char| it.is_alphabetic() || it == '_')
}

/// The tokens of a file's code, without comments, texts and inline tests; `::` is one.
fn code(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    flatten(text.parse().expect("it compiles"), &mut tokens);
    tokens
}

fn flatten(stream: TokenStream, tokens: &mut Vec<String>) {
    let trees: Vec<_> = stream.into_iter().collect();
    let mut is_for_tests = false;
    for (at, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Group(group) if is_for_tests && group.delimiter() == Delimiter::Brace => {
                is_for_tests = false;
            }
            TokenTree::Group(group) => {
                let is_test_mod = group.to_string().starts_with("[cfg(test)]")
                    || group.to_string().starts_with("[cfg (test)]");
                is_for_tests |=
                    is_test_mod && trees.get(at + 1).is_some_and(|it| it.to_string() == "mod");
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    _ => ("(", ")"),
                };
                tokens.push(open.into());
                flatten(group.stream(), tokens);
                tokens.push(close.into());
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => match tokens.last_mut() {
                Some(last) if last == ":" => *last = "::".into(),
                _ => tokens.push(":".into()),
            },
            TokenTree::Literal(_) => tokens.push("0".into()),
            other => tokens.push(other.to_string()),
        }
    }
}

/// The files that a file leads to, over any number of arrows.
fn reachable(arrows: &BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<Module> {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(file) = waiting.pop() {
        for next in &arrows[file] {
            if seen.insert(next.clone()) {
                waiting.push(next);
            }
        }
    }
    seen
}

fn is_below(path: &str, top: &str, separator: &str) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
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
