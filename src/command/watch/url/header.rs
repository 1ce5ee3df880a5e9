//! Headers in the form of curl's `-H`.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, anyhow};
use reqwest::header::{HeaderName, HeaderValue};

use super::{HEADERS_MAX, open, read_at_most};

/// The error for a malformed header.
const FORM: &str = "a header is written 'Name: value'";

/// A header; its value is `None` if it is left out of the request.
type Header = (HeaderName, Option<HeaderValue>);

/// One `-H`. Its text may be secret, and is not printed.
#[derive(Clone)]
pub(super) enum HeaderArg {
    Header(HeaderName, Option<HeaderValue>),
    File(PathBuf),
    Stdin,
}

impl std::fmt::Debug for HeaderArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeaderArg")
    }
}

impl FromStr for HeaderArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.strip_prefix('@') {
            Some("-") => Ok(Self::Stdin),
            Some(path) => Ok(Self::File(path.into())),
            None => header(text).map(|(name, value)| Self::Header(name, value)),
        }
    }
}

/// Parses `Name: value`, `Name:` for a header that is left out, or `Name;` for an empty one.
fn header(text: &str) -> Result<Header, &'static str> {
    let (name, value) = match (text.split_once(':'), text.strip_suffix(';')) {
        (Some((name, value)), _) => (name, Some(value.trim()).filter(|it| !it.is_empty())),
        (None, Some(name)) => (name, Some("")),
        (None, None) => return Err(FORM),
    };
    let name = name.trim().parse().map_err(|_| FORM)?;
    // Control characters, above all line ends, could begin another header.
    let value = value.map(|it| HeaderValue::from_bytes(it.as_bytes()));
    Ok((name, value.transpose().map_err(|_| FORM)?))
}

impl HeaderArg {
    pub(super) fn is_stdin(&self) -> bool {
        matches!(self, Self::Stdin)
    }

    /// Returns the headers: one, or those of a file, one per line.
    pub(super) fn read(&self) -> anyhow::Result<Vec<Header>> {
        let (source, place): (Box<dyn io::Read>, String) = match self {
            Self::Header(name, value) => return Ok(vec![(name.clone(), value.clone())]),
            Self::File(path) => (Box::new(open(path, "headers")?), path.display().to_string()),
            Self::Stdin => (Box::new(io::stdin()), "stdin".into()),
        };
        let text = read_at_most(source, HEADERS_MAX);
        let text = text.with_context(|| format!("read headers from {place}"))?;
        let text = String::from_utf8_lossy(&text);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let lines = text.lines().enumerate();
        let lines = lines.filter(|(_, line)| !line.trim().is_empty());
        lines
            .map(|(at, line)| {
                header(line).map_err(|why| anyhow!("line {} of {place}: {why}", at + 1))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_a_value_is_left_out_or_is_empty() {
        let read = |text| {
            let (name, value) = header(text).unwrap();
            let value = value.map(|it| String::from_utf8(it.as_bytes().into()).unwrap());
            (name.as_str().to_owned(), value)
        };
        assert_eq!(read("X-A: b: c "), ("x-a".into(), Some("b: c".into())));
        assert_eq!(read("Accept:"), ("accept".into(), None));
        assert_eq!(read("X-Empty;"), ("x-empty".into(), Some(String::new())));
        assert_eq!(read("X: grüß"), ("x".into(), Some("grüß".into())));
        for bad in ["nocolon", "", ": v", "a b: c", "X: a\r\nY: b", "X: a\0"] {
            assert_eq!(header(bad), Err(FORM), "{bad:?}");
        }
    }
}
