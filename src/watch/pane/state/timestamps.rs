//! Times as they are shown, and when they change.

use std::time::Duration;

/// Width of a record's time, in columns.
pub const WIDTH: u16 = 12;

/// What the time column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Nothing.
    Off,
    /// The time of day.
    Clock,
    /// Time since the first message.
    SinceStart,
    /// Time since the message above.
    SincePrevious,
}

impl Times {
    /// Returns the next setting, for the key that cycles through them.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Off => Self::Clock,
            Self::Clock => Self::SinceStart,
            Self::SinceStart => Self::SincePrevious,
            Self::SincePrevious => Self::Off,
        }
    }

    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "no times",
            Self::Clock => "time of day",
            Self::SinceStart => "time since the start",
            Self::SincePrevious => "time since the previous message",
        }
    }
}

/// Formats a time difference: `+1.234`, `+1:02:03.456`. It is negative if a clock was set back.
#[must_use]
pub fn offset(millis: i64) -> String {
    let sign = if millis < 0 { '-' } else { '+' };
    let millis = millis.unsigned_abs();
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (minutes, second) = (seconds / 60, seconds % 60);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{second}.{millis:03}"),
        (0, minute) => format!("{sign}{minute}:{second:02}.{millis:03}"),
        (hours @ 1..=99, minute) => {
            format!("{sign}{hours}:{minute:02}:{second:02}.{:01}", millis / 100)
        }
        (hours, _) => format!("{sign}{} d {} h", hours / 24, hours % 24),
    }
}

/// Formats a position in a recording: `00:05`, `1:02:03`.
#[must_use]
pub fn position(at: Duration) -> String {
    let seconds = at.as_secs();
    let (minutes, second) = (seconds / 60, seconds % 60);
    match (minutes / 60, minutes % 60) {
        (0, minute) => format!("{minute:02}:{second:02}"),
        (hours, minute) => format!("{hours}:{minute:02}:{second:02}"),
    }
}

/// Formats an age: in seconds, then minutes, then hours.
#[must_use]
pub fn age(ago: Duration) -> String {
    let seconds = ago.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// Returns how long until [`age`] changes.
#[must_use]
pub fn age_changes(ago: Duration) -> Duration {
    let step = match ago.as_secs() {
        0..60 => 1,
        60..3600 => 60,
        _ => 3600,
    };
    Duration::from_secs((ago.as_secs() / step + 1) * step).saturating_sub(ago)
}

/// Returns how long until a countdown in whole seconds changes.
#[must_use]
pub fn countdown_changes(left: Duration) -> Duration {
    match left.subsec_nanos() {
        0 => Duration::from_secs(1).min(left),
        nanos => Duration::from_nanos(nanos.into()),
    }
}

/// Returns how long until the next full second.
#[must_use]
pub fn until_next_second(now: Duration) -> Duration {
    Duration::from_secs(1).saturating_sub(Duration::from_nanos(now.subsec_nanos().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_readable_units() {
        for (millis, text) in [
            (0, "+0.000"),
            (-1_234, "-1.234"),
            (61_002, "+1:01.002"),
            (3_723_456, "+1:02:03.4"),
            (400_000_000, "+4 d 15 h"),
        ] {
            assert_eq!(offset(millis), text);
        }
        for (seconds, text) in [(5, "00:05"), (3599, "59:59"), (3723, "1:02:03")] {
            assert_eq!(position(Duration::from_secs(seconds)), text);
        }
        assert_eq!(age(Duration::from_secs(59)), "59 s");
        assert_eq!(age(Duration::from_secs(119)), "1 min");
    }

    #[test]
    fn the_next_change_is_when_the_text_changes() {
        for millis in [0, 1, 999, 59_999, 60_000, 61_500, 3_599_999, 3_600_001] {
            let ago = Duration::from_millis(millis);
            let wait = age_changes(ago);
            assert_ne!(age(ago + wait), age(ago), "{millis}");
            assert_eq!(
                age(ago + wait.saturating_sub(Duration::from_millis(1))),
                age(ago),
                "{millis}"
            );
        }
        let left = Duration::from_millis(2300);
        assert_eq!(countdown_changes(left), Duration::from_millis(300));
    }
}
