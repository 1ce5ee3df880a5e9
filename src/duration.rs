//! Durations as people read them.

use std::time::Duration;

/// In seconds, or in minutes from 60 s: `0.3 s`, `4 s`, `1m 30s`.
pub(crate) fn in_seconds(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    match (tenths / 10, tenths % 10) {
        (60.., _) => {
            humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
        }
        (seconds, 0) => format!("{seconds} s"),
        (seconds, tenth) => format!("{seconds}.{tenth} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_to_read() {
        for (millis, text) in [
            (0, "0 s"),
            (260, "0.3 s"),
            (1300, "1.3 s"),
            (4000, "4 s"),
            (90_400, "1m 30s"),
        ] {
            assert_eq!(in_seconds(Duration::from_millis(millis)), text);
        }
    }
}
