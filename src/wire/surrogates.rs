//! Halves of surrogate pairs. JSON can spell one (`\ud83d`) where a program cut a character in two or met a
//! stray byte; no text can hold it.

/// How many characters an escape such as `\ud83d` has.
const ESCAPE: usize = 6;

/// Reads JSON, and only if that fails, once more with U+FFFD in the place of each half of a pair.
pub(super) fn reading<T, E>(json: &str, read: impl Fn(&str) -> Result<T, E>) -> Result<T, E> {
    read(json).or_else(|error| match mended(json) {
        Some(json) => read(&json),
        None => Err(error),
    })
}

/// The same JSON with U+FFFD in the place of each half of a pair; `None` if there is none.
pub(super) fn mended(json: &str) -> Option<String> {
    let mut mended: Option<String> = None;
    let mut at = 0;
    while let Some(next) = json.get(at..).and_then(|it| it.find('\\')) {
        at += next;
        // Only ASCII is passed over, so that no character is cut.
        at += match (unit(json, at), unit(json, at + ESCAPE)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 2 * ESCAPE,
            (Some(0xd800..=0xdfff), _) => {
                let mended = mended.get_or_insert_with(|| json.into());
                mended.replace_range(at..at + ESCAPE, "\\ufffd");
                ESCAPE
            }
            (Some(_), _) => ESCAPE,
            // An escaped character may be a backslash.
            (None, _) => 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    mended
}

/// The unit of UTF-16 that is spelt at this place.
fn unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + ESCAPE)?.strip_prefix("\\u")?;
    let are_digits = digits.bytes().all(|it| it.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| are_digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_pair_is_replaced_and_all_else_stays() {
        for (json, expected) in [
            (r#""cut \ud83d""#, "cut \u{fffd}"),
            (r#""\uDce9.txt""#, "\u{fffd}.txt"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83dü\n""#, "\u{fffd}ü\n"),
            (r#""\\ud83d\udead""#, "\\ud83d\u{fffd}"),
        ] {
            let mended = mended(json).unwrap();
            assert_eq!(serde_json::from_str::<String>(&mended).unwrap(), expected);
        }
        for json in [
            r#""\ud83d\ude00 \u00fc""#,
            r#""\\ud83d""#,
            "\"",
            "\\",
            "\\ü",
            "\\ud8",
        ] {
            assert_eq!(mended(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn whatever_escapes_there_are_the_string_can_be_read(
            parts in prop::collection::vec(prop::sample::select(vec![
                r"\ud800", r"\uDBFF", r"\udc00", r"\uDFFF", r"\u0041", r"\\", r"\n", "ü", "u", "d8",
            ]), 0..12)
        ) {
            let json = format!("\"{}\"", parts.concat());
            let read = reading(&json, |json| serde_json::from_str::<String>(json));
            prop_assert!(read.is_ok(), "{json}");
        }
    }
}
