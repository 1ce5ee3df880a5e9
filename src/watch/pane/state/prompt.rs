//! A line being typed: a pattern, or a file name.

use tui_input::{Input, InputRequest};

use super::viewport::Anchor;
use crate::watch::pane::keys::{Code, Key};

/// Upper bound of the input, in bytes.
pub const INPUT_MAX: usize = 1000;

/// What the input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A pattern to search for.
    Search,
    /// A pattern to filter by.
    Filter,
    /// A file for what is shown.
    SaveText,
    /// A file for everything.
    SaveAll,
}

/// The input line.
#[derive(Debug)]
pub struct Prompt {
    /// What it is for.
    pub purpose: Purpose,
    /// An error, or the effect of the input so far.
    pub feedback: Option<String>,
    /// The anchor before, which Esc restores.
    pub anchor: Option<Anchor>,
    /// The pattern before, which Esc restores.
    pub before: String,
    input: Input,
}

impl Prompt {
    /// Creates a line with this text.
    #[must_use]
    pub fn new(purpose: Purpose, text: &str, before: String, anchor: Option<Anchor>) -> Self {
        Self {
            purpose,
            feedback: None,
            anchor,
            before,
            input: Input::new(text.into()),
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Returns its label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self.purpose {
            Purpose::Search => "/",
            Purpose::Filter => "&",
            Purpose::SaveText => "save what is shown as text to: ",
            Purpose::SaveAll => "save everything as NDJSON to: ",
        }
    }

    /// Returns the visible part at a width: its first column, and the cursor's.
    #[must_use]
    pub fn window(&self, width: usize) -> (usize, usize) {
        let scroll = self.input.visual_scroll(width);
        (scroll, self.input.visual_cursor().saturating_sub(scroll))
    }

    /// Handles a key; returns whether the text has changed.
    pub fn key(&mut self, key: Key) -> bool {
        use InputRequest as Request;
        let request = match (key.code, key.ctrl) {
            (Code::Char(letter), false) if self.has_room(letter.len_utf8()) => {
                Request::InsertChar(letter)
            }
            (Code::Backspace, _) | (Code::Char('h'), true) => Request::DeletePrevChar,
            (Code::Delete, _) | (Code::Char('d'), true) => Request::DeleteNextChar,
            (Code::Left, false) | (Code::Char('b'), true) => Request::GoToPrevChar,
            (Code::Right, false) | (Code::Char('f'), true) => Request::GoToNextChar,
            (Code::Left, true) => Request::GoToPrevWord,
            (Code::Right, true) => Request::GoToNextWord,
            (Code::Home, _) | (Code::Char('a'), true) => Request::GoToStart,
            (Code::End, _) | (Code::Char('e'), true) => Request::GoToEnd,
            (Code::Char('u'), true) => Request::DeleteLine,
            (Code::Char('k'), true) => Request::DeleteTillEnd,
            (Code::Char('w'), true) => Request::DeletePrevWord,
            _ => return false,
        };
        self.input.handle(request).is_some_and(|it| it.value)
    }

    /// Inserts pasted text, on one line; returns whether the text has changed.
    pub fn paste(&mut self, text: &str) -> bool {
        let mut changed = false;
        for letter in text.trim_end().chars().filter(|it| !it.is_control()) {
            if !self.has_room(letter.len_utf8()) {
                break;
            }
            let taken = self.input.handle(InputRequest::InsertChar(letter));
            changed |= taken.is_some();
        }
        changed
    }

    fn has_room(&self, more: usize) -> bool {
        self.text().len() + more <= INPUT_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_typed_corrected_and_pasted_into() {
        let mut prompt = Prompt::new(Purpose::Search, "", String::new(), None);
        for letter in "errorx".chars() {
            assert!(prompt.key(Key::char(letter)));
        }
        assert!(prompt.key(Key::plain(Code::Backspace)));
        assert!(!prompt.key(Key::plain(Code::Home)));
        assert!(prompt.paste("my\x1b \n"));
        assert_eq!(prompt.text(), "myerror");
        assert!(prompt.key(Key::ctrl('u')));
        assert_eq!(prompt.text(), "");
        prompt.paste(&"ü".repeat(INPUT_MAX));
        assert!(prompt.text().len() <= INPUT_MAX);
    }
}
