//! Quoting for shells.

use std::borrow::Cow;

/// Quotes a word for a shell, if necessary.
pub(crate) fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |it: char| it.is_alphanumeric() || "_@%+=:,./-".contains(it);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''")).into()
    }
}
