//! The pane's keys: one table, by which keys are dispatched, and from which the footer takes their names, and the help, the
//! manual page and the list in `docs/pane.md` are made.
//!
//! Keys have a type of their own here, independent of the terminal library.

use std::fmt;

/// A key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which key.
    pub code: Code,
    /// Whether Ctrl is held.
    pub ctrl: bool,
}

/// A key on the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the names on the keys")]
pub enum Code {
    Char(char),
    Enter,
    Esc,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    F(u8),
}

impl Key {
    /// Creates a key without Ctrl.
    #[must_use]
    pub const fn plain(code: Code) -> Self {
        Self { code, ctrl: false }
    }

    /// Creates a character.
    #[must_use]
    pub const fn char(letter: char) -> Self {
        Self::plain(Code::Char(letter))
    }

    /// Creates a character with Ctrl.
    #[must_use]
    pub const fn ctrl(letter: char) -> Self {
        Self {
            code: Code::Char(letter),
            ctrl: true,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("^")?;
        }
        match self.code {
            Code::Char(' ') => f.write_str("Space"),
            Code::Char(letter) => write!(f, "{letter}"),
            Code::Enter => f.write_str("Enter"),
            Code::Esc => f.write_str("Esc"),
            Code::Backspace => f.write_str("Backspace"),
            Code::Delete => f.write_str("Del"),
            Code::Up => f.write_str("↑"),
            Code::Down => f.write_str("↓"),
            Code::Left => f.write_str("←"),
            Code::Right => f.write_str("→"),
            Code::PageUp => f.write_str("PgUp"),
            Code::PageDown => f.write_str("PgDn"),
            Code::Home => f.write_str("Home"),
            Code::End => f.write_str("End"),
            Code::F(number) => write!(f, "F{number}"),
        }
    }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(strum::EnumIter))]
#[expect(missing_docs, reason = "the table says what each does")]
pub enum Action {
    Down,
    Up,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    First,
    Last,
    Space,
    Pause,
    Search,
    NextHit,
    PreviousHit,
    Filter,
    NextError,
    PreviousError,
    RaiseLevel,
    LowerLevel,
    ShowTrace,
    ShowDebug,
    ShowInfo,
    ShowWarn,
    ShowError,
    PreviousOperation,
    NextOperation,
    Open,
    Time,
    Wrap,
    ScrollLeft,
    ScrollRight,
    Copy,
    CopyShown,
    CopyId,
    CopyCurl,
    CopyPage,
    Mark,
    NextMark,
    SaveText,
    SaveAll,
    Detail,
    Cancel,
    Reconnect,
    Mouse,
    Suspend,
    Help,
    Back,
    Quit,
    QuitPrinting,
    QuitNow,
}

/// A line of the table: keys that belong together.
#[derive(Debug)]
pub struct Line {
    /// The keys of each action, in the order of `does`.
    pub keys: &'static [(&'static [Key], Action)],
    /// What they do.
    pub does: &'static str,
}

/// Lists keys and actions of the table.
macro_rules! keys {
    ($($($key:expr),+ => $action:ident);+) => { &[$((&[$($key),+], Action::$action)),+] };
}

const fn c(letter: char) -> Key {
    Key::char(letter)
}

const fn k(code: Code) -> Key {
    Key::plain(code)
}

