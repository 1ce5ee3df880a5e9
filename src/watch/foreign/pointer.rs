//! JSON Pointers (RFC 6901).

use std::str::FromStr;

use thiserror::Error;

use crate::wire::json;

/// A place in a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    text: Box<str>,
    path: Vec<String>,
}

/// Why a text is not a pointer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadPointer {
    /// It does not begin with a slash.
    #[error("a JSON Pointer begins with /, such as /a/b")]
    NoSlash,
    /// A tilde that does not begin an escape.
    #[error("in a JSON Pointer, ~ is written ~0, and / within a name ~1")]
    Tilde,
}

impl FromStr for Pointer {
    type Err = BadPointer;

    fn from_str(text: &str) -> Result<Self, BadPointer> {
        let path = text.strip_prefix('/').ok_or(BadPointer::NoSlash)?;
        let mut escapes = text.split('~').skip(1);
        if escapes.any(|it| !it.starts_with(['0', '1'])) {
            return Err(BadPointer::Tilde);
        }
        let names = path
            .split('/')
            .map(|it| it.replace("~1", "/").replace("~0", "~"));
        Ok(Self {
            path: names.collect(),
            text: text.into(),
        })
    }
}

impl Pointer {
    /// Returns the pointer as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the value there: a string's text, nothing for null, anything else as JSON without white space.
    #[must_use]
    pub fn find(&self, document: &str) -> Option<String> {
        let found = json::find(document, &self.path)?;
        if found.starts_with('"') {
            return json::parse_text(found);
        }
        (found != "null").then(|| json::compact(found).unwrap_or_else(|| found.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_goes_through_objects_and_arrays() {
        let document =
            r#"{"a": [{"b/c": "x\ty", "d": { "n": 12345678901234567890.10, "a": 1 }}], "~": null}"#;
        let find = |text: &str| text.parse::<Pointer>().unwrap().find(document);
        assert_eq!(find("/a/0/b~1c").as_deref(), Some("x\ty"));
        let exact = r#"{"n":12345678901234567890.10,"a":1}"#;
        assert_eq!(find("/a/0/d").as_deref(), Some(exact));
        assert_eq!(find("/a/0/d/n").as_deref(), Some("12345678901234567890.10"));
        assert_eq!(find("/~0"), None, "null is nothing");
        assert_eq!(find("/a/1"), None);
        assert_eq!(find("/a/0/d/n/x"), None);
        assert_eq!("a.b".parse::<Pointer>(), Err(BadPointer::NoSlash));
        assert_eq!("".parse::<Pointer>(), Err(BadPointer::NoSlash));
        assert_eq!("/~2".parse::<Pointer>(), Err(BadPointer::Tilde));
    }
}
