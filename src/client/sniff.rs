//! Detects an event stream without the right content type by its first bytes.

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt};

/// Upper bound of the blank lines before the first field.
const BLANK_MAX: usize = 1024;
const BOM: &[u8] = b"\xEF\xBB\xBF";
/// What a line of an event stream may begin with, besides a comment's colon.
const FIELDS: [&str; 4] = ["data", "event", "id", "retry"];

/// The kind of a body.
pub(super) enum Sniffed<E> {
    /// It begins with a field or a comment of an event stream.
    Stream(BoxStream<'static, Result<Bytes, E>>),
    /// Any other body, with its start.
    Other(Bytes),
}

/// Reads as much of a body as is needed to detect its kind.
///
/// # Errors
/// The body's error, if it breaks off before that.
pub(super) async fn sniffed<E: Send + 'static>(
    mut body: BoxStream<'static, Result<Bytes, E>>,
) -> Result<Sniffed<E>, E> {
    let mut start = BytesMut::new();
    loop {
        match is_event_stream(&start) {
            Some(true) => {
                let start = stream::once(async { Ok(start.freeze()) });
                return Ok(Sniffed::Stream(start.chain(body).boxed()));
            }
            Some(false) => return Ok(Sniffed::Other(start.freeze())),
            None => match body.next().await {
                Some(chunk) => start.extend_from_slice(&chunk?),
                None => return Ok(Sniffed::Other(start.freeze())),
            },
        }
    }
}

/// Returns `None` if these first bytes are not enough.
fn is_event_stream(start: &[u8]) -> Option<bool> {
    if start.len() < BOM.len() && BOM.starts_with(start) {
        return None;
    }
    let text = start.strip_prefix(BOM).unwrap_or(start);
    let blank = text.iter().take_while(|it| matches!(it, b'\r' | b'\n'));
    let blank = blank.count();
    let line = &text[blank..];
    if line.is_empty() {
        return (blank > BLANK_MAX).then_some(false);
    }
    let is_end = |it: &u8| matches!(it, b':' | b'\r' | b'\n');
    let Some(end) = line.iter().position(is_end) else {
        let may_become = |it: &&str| it.as_bytes().starts_with(line);
        return (!FIELDS.iter().any(may_become)).then_some(false);
    };
    let name = &line[..end];
    let is_comment = name.is_empty();
    Some(is_comment || FIELDS.iter().any(|it| it.as_bytes() == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stream_is_known_by_its_first_line() {
        for (start, is) in [
            ("data: x", Some(true)),
            (": ok", Some(true)),
            ("\u{feff}\r\n\nid:7", Some(true)),
            ("event\n", Some(true)),
            ("ret", None),
            ("data", None),
            ("", None),
            ("\n\n", None),
            ("<html>", Some(false)),
            ("{\"a\":1}", Some(false)),
            ("database: x", Some(false)),
            ("name: x", Some(false)),
        ] {
            assert_eq!(is_event_stream(start.as_bytes()), is, "{start:?}");
        }
        assert_eq!(is_event_stream(&[b'\n'; BLANK_MAX + 1]), Some(false));
    }

    #[tokio::test]
    async fn the_bytes_that_were_inspected_come_first() {
        let chunks = ["da", "ta: 1\n", "\n"].map(|it| Ok::<_, ()>(Bytes::from(it)));
        let Ok(Sniffed::Stream(body)) = sniffed(stream::iter(chunks).boxed()).await else {
            panic!("no stream");
        };
        let all: Vec<_> = body.map(Result::unwrap).collect().await;
        assert_eq!(all.concat(), b"data: 1\n\n");
        let chunks = ["<!doc", "type>"].map(|it| Ok::<_, ()>(Bytes::from(it)));
        let other = sniffed(stream::iter(chunks).boxed()).await;
        assert!(matches!(other, Ok(Sniffed::Other(start)) if start == "<!doc"));
        let chunks = [Ok(Bytes::from("da")), Err("cut")];
        let cut = sniffed(stream::iter(chunks).boxed()).await;
        assert!(matches!(cut, Err("cut")));
    }
}
