//! Timestamps in events.

use serde_json::Value;

use crate::event::UnixMillis;

/// Parses a timestamp: RFC 3339, or seconds, milliseconds, microseconds or nanoseconds since 1970. A number's size
/// tells its unit.
pub(super) fn of(value: &Value) -> Option<UnixMillis> {
    match value {
        Value::String(text) => {
            let time: jiff::Timestamp = text.parse().ok()?;
            u64::try_from(time.as_millisecond()).ok()
        }
        Value::Number(number) => of_number(number.as_f64()?),
        _ => None,
    }
}

fn of_number(number: f64) -> Option<UnixMillis> {
    /// Below this, a number is in seconds: as milliseconds it would be a day in 1973, as seconds it is the year 5138.
    /// The other units follow in steps of a thousand.
    const SECONDS_END: f64 = 1e11;
    let millis = if number < SECONDS_END {
        number * 1e3
    } else if number < SECONDS_END * 1e3 {
        number
    } else if number < SECONDS_END * 1e6 {
        number / 1e3
    } else {
        number / 1e6
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "above 0, and a number too large for a time is cut to the largest"
    )]
    (millis > 0.0).then_some(millis.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_times_unit_is_inferred_from_its_size() {
        for (json, millis) in [
            ("1732262400.123", Some(1_732_262_400_123)),
            ("1732262400123", Some(1_732_262_400_123)),
            ("1732262400123000", Some(1_732_262_400_123)),
            ("1732262400123000000", Some(1_732_262_400_123)),
            ("\"2024-11-22T08:00:00.123Z\"", Some(1_732_262_400_123)),
            ("\"2024-11-22T09:00:00.123+01:00\"", Some(1_732_262_400_123)),
            ("\"today\"", None),
            ("-1", None),
            ("0", None),
            ("true", None),
        ] {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(of(&value), millis, "{json}");
        }
    }
}
