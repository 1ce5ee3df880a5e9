//! Messages on the command line that begin with a dash, which clap would take for flags.
//!
//! They are marked before clap parses the words, and unmarked afterwards: so other flags are recognised anywhere, and a
//! mistyped flag is not taken for a message.

use std::ffi::{OsStr, OsString};

use clap::Command;

/// A character that no word of a command line can contain.
const MARK: &str = "\0";

/// Marks the words that are a message, and removes a `-` that is the whole message, so that stdin is read. `send`
/// defines the flags.
pub(crate) fn mark(words: &mut Vec<OsString>, first: usize, send: &Command) {
    let mut message = Vec::new();
    let mut tells_a_moment = false;
    let mut at = first;
    while let Some(word) = words.get_mut(at) {
        let text = word.to_string_lossy();
        if text == "--" {
            // What follows is the command and its arguments.
            return;
        }
        if let Some(flag) = flag(&text, send) {
            tells_a_moment |= matches!(flag.get_id().as_str(), "outcome" | "progress" | "text");
            let has_its_value = text.contains('=') || !flag.get_action().takes_values();
            at += if has_its_value { 1 } else { 2 };
            continue;
        }
        if is_message(&text) {
            let marked = [OsStr::new(MARK), word.as_os_str()].join(OsStr::new(""));
            *word = marked;
            message.push(at);
        } else if text == "-" || !text.starts_with('-') {
            message.push(at);
        }
        at += 1;
    }
    if let [only] = message[..]
        && words[only] == "-"
        && !tells_a_moment
    {
        words.remove(only);
    }
}

/// Returns a word of the message as it was given.
pub(super) fn unmarked(word: OsString) -> OsString {
    match word.to_str().and_then(|it| it.strip_prefix(MARK)) {
        Some(text) => text.into(),
        None if word.as_encoded_bytes().starts_with(MARK.as_bytes()) => {
            use std::os::unix::ffi::OsStringExt;
            OsString::from_vec(word.into_vec().split_off(MARK.len()))
        }
        None => word,
    }
}

/// Returns the flag that a word is, or begins with if it is a long one.
fn flag<'a>(word: &str, send: &'a Command) -> Option<&'a clap::Arg> {
    let Some(long) = word.strip_prefix("--") else {
        let short = word.strip_prefix('-')?;
        let is_short = |it: &&clap::Arg| it.get_short().is_some_and(|it| short == it.to_string());
        return send.get_arguments().find(is_short);
    };
    let name = long.split_once('=').map_or(long, |(name, _)| name);
    send.get_arguments().find(|it| it.get_long() == Some(name))
}

/// Returns whether a word that begins with a dash is a message: a space or a digit follows. A word in the form of a
/// flag is not: `--progres=3/120`, for example, was mistyped.
fn is_message(word: &str) -> bool {
    let Some(rest) = word.strip_prefix('-') else {
        return false;
    };
    let tells = |it: char| it.is_whitespace() || it.is_numeric();
    rest.contains(tells) && !rest.strip_prefix('-').is_some_and(has_a_flags_form)
}

fn has_a_flags_form(long: &str) -> bool {
    let name = long.split_once('=').map_or(long, |(name, _)| name);
    let is_of_a_name = |it: char| it.is_alphanumeric() || it == '-' || it == '_';
    name.starts_with(char::is_alphabetic) && name.chars().all(is_of_a_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_begins_a_message_if_a_space_or_a_digit_follows_but_no_flag() {
        for word in [
            "-5",
            "-5 files left",
            "- item",
            "--5",
            "-.5",
            "--- 3 ---",
            "--dry-run failed",
            "-x 1",
            "-1\u{a0}%",
        ] {
            assert!(is_message(word), "{word}");
        }
        for word in [
            "-",
            "--",
            "-x",
            "--word",
            "--utf8",
            "--progres=3/120",
            "--opperation=a b",
            "a -5",
        ] {
            assert!(!is_message(word), "{word}");
        }
    }
}
