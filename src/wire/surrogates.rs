//! Unpaired surrogates. JSON can contain one (`\ud83d`) if a program split a character or met a stray byte; no text
//! can.

/// Length of an escape such as `\ud83d`, in characters.
const ESCAPE: usize = 6;

/// Parses JSON, and if that fails, once more with U+FFFD in the place of each unpaired surrogate.
pub(super) fn parse_repaired<T, E>(
    json: &str,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<T, E> {
    read(json).or_else(|error| match repaired(json) {
        Some(json) => read(&json),
        None => Err(error),
    })
}

/// Returns the JSON with U+FFFD in the place of each unpaired surrogate; `None` if there is none.
pub(super) fn repaired(json: &str) -> Option<String> {
    let mut repaired: Option<String> = None;
    let mut at = 0;
    while let Some(next) = json.get(at..).and_then(|it| it.find('\\')) {
        at += next;
        // Only ASCII is skipped byte by byte, so that no character is split.
        at += match (unit(json, at), unit(json, at + ESCAPE)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 2 * ESCAPE,
            (Some(0xd800..=0xdfff), _) => {
                let repaired = repaired.get_or_insert_with(|| json.into());
                repaired.replace_range(at..at + ESCAPE, "\\ufffd");
                ESCAPE
            }
            (Some(_), _) => ESCAPE,
            // An escaped character may be a backslash.
            (None, _) => 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    repaired
}

/// Returns the UTF-16 unit that is escaped at this place.
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
    fn half_a_pair_is_replaced_and_the_rest_is_unchanged() {
        for (json, expected) in [
            (r#""cut \ud83d""#, "cut \u{fffd}"),
            (r#""\uDce9.txt""#, "\u{fffd}.txt"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83dü\n""#, "\u{fffd}ü\n"),
            (r#""\\ud83d\udead""#, "\\ud83d\u{fffd}"),
        ] {
            let repaired = repaired(json).unwrap();
            assert_eq!(serde_json::from_str::<String>(&repaired).unwrap(), expected);
        }
        for json in [
            r#""\ud83d\ude00 \u00fc""#,
            r#""\\ud83d""#,
            "\"",
            "\\",
            "\\ü",
            "\\ud8",
        ] {
            assert_eq!(repaired(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn a_string_with_any_escapes_can_be_read(
            parts in prop::collection::vec(prop::sample::select(vec![
                r"\ud800", r"\uDBFF", r"\udc00", r"\uDFFF", r"\u0041", r"\\", r"\n", "ü", "u", "d8",
            ]), 0..12)
        ) {
            let json = format!("\"{}\"", parts.concat());
            let read = parse_repaired(&json, |json| serde_json::from_str::<String>(json));
            prop_assert!(read.is_ok(), "{json}");
        }
    }
}
