//! What a single line of an event stream is.

use std::time::Duration;

use memchr::{memchr, memchr2};

/// What to do with a line.
pub(super) enum Verdict {
    Pass,
    /// Belongs to no event, so any number of them may stand in one.
    Comment,
    Drop,
    /// An event name that is empty.
    Nameless,
    Blank,
    /// An event ID, which begins there.
    Id(usize),
    /// A reconnection time.
    Retry(Duration),
}

/// Decides on one line without its end.
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

/// Where the value of the field `name` begins; `None` where the line is another field's.
pub(super) fn value(line: &[u8], name: &[u8]) -> Option<usize> {
    match line.strip_prefix(name)? {
        [] => Some(line.len()),
        [b':', b' ', ..] => Some(name.len() + 2),
        [b':', ..] => Some(name.len() + 1),
        _ => None,
    }
}

/// Only digits count (WHATWG HTML 9.2.6); a number beyond all bounds is the greatest.
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

/// The lines of text that ends with a line end, whichever it is.
pub(super) fn lines(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = memchr2(b'\n', b'\r', text)?;
        let line = &text[..end];
        let crlf = text[end..].starts_with(b"\r\n");
        text = &text[end + 1 + usize::from(crlf)..];
        Some(line)
    })
}