/// The table.
pub const TABLE: &[Line] = &[
    Line {
        keys: keys!(c('j'), k(Code::Down) => Down; c('k'), k(Code::Up) => Up),
        does: "move down, up; leaving the bottom pauses, reaching it follows again",
    },
    Line {
        keys: keys!(c('d'), Key::ctrl('d') => HalfDown; c('u'), Key::ctrl('u') => HalfUp),
        does: "half a page down, up",
    },
    Line {
        keys: keys!(
            c('f'), Key::ctrl('f'), k(Code::PageDown) => PageDown;
            c('b'), Key::ctrl('b'), k(Code::PageUp) => PageUp
        ),
        does: "a page down, up",
    },
    Line {
        keys: keys!(
            c('g'), k(Code::Home) => First;
            c('G'), k(Code::End), c('F') => Last
        ),
        does: "to the first message, to the last one and follow",
    },
    Line {
        keys: keys!(c(' ') => Space),
        does: "freeze while following, a page down otherwise",
    },
    Line {
        keys: keys!(c('p') => Pause),
        does: "pause or resume",
    },
    Line {
        keys: keys!(c('/') => Search; c('n') => NextHit; c('N') => PreviousHit),
        does: "search (regex; capitals make it exact), next hit, previous hit",
    },
    Line {
        keys: keys!(c('&') => Filter),
        does: "show only what matches; ! in front: what does not; empty: all",
    },
    Line {
        keys: keys!(c('e') => NextError; c('E') => PreviousError),
        does: "next error, previous error, wrapping around",
    },
    Line {
        keys: keys!(c('+') => RaiseLevel; c('-') => LowerLevel),
        does: "raise, lower the level shown",
    },
    Line {
        keys: keys!(
            c('1') => ShowTrace;
            c('2') => ShowDebug;
            c('3') => ShowInfo;
            c('4') => ShowWarn;
            c('5') => ShowError
        ),
        does: "show trace (all), debug, info, warn, error, and worse",
    },
    Line {
        keys: keys!(c('{') => PreviousOperation; c('}') => NextOperation),
        does: "previous, next operation's first message",
    },
    Line {
        keys: keys!(k(Code::Enter) => Open),
        does: "following: a ruler with the time; paused: the whole message",
    },
    Line {
        keys: keys!(c('t') => Time),
        does: "times: off, clock, since the start, since the previous message",
    },
    Line {
        keys: keys!(
            c('w') => Wrap;
            c('h'), k(Code::Left) => ScrollLeft;
            c('l'), k(Code::Right) => ScrollRight
        ),
        does: "wrap long lines, or scroll left, right",
    },
    Line {
        keys: keys!(c('y') => Copy; c('Y') => CopyShown),
        does: "copy the message, all that is shown",
    },
    Line {
        keys: keys!(c('i') => CopyId; c('I') => CopyCurl),
        does: "copy the client ID, a curl line that sends it along",
    },
    Line {
        keys: keys!(c('o') => CopyPage),
        does: "show and copy the address of the web page",
    },
    Line {
        keys: keys!(c('m') => Mark; c('\'') => NextMark),
        does: "mark the message or unmark it, go to the next mark",
    },
    Line {
        keys: keys!(c('s') => SaveText; c('S') => SaveAll),
        does: "save what is shown as text, everything as NDJSON",
    },
    Line {
        keys: keys!(c('D') => Detail; c('x') => Cancel),
        does: "ask publishers for debug detail, to cancel (asks first)",
    },
    Line {
        keys: keys!(c('r') => Reconnect),
        does: "reconnect now",
    },
    Line {
        keys: keys!(k(Code::F(2)) => Mouse),
        does: "mouse on or off; off leaves it to the terminal's own selection",
    },
    Line {
        keys: keys!(Key::ctrl('z') => Suspend),
        does: "suspend; fg in the shell resumes",
    },
    Line {
        keys: keys!(k(Code::Esc) => Back),
        does: "close what is open; remove the search's highlights",
    },
    Line {
        keys: keys!(c('?') => Help),
        does: "help",
    },
    Line {
        keys: keys!(
            c('q') => Quit;
            c('Q') => QuitPrinting;
            Key::ctrl('c') => QuitNow
        ),
        does: "quit, quit and leave the last screen printed, quit now",
    },
];

impl Line {
    /// Returns its keys as they are listed: `j ↓ · k ↑`.
    #[must_use]
    pub fn label(&self) -> String {
        self.label_of(|_| true).unwrap_or_default()
    }

    /// Returns the keys of those actions that are listed; `None` if there are none.
    #[must_use]
    pub fn label_of(&self, is_listed: impl Fn(Action) -> bool) -> Option<String> {
        let listed = self.keys.iter().filter(|(_, action)| is_listed(*action));
        let each = listed.map(|(keys, _)| {
            let names: Vec<_> = keys.iter().map(Key::to_string).collect();
            names.join(" ")
        });
        let label = each.collect::<Vec<_>>().join(" · ");
        Some(label).filter(|it| !it.is_empty())
    }
}

/// Returns the action of a key, if it has one.
#[must_use]
pub fn action(key: Key) -> Option<Action> {
    bindings()
        .find(|(keys, _)| keys.contains(&key))
        .map(|(_, action)| *action)
}

/// Returns the name of an action's first key; a test checks that every action has one.
#[must_use]
pub fn name(wanted: Action) -> String {
    bindings()
        .find(|(_, action)| *action == wanted)
        .map(|(keys, _)| keys[0].to_string())
        .unwrap_or_default()
}

fn bindings() -> impl Iterator<Item = &'static (&'static [Key], Action)> {
    TABLE.iter().flat_map(|line| line.keys)
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_action_has_a_key() {
        for action in Action::iter() {
            assert_ne!(name(action), "", "{action:?}");
        }
    }

    #[test]
    fn no_key_has_two_actions() {
        let mut seen: Vec<Key> = Vec::new();
        for (keys, action) in bindings() {
            for key in *keys {
                assert!(!seen.contains(key), "{key} asks for {action:?} too");
                assert_eq!(crate::watch::pane::keys::action(*key), Some(*action));
                seen.push(*key);
            }
        }
    }

    #[test]
    fn keys_have_their_usual_names() {
        assert_eq!(TABLE[0].label(), "j ↓ · k ↑");
        assert_eq!(name(Action::Suspend), "^z");
        assert_eq!(name(Action::Space), "Space");
        assert_eq!(action(Key::plain(Code::F(2))), Some(Action::Mouse));
        assert_eq!(action(Key::char('Z')), None);
    }
}
