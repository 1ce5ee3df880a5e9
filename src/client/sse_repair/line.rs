//! Single lines of an event stream.

use std::time::Duration;

use memchr::{memchr, memchr2};

/// What to do with a line.
pub(super) enum Verdict {
    Pass,
    /// Not part of an event, so it does not count towards its length.
    Comment,
    Drop,
    /// An empty event name.
    Nameless,
    Blank,
    /// An event ID, which begins at this position.
    Id(usize),
    /// A reconnection time.
    Retry(Duration),
}

/// Classifies a line, without its line end.
pub(super) fn judge(line: &[u8]) -> Verdict {
    match line.first() {
        None => Verdict::Blank,
        Some(b':') => Verdict::Comment,
        Some(b'd') => value(line, b"data").map_or(Verdict::Drop, |_| Verdict::Pass),
        Some(b'e') => match value(line, b"event") {
            None => Verdict::Drop,
            Some(at) if at == line.len() => Verdict::Nameless,
            Some(_) => Verdict::Pass,
        },
        Some(b'i') => match value(line, b"id") {
            Some(at) if memchr(0, &line[at..]).is_none() => Verdict::Id(at),
            _ => Verdict::Drop,
        },
        Some(b'r') => value(line, b"retry")
            .and_then(|at| milliseconds(&line[at..]))
            .map_or(Verdict::Drop, Verdict::Retry),
        Some(_) => Verdict::Drop,
    }
}

/// Returns the position of the value if the line is the field `name`.
pub(super) fn value(line: &[u8], name: &[u8]) -> Option<usize> {
    match line.strip_prefix(name)? {
        [] => Some(line.len()),
        [b':', b' ', ..] => Some(name.len() + 2),
        [b':', ..] => Some(name.len() + 1),
        _ => None,
    }
}

/// Parses a reconnection time, which has only digits (WHATWG HTML 9.2.6). An overflow gives the greatest number.
fn milliseconds(digits: &[u8]) -> Option<Duration> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0u64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    Some(Duration::from_millis(value))
}

/// Returns the lines of a text that ends with CR, LF or CRLF.
pub(super) fn lines(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = memchr2(b'\n', b'\r', text)?;
        let line = &text[..end];
        let crlf = text[end..].starts_with(b"\r\n");
        text = &text[end + 1 + usize::from(crlf)..];
        Some(line)
    })
}
