//! Heartbeats of a server that is not codechat's: comments, or events called `ping`, at regular intervals.
//!
//! A server may be silent for as long as it likes, so silence means nothing until it has shown its interval.

use std::time::{Duration, Instant};

/// Lower bound of the interval.
const SHORTEST: Duration = Duration::from_secs(1);
/// Upper bound of the ratio of two intervals that count as regular.
const REGULAR: f64 = 1.5;
/// The permitted silence as a multiple of the longest interval, and its lower bound.
const INTERVALS: f64 = 2.5;
const SILENCE_MIN: Duration = Duration::from_secs(10);

/// The heartbeats of one connection.
#[derive(Debug, Default)]
pub(super) struct Beats {
    last: Option<Instant>,
    /// The interval between the last two.
    interval: Option<Duration>,
    /// The longest of the regular intervals; `None` before there are two.
    longest: Option<Duration>,
}

impl Beats {
    /// Notes a heartbeat.
    pub(super) fn beat(&mut self, now: Instant) {
        let interval = self.last.replace(now).map(|it| now - it);
        let before = std::mem::replace(&mut self.interval, interval);
        let (Some(one), Some(other)) = (before, interval) else {
            return;
        };
        let (shorter, longer) = (one.min(other), one.max(other));
        if shorter >= SHORTEST && longer <= shorter.mul_f64(REGULAR) {
            self.longest = self.longest.max(Some(longer));
        }
    }

    /// Returns after how long in silence the connection counts as dead; `None` if that is not known.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.longest
            .map(|it| it.mul_f64(INTERVALS).max(SILENCE_MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the permitted silence after heartbeats at these times, in seconds.
    fn silence(times: &[f64]) -> Option<f64> {
        let (mut beats, start) = (Beats::default(), Instant::now());
        for time in times {
            beats.beat(start + Duration::from_secs_f64(*time));
        }
        beats.silence().map(|it| it.as_secs_f64())
    }

    #[test]
    fn three_heartbeats_at_regular_intervals_limit_the_silence() {
        assert_eq!(silence(&[]), None);
        assert_eq!(
            silence(&[0.0]),
            None,
            "one comment at the start proves nothing"
        );
        assert_eq!(silence(&[0.0, 15.0]), None);
        assert_eq!(silence(&[0.0, 15.0, 30.0]), Some(37.5));
        assert_eq!(
            silence(&[0.0, 15.0, 35.0]),
            Some(50.0),
            "the longest counts"
        );
        assert_eq!(silence(&[0.0, 2.0, 4.0]), Some(10.0));
        assert_eq!(silence(&[0.0, 0.1, 0.2]), None, "too fast for beats");
        assert_eq!(silence(&[0.0, 15.0, 60.0]), None, "not even");
    }
}
