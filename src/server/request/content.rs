//! The body's type in a request's head: the kind of message, the charset, and the coding.

use axum::http::{HeaderMap, header};
use encoding_rs::{Encoding, REPLACEMENT, UTF_8};

use crate::server::problem::{Problem, ProblemKind};
use crate::wire;

/// Upper bound of a charset that an error quotes, in characters.
const CHARSET_SHOWN: usize = 40;

/// The kind of a body, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum BodyKind {
    Text,
    Json,
    Ndjson,
}

/// A body's content type: its kind and its charset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Content {
    pub(in crate::server) kind: BodyKind,
    pub(in crate::server) charset: &'static Encoding,
}

impl Content {
    /// Parses `Content-Type`, and checks that the body is not compressed.
    pub(in crate::server) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let value = headers.get(header::CONTENT_TYPE);
        let content = Self::of_type(value.map(|it| it.to_str().unwrap_or_default()))?;
        check_coding(headers)?;
        Ok(content)
    }

    /// Parses the value of the header `Content-Type`.
    pub(in crate::server) fn of_type(value: Option<&str>) -> Result<Self, Problem> {
        let Some(value) = value else {
            return Ok(Self {
                kind: BodyKind::Text,
                charset: UTF_8,
            });
        };
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        let kind = kind(essence.trim())?;
        let charset = match charset(parameters) {
            Some(label) => known_charset(&label)?,
            None => UTF_8,
        };
        if kind == BodyKind::Ndjson && charset != UTF_8 {
            return Err(ProblemKind::LinesNotUtf8(charset.name()).into());
        }
        Ok(Self { kind, charset })
    }
}

fn kind(essence: &str) -> Result<BodyKind, Problem> {
    let is = |name: &str| essence.eq_ignore_ascii_case(name);
    let main = essence.split('/').next().unwrap_or_default();
    if is(wire::JSON) {
        Ok(BodyKind::Json)
    } else if is(wire::NDJSON) || wire::NDJSON_ALIASES.into_iter().any(is) {
        Ok(BodyKind::Ndjson)
    } else if main.len() < essence.len() && main.eq_ignore_ascii_case("multipart") {
        Err(ProblemKind::Multipart.into())
    } else {
        Ok(BodyKind::Text)
    }
}

/// Returns the first parameter `charset` that is not empty. A quoted value may contain semicolons (RFC 9110, 5.6.6).
fn charset(mut parameters: &str) -> Option<String> {
    while !parameters.is_empty() {
        let end = parameters.find(['=', ';']).unwrap_or(parameters.len());
        let name = parameters[..end].trim();
        let (value, rest) = match parameters[end..].strip_prefix('=') {
            Some(value) => parameter_value(value),
            None => (String::new(), &parameters[end..]),
        };
        if name.eq_ignore_ascii_case("charset") && !value.is_empty() {
            return Some(value);
        }
        parameters = rest.strip_prefix(';').unwrap_or(rest);
    }
    None
}

/// Returns a parameter's value, and what follows it, from its semicolon on.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.trim_start().strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find(';').unwrap_or(text.len()));
        return (value.trim().into(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let rest = &quoted[at + 1..];
                let value = value.trim().to_owned();
                return (value, &rest[rest.find(';').unwrap_or(rest.len())..]);
            }
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

/// Returns the charset with this name. Charsets that the standard decodes to U+FFFD for safety count as unknown.
fn known_charset(label: &str) -> Result<&'static Encoding, Problem> {
    Encoding::for_label(label.as_bytes())
        .filter(|it| *it != REPLACEMENT)
        .ok_or_else(|| {
            let shown = label.chars().take(CHARSET_SHOWN).collect();
            ProblemKind::CharsetUnknown(shown).into()
        })
}

/// Checks that the body is not compressed; `identity` means that it is not (RFC 9110, 8.4).
fn check_coding(headers: &HeaderMap) -> Result<(), Problem> {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut codings = codings.flat_map(|it| it.as_bytes().split(|byte| *byte == b','));
    let is_none = |it: &[u8]| {
        let name = it.trim_ascii();
        name.is_empty() || name.eq_ignore_ascii_case(b"identity")
    };
    if codings.all(is_none) {
        Ok(())
    } else {
        Err(ProblemKind::ContentCoding.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(value: &str) -> Option<(BodyKind, &'static str)> {
        let content = Content::of_type(Some(value)).ok()?;
        Some((content.kind, content.charset.name()))
    }

    #[test]
    fn a_charset_is_found_in_every_valid_position() {
        for (value, name) in [
            ("text/plain", "UTF-8"),
            ("text/plain;charset=utf8", "UTF-8"),
            ("text/plain; CharSet = Latin1", "windows-1252"),
            ("text/plain; charset=\"utf-16le\"", "UTF-16LE"),
            ("text/plain; charset=\"\\utf-16\\le\"", "UTF-16LE"),
            ("text/plain; charset=; charset=shift_jis", "Shift_JIS"),
            ("text/plain; a=\"; charset=koi8-r\"", "UTF-8"),
            ("text/plain; a=\"b\" x; charset=koi8-r", "KOI8-R"),
            ("text/plain; format=flowed; charset=koi8-r;", "KOI8-R"),
            ("text/plain; xcharset=koi8-r", "UTF-8"),
            ("text/plain; charset", "UTF-8"),
            ("text/plain; charset=\"utf-8", "UTF-8"),
            (";;;", "UTF-8"),
            ("", "UTF-8"),
        ] {
            assert_eq!(content(value), Some((BodyKind::Text, name)), "{value}");
        }
        for value in ["utf-7", "utf-32", "iso-2022-kr", "hz-gb-2312", "nonsense"] {
            assert_eq!(content(&format!("text/plain; charset={value}")), None);
        }
    }

    #[test]
    fn every_name_of_ndjson_is_known_and_is_utf_8() {
        let lines = Some((BodyKind::Ndjson, "UTF-8"));
        for name in ["x-ndjson", "ndjson", "jsonl", "json-lines", "X-JsonLines"] {
            assert_eq!(content(&format!("application/{name}")), lines);
            assert_eq!(
                content(&format!("application/{name}; charset=UTF-8")),
                lines
            );
            assert_eq!(
                content(&format!("application/{name}; charset=utf-16")),
                None
            );
        }
        let json = Some((BodyKind::Json, "UTF-16LE"));
        assert_eq!(content("application/json; charset=utf-16"), json);
    }
}
