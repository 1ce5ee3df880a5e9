//! The files of `src`, and their dependencies on each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub(crate) type Module = Vec<String>;

/// The files of `src`, and the paths in each.
pub(crate) struct Sources {
    pub(crate) paths: BTreeMap<Module, Vec<Module>>,
    /// The names that a file re-exports with `pub use`, and their targets.
    reexports: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Sources {
    pub(crate) fn read() -> Self {
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

    /// Returns the module of this crate that a path in a file leads to.
    pub(crate) fn target(&self, from: &Module, path: &[String]) -> Option<Module> {
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

    /// Returns which file uses which. A file and those below it are one module, so a use of a parent by a child is not
    /// included.
    pub(crate) fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let arrows = self.paths.iter().map(|(from, paths)| {
            let used = paths.iter().filter_map(|path| self.target(from, path));
            let used = used.filter(|used| !from.starts_with(used)).collect();
            (from.clone(), used)
        });
        arrows.collect()
    }
}

/// Returns a path from the crate's root; `None` if it leads to another crate.
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

/// Returns what a file re-exports with `pub use`.
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

/// Returns the paths in a file's code, with `use` trees expanded. Its inline tests may use anything.
pub(crate) fn paths(text: &str) -> Vec<Module> {
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

/// Returns the number of tokens of the path at the start of these.
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

/// Reads one branch of a `use` tree; returns its number of tokens.
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
            // An alias does not change where a leaf leads.
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

/// Returns the tokens of a file's code, without comments, strings and inline tests; `::` is one token.
pub(crate) fn code(text: &str) -> Vec<String> {
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

/// Returns the files that a file uses, directly or through others.
pub(crate) fn reachable(
    arrows: &BTreeMap<Module, BTreeSet<Module>>,
    from: &Module,
) -> BTreeSet<Module> {
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

pub(crate) fn is_below(path: &str, top: &str, separator: &str) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
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
