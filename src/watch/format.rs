//! Numbers and times as the views show them, as short as possible.

use std::time::Duration;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::operations::OperationState;
use crate::client::subscribe::Received;
use crate::duration;
use crate::event::UnixMillis;
use crate::wire::json::{self, ForeignObject};

/// Shown if the server ran inside another watch, which has ended.
pub const ENDED_BY_OWNER: &str =
    "ended by its owner, whose watch was the server; `codechat serve` starts one that stays";

/// Shown if the server says that the stream is over.
pub const GONE: &str = "the stream has ended";

/// Formats a number with at most two decimals, and commas between thousands.
#[must_use]
pub fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = grouped(whole);
    let rest = rest.trim_end_matches('0');
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out
}

/// Formats a whole number with commas between thousands.
#[must_use]
pub fn count_of(count: u64) -> String {
    grouped(&count.to_string())
}

/// Formats a duration in whole seconds: `4 s`, `1m 30s`.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    duration::in_seconds(Duration::from_secs(duration.as_secs()))
}

/// Formats an operation's progress: `12/40 files`, `45 %`, `3 files`.
#[must_use]
pub fn count(state: &OperationState) -> Option<String> {
    let progress = state.progress()?;
    let current = number(progress.current());
    if progress.unit() == Some("%") {
        return Some(format!("{current} %"));
    }
    let total = progress.total().map(|total| format!("/{}", number(total)));
    let unit = progress.unit().map(|unit| format!(" {unit}"));
    Some(current + &total.unwrap_or_default() + &unit.unwrap_or_default())
}

/// Formats a rate: `3.2/s`, or per minute if it is low.
#[must_use]
pub fn rate(per_second: f64) -> String {
    let tenths = |value: f64| number((value * 10.0).round() / 10.0);
    match per_second {
        10.0.. => format!("{}/s", number(per_second.round())),
        1.0.. => format!("{}/s", tenths(per_second)),
        _ => format!("{}/min", tenths(per_second * 60.0)),
    }
}

/// Cuts a text to `width` columns, with `…` at its end if anything was cut.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for cluster in text.graphemes(true) {
        if out.width() + cluster.width() + "…".width() > width {
            break;
        }
        out.push_str(cluster);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// Returns a message as `--format json` writes it.
#[must_use]
pub fn json_object(received: &Received) -> Vec<u8> {
    let Received {
        id,
        event,
        time,
        message,
        foreign,
    } = received;
    match foreign {
        Some(foreign) => json::foreign_object(ForeignObject {
            received_at: foreign.received_at,
            id,
            event,
            time: *time,
            message,
            data: &foreign.data,
        }),
        None => json::stamped_object(id, *time, message),
    }
}

/// Inserts commas between thousands.
fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats the time of day: `12:34:56.789`.
#[must_use]
pub fn clock(time: UnixMillis, utc_offset: i32) -> String {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let local = i64::try_from(time).unwrap_or(0) + i64::from(utc_offset) * 1000;
    let millis = local.rem_euclid(DAY);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!(
        "{:02}:{:02}:{seconds:02}.{millis:03}",
        minutes / 60,
        minutes % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        for (value, text) in [
            (0.0, "0"),
            (12.0, "12"),
            (0.5, "0.5"),
            (1.0 / 3.0, "0.33"),
            (999.0, "999"),
            (1234.5, "1,234.5"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_rate_is_per_second_or_per_minute() {
        for (value, text) in [
            (1234.4, "1,234/s"),
            (3.24, "3.2/s"),
            (0.5, "30/min"),
            (0.01, "0.6/min"),
        ] {
            assert_eq!(rate(value), text);
        }
    }

    #[test]
    fn a_time_of_day_depends_on_the_utc_offset() {
        assert_eq!(clock(1_732_262_400_123, 0), "08:00:00.123");
        assert_eq!(clock(1_732_262_400_123, -9 * 3600), "23:00:00.123");
    }
}
