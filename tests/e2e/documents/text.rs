//! The parts of the documents: sections, and the blocks in them.

use std::{fs, path::Path};

use super::shell::normal;

/// Returns the sources' folder.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the paths of the entries of a folder below the sources.
pub(super) fn entries(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let name = |it: fs::DirEntry| it.file_name().into_string().unwrap();
    let mut paths: Vec<_> = entries
        .map(|it| format!("{folder}/{}", name(it.unwrap())))
        .collect();
    paths.sort();
    paths
}

/// Returns every document whose commands are run, the README first.
pub(super) fn documents() -> Vec<Document> {
    let names = entries("docs");
    let others = names
        .iter()
        .filter(|it| Path::new(it).extension().is_some_and(|it| it == "md"));
    let names = ["README.md"].into_iter().chain(others.map(String::as_str));
    names.map(Document::read).collect()
}

/// Returns the anchor of a heading, as repository hosts make it.
pub(super) fn slug(heading: &str) -> String {
    let heading = heading.trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

pub(super) struct Document {
    /// Its path from the sources' folder.
    pub(super) name: String,
    pub(super) text: String,
}

pub(super) struct Section {
    /// The document and the line of its heading.
    pub(super) place: String,
    pub(super) title: String,
    pub(super) is_chapter: bool,
    pub(super) blocks: Vec<Block>,
}

#[derive(Clone)]
pub(super) struct Block {
    /// The document and the line where it begins.
    pub(super) place: String,
    pub(super) info: Vec<String>,
    pub(super) text: String,
    /// The lines it should show.
    pub(super) expected: Vec<String>,
}

impl Block {
    pub(super) fn has(&self, word: &str) -> bool {
        self.info.iter().skip(1).any(|it| it == word)
    }

    pub(super) fn is_run(&self) -> bool {
        self.info.first().is_some_and(|it| it == "sh") && !self.has("untested")
    }

    /// Returns its file name, if it is a file.
    pub(super) fn file(&self) -> Option<&str> {
        let name = self.info.get(1)?;
        name.contains('.').then_some(name)
    }

    pub(super) fn exit(&self) -> i32 {
        let code = self.info.iter().find_map(|it| it.strip_prefix("exit="));
        code.map_or(0, |it| it.parse().unwrap())
    }
}

impl Document {
    pub(super) fn read(name: &str) -> Self {
        let text = fs::read_to_string(root().join(name)).unwrap();
        let name = name.to_owned();
        Self { name, text }
    }

    pub(super) fn sections(&self) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        let mut open: Option<Block> = None;
        for (line, number) in self.text.lines().zip(1..) {
            let place = format!("{}:{number}", self.name);
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
                    place,
                    info,
                    text,
                    expected,
                });
            } else if let Some(title) = line.strip_prefix('#') {
                sections.push(Section {
                    place,
                    title: title.trim_start_matches('#').trim().into(),
                    is_chapter: !title.starts_with("##"),
                    blocks: Vec::new(),
                });
            }
        }
        assert!(open.is_none(), "{}: a block has no end", self.name);
        sections
    }
}
