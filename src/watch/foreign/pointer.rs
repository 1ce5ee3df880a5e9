//! JSON Pointers (RFC 6901).

use std::str::FromStr;

use serde_json::Value;
use thiserror::Error;

/// Where something stands in a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Box<str>);

/// Why a text is no pointer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadPointer {
    /// It does not begin with a slash.
    #[error("a JSON Pointer begins with /, such as /a/b")]
    NoSlash,
    /// A tilde that is not one of the two escapes.
    #[error("in a JSON Pointer ~ is written ~0, and / within a name ~1")]
    Tilde,
}

impl FromStr for Pointer {
    type Err = BadPointer;

    fn from_str(text: &str) -> Result<Self, BadPointer> {
        if !text.starts_with('/') {
            return Err(BadPointer::NoSlash);
        }
        let mut escapes = text.split('~').skip(1);
        if escapes.any(|it| !it.starts_with(['0', '1'])) {
            return Err(BadPointer::Tilde);
        }
        Ok(Self(text.into()))
    }
}

impl Pointer {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands there.
    #[must_use]
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        document.pointer(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_through_objects_and_arrays() {
        let document = serde_json::json!({"a": [{"b/c": 1}], "~": 2});
        let find = |text: &str| text.parse::<Pointer>().unwrap().find(&document).cloned();
        assert_eq!(find("/a/0/b~1c"), Some(1.into()));
        assert_eq!(find("/~0"), Some(2.into()));
        assert_eq!(find("/a/1"), None);
        assert_eq!("a.b".parse::<Pointer>(), Err(BadPointer::NoSlash));
        assert_eq!("".parse::<Pointer>(), Err(BadPointer::NoSlash));
        assert_eq!("/~2".parse::<Pointer>(), Err(BadPointer::Tilde));
    }
}
