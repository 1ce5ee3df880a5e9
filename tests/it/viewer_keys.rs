//! The page's keys are the pane's, except for those that a browser reserves, and the page's own.

use std::collections::BTreeMap;

use codechat::internal::watch::pane::keys::TABLE;
use regex::Regex;

const KEYS: &str = include_str!("../../src/server/viewer/keys.js");
/// Keys of the pane that browsers use otherwise, or that the page has no action for.
const LEFT_OUT: [&str; 13] = [
    "^d", "^u", "^f", "^b", "^z", "^c", "F2", "q", "Q", "m", "'", "h", "l",
];
const ARROWS: [&str; 2] = ["←", "→"];
/// Keys that only the page has.
const OWN: [(&str, &str); 1] = [("L", "CopyLink")];

/// Returns a key of the page as the pane names it.
fn named(key: &str) -> &str {
    match key {
        " " => "Space",
        "ArrowDown" => "↓",
        "ArrowUp" => "↑",
        "PageDown" => "PgDn",
        "PageUp" => "PgUp",
        "Escape" => "Esc",
        other => other,
    }
}

#[test]
fn pane_and_page_have_the_same_keys() {
    let binding = Regex::new(r#"\{ keys: \[([^\]]*)\], action: "(\w+)""#).unwrap();
    let key = Regex::new(r#""([^"]+)""#).unwrap();
    let mut page = BTreeMap::new();
    for found in binding.captures_iter(KEYS) {
        for it in key.captures_iter(&found[1]) {
            page.insert(named(&it[1]).to_owned(), found[2].to_owned());
        }
    }
    let mut of_pane: BTreeMap<_, _> = TABLE
        .iter()
        .flat_map(|line| line.keys)
        .flat_map(|(keys, action)| {
            keys.iter()
                .map(move |it| (it.to_string(), format!("{action:?}")))
        })
        .filter(|(key, _)| !LEFT_OUT.contains(&&**key) && !ARROWS.contains(&&**key))
        .collect();
    of_pane.extend(OWN.map(|(key, action)| (key.to_owned(), action.to_owned())));
    assert_eq!(page, of_pane);
}
