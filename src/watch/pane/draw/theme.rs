//! Colours: the terminal's own, by name. Nothing is shown by colour alone.

use std::borrow::Cow;

use ratatui::style::{Color, Modifier, Style};

use crate::message::{Level, Outcome};

/// Brightness of the terminal's background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Background {
    /// From COLORFGBG, or else colours that are readable on both
    #[default]
    Auto,
    /// Dark
    Dark,
    /// Light
    Light,
}

/// The styles of the pane.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    background: Background,
    colours: bool,
    ascii: bool,
}

impl Theme {
    /// Creates a theme for this background, with or without colours, and with ASCII characters only if `ascii`. `colorfgbg`
    /// is the environment's `COLORFGBG`.
    #[must_use]
    pub fn new(
        background: Background,
        colorfgbg: Option<&str>,
        colours: bool,
        ascii: bool,
    ) -> Self {
        let background = match background {
            Background::Auto => colorfgbg.and_then(background_of).unwrap_or_default(),
            named => named,
        };
        Self {
            background,
            colours,
            ascii,
        }
    }

    /// Returns whether all of the pane's own characters are ASCII.
    #[must_use]
    pub fn is_ascii(self) -> bool {
        self.ascii
    }

    /// Returns a text of the pane's own in the characters that it may use.
    #[must_use]
    pub fn own(self, text: &str) -> Cow<'_, str> {
        if !self.ascii || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        for letter in text.chars() {
            match letter {
                '·' => out.push('|'),
                '●' | '◆' => out.push('*'),
                '◐' | '…' => out.push('~'),
                '◌' => out.push('o'),
                '■' | '◈' | '█' | '▀' | '▄' => out.push('#'),
                '─' | '╌' | '–' => out.push('-'),
                '━' => out.push('='),
                '▌' => out.push('>'),
                '↑' => out.push_str("Up"),
                '↓' => out.push_str("Down"),
                '←' => out.push_str("Left"),
                '→' => out.push_str("Right"),
                letter if letter.is_ascii() => out.push(letter),
                _ => out.push('?'),
            }
        }
        Cow::Owned(out)
    }

    /// Returns the style of secondary text.
    #[must_use]
    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Returns the style of the most important text.
    #[must_use]
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Returns the style of success.
    #[must_use]
    pub fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    /// Returns the style of a warning.
    #[must_use]
    pub fn warning(self) -> Style {
        // Yellow is not readable on white.
        let colour = match self.background {
            Background::Light => Color::Magenta,
            Background::Auto | Background::Dark => Color::Yellow,
        };
        self.coloured(colour).add_modifier(Modifier::BOLD)
    }

    /// Returns the style of failure.
    #[must_use]
    pub fn bad(self) -> Style {
        let colour = match self.background {
            Background::Dark => Color::LightRed,
            Background::Auto | Background::Light => Color::Red,
        };
        self.coloured(colour).add_modifier(Modifier::BOLD)
    }

    /// Returns the style of what the user can act on, and of the focus.
    #[must_use]
    pub fn accent(self) -> Style {
        let colour = match self.background {
            Background::Light => Color::Blue,
            Background::Auto | Background::Dark => Color::Cyan,
        };
        self.coloured(colour).add_modifier(Modifier::BOLD)
    }

    /// Returns the style of search hits.
    #[must_use]
    pub fn hit(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Returns the style of a message with this level.
    #[must_use]
    pub fn level(self, level: Option<Level>) -> Style {
        match level {
            Some(Level::Error) => self.bad(),
            Some(Level::Warn) => self.warning().remove_modifier(Modifier::BOLD),
            Some(Level::Info) | None => Style::new(),
            Some(Level::Debug | Level::Trace) => self.faint(),
        }
    }

    /// Returns the style of an operation with this outcome.
    #[must_use]
    pub fn outcome(self, outcome: Outcome) -> Style {
        match outcome {
            Outcome::Ok => self.good(),
            Outcome::Failed => self.bad(),
            Outcome::Cancelled => self.warning(),
        }
    }

    fn coloured(self, colour: Color) -> Style {
        if self.colours {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }
}

/// Parses `COLORFGBG`, as in `15;0` or `0;default;15`: the last number is the background's colour.
fn background_of(colorfgbg: &str) -> Option<Background> {
    const WHITES: [u8; 2] = [7, 15];
    let colour: u8 = colorfgbg.rsplit(';').next()?.parse().ok()?;
    Some(if WHITES.contains(&colour) {
        Background::Light
    } else {
        Background::Dark
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_background_is_read_from_colorfgbg() {
        assert_eq!(background_of("15;0"), Some(Background::Dark));
        assert_eq!(background_of("0;default;15"), Some(Background::Light));
        assert_eq!(background_of("default"), None);
    }

    #[test]
    fn without_colours_levels_still_differ() {
        let theme = Theme::new(Background::Dark, None, false, false);
        assert_eq!(theme.bad().fg, None);
        assert_ne!(theme.level(Some(Level::Error)), theme.level(None));
        assert_ne!(theme.level(Some(Level::Debug)), theme.level(None));
    }

    #[test]
    fn in_ascii_every_text_is_ascii() {
        let theme = Theme::new(Background::Dark, None, true, true);
        assert_eq!(theme.own("● live · ▌ ↑ é"), "* live | > Up ?");
    }
}
