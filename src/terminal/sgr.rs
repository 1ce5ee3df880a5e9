//! SGR, the only escape sequence that foreign text may keep: `CSI … m` (ECMA-48 8.3.117), colours and
//! attributes.
//!
//! It is an allow list. Not on it: what hides text (8, conceal), what a reset does not undo (10 to 20, fonts: on the
//! Linux console they change how bytes become characters), and colours with missing or extra numbers, about which
//! terminals disagree. It knows nothing of lines.

/// Resets the terminal's style.
pub(super) const RESET: &str = "\x1b[0m";
/// Upper bound of a sequence, in bytes: tmux discards longer ones, other terminals cut them.
const BYTES_MAX: usize = 63;
/// Upper bound of the numbers in a sequence: tmux's limit.
const NUMBERS_MAX: usize = 24;

/// Returns the sequence at the start of `text`, if it may be kept.
pub(super) fn sequence(text: &str) -> Option<&str> {
    let params = text.strip_prefix("\x1b[")?;
    let end = params.find(|c| !matches!(c, '0'..='9' | ';' | ':'))?;
    let sequence = text.get(..text.len() - params.len() + end + "m".len())?;
    Style::default().after(sequence).map(|_| sequence)
}

/// The accumulated effect of sequences: for each attribute, the parameter that set it, or nothing if it is as after a
/// reset.
#[derive(Clone, Copy, Default)]
pub(super) struct Style<'a> {
    attributes: [&'a str; 11],
    touched: bool,
}

impl<'a> Style<'a> {
    /// Returns whether everything is as after a reset.
    pub(super) fn is_plain(&self) -> bool {
        self.attributes.iter().all(|it| it.is_empty())
    }

    /// Returns whether the terminal must be reset: the last sequence was not a reset. This may be so for a plain style
    /// too, since a terminal may not know a parameter.
    pub(super) fn needs_reset(&self) -> bool {
        self.touched
    }

    /// Starts a line in this style, on a terminal that was reset.
    pub(super) fn begin(&mut self, out: &mut String) {
        for attribute in self.attributes.iter().filter(|it| !it.is_empty()) {
            out.extend(["\x1b[", attribute, "m"]);
        }
        self.touched = !self.is_plain();
    }

    /// Returns the style after `sequence`; `None` if it must not pass.
    pub(super) fn after(mut self, sequence: &'a str) -> Option<Self> {
        let params = sequence.strip_prefix("\x1b[")?.strip_suffix('m')?;
        if params.len() > BYTES_MAX || params.split([';', ':']).count() > NUMBERS_MAX {
            return None;
        }
        let mut rest = Some(params);
        while let Some(params) = rest {
            let end = params
                .match_indices(';')
                .nth(parts(params)? - 1)
                .map_or(params.len(), |(at, _)| at);
            self.set(&params[..end])?;
            rest = params.get(end + 1..);
        }
        self.touched = params.contains(|c| !matches!(c, '0' | ';'));
        Some(self)
    }

    fn set(&mut self, param: &'a str) -> Option<()> {
        let (first, detail) = match param.split_once([';', ':']) {
            Some((first, detail)) => (first, Some(detail)),
            None => (param, None),
        };
        let code = number(first)?;
        match (code, detail) {
            (38 | 48 | 58, _) => is_colour(param).then_some(())?,
            // The shapes of an underline, as in `4:3`.
            (4, Some(shape)) => (number(shape)? <= 5).then_some(())?,
            (_, Some(_)) => return None,
            (_, None) => {}
        }
        let attribute = match code {
            0 => {
                *self = Self::default();
                return Some(());
            }
            1 | 22 => 0,
            2 => 1,
            3 | 23 => 2,
            4 | 21 | 24 => 3,
            5 | 6 | 25 => 4,
            7 | 27 => 5,
            9 | 29 => 6,
            53 | 55 => 7,
            30..=39 | 90..=97 => 8,
            40..=49 | 100..=107 => 9,
            58 | 59 => 10,
            _ => return None,
        };
        let off = matches!(code, 22..=29 | 39 | 49 | 55 | 59);
        self.attributes[attribute] = if off { "" } else { param };
        if code == 22 {
            self.attributes[1] = "";
        }
        Some(())
    }
}

/// Returns how many semicolon-separated parts the first parameter has: `38;5;1` is one colour.
fn parts(params: &str) -> Option<usize> {
    let mut parts = params.split(';');
    match parts.next()? {
        "38" | "48" | "58" => match parts.next()? {
            "5" => Some(3),
            "2" => Some(5),
            _ => None,
        },
        _ => Some(1),
    }
}

/// Returns whether this is `38;5;n`, `38;2;r;g;b`, the same with colons, or `38:2:space:r:g:b` (ITU-T T.416 13.1.8).
fn is_colour(param: &str) -> bool {
    let mixed = param.contains(';') && param.contains(':');
    let numbers = param.split([';', ':']).map(number);
    let kind = numbers.clone().nth(1).flatten();
    !mixed
        && numbers.clone().all(|it| it.is_some())
        && matches!((kind, numbers.count()), (Some(5), 3) | (Some(2), 5 | 6))
}

/// Parses a number of SGR, 0 to 255; an empty one is 0.
fn number(digits: &str) -> Option<u8> {
    match digits.len() {
        0 => Some(0),
        1..=3 => digits.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_attributes_pass_unchanged() {
        for params in [
            "",
            "0",
            ";",
            "1;31",
            "01;31",
            "22;39;49",
            "38;5;8",
            "38;2;8;8;8;48;5;0;1",
            "38:2::1:2:3",
            "38:2:1:2:3",
            "58:5:8",
            "4:3",
            "97;107",
            &";".repeat(23),
        ] {
            let text = format!("\x1b[{params}m");
            assert_eq!(sequence(&format!("{text}m")), Some(&*text));
        }
    }

    #[test]
    fn hiding_ambiguous_and_unresettable_sequences_are_refused() {
        for params in [
            "8",
            "08",
            "1;8",
            "0;8;0",
            "8:1",
            "4:8",
            "1:8",
            "10",
            "11",
            "12",
            "38",
            "38;8",
            "38;5",
            "38;5;256",
            "038;5;8",
            "38;2;1;2",
            "38;2;1:8;2;3",
            "38:5;8",
            "38;5:8",
            "38:2:0:0:0:0:0",
            "38;5;1;8",
            "300",
            "0001",
            "?1",
            ">4;1",
            "1 ",
            "1\x1b",
            "1\r",
            &";".repeat(24),
            "001;001;001;001;001;001;001;001;001;001;001;001;001;001;001;001;1",
        ] {
            assert_eq!(sequence(&format!("\x1b[{params}m")), None, "{params:?}");
        }
        for text in ["\x1b[31", "\x1b[", "\x1b", "", "[31m", "\x1b[31K"] {
            assert_eq!(sequence(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_style_is_the_sum_of_its_sequences() {
        let begun = |sequences: &[&'static str]| {
            let mut style = sequences
                .iter()
                .try_fold(Style::default(), |style, it| style.after(it))
                .unwrap();
            let mut out = String::new();
            style.begin(&mut out);
            out
        };
        assert_eq!(
            begun(&["\x1b[1;31m", "\x1b[38;5;9;4m"]),
            "\x1b[1m\x1b[4m\x1b[38;5;9m"
        );
        assert_eq!(begun(&["\x1b[1;2;31m", "\x1b[22;39m"]), "");
        assert_eq!(begun(&["\x1b[1m", "\x1b[31;0m", "\x1b[3m"]), "\x1b[3m");
    }
}
