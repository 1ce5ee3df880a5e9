//! Signs of life on a stream of a server that is not codechat: comments, or events called `ping`, at even distances.
//!
//! A server may be silent for as long as it likes, so silence says nothing until it has shown how often it beats.

use std::time::{Duration, Instant};

/// The shortest distance: what comes faster is no beat.
const SHORTEST: Duration = Duration::from_secs(1);
/// Distances are even if the longer one is no longer than this many times the shorter one.
const EVEN: f64 = 1.5;
/// How many times the longest distance a silence may last, and the least time that it may.
const DISTANCES: f64 = 2.5;
const SILENCE_MIN: Duration = Duration::from_secs(10);

/// The beats of one connection.
#[derive(Debug, Default)]
pub(super) struct Beats {
    last: Option<Instant>,
    /// Between the last two.
    distance: Option<Duration>,
    /// The longest of those that are even; `None` before two are.
    longest: Option<Duration>,
}

impl Beats {
    /// Notes a beat.
    pub(super) fn beat(&mut self, now: Instant) {
        let distance = self.last.replace(now).map(|it| now - it);
        let before = std::mem::replace(&mut self.distance, distance);
        let (Some(one), Some(other)) = (before, distance) else {
            return;
        };
        let (shorter, longer) = (one.min(other), one.max(other));
        if shorter >= SHORTEST && longer <= shorter.mul_f64(EVEN) {
            self.longest = self.longest.max(Some(longer));
        }
    }

    /// After how long in silence the connection is dead; `None` if that is not known.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.longest
            .map(|it| it.mul_f64(DISTANCES).max(SILENCE_MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The silence after beats at these times, in seconds.
    fn silence(times: &[f64]) -> Option<f64> {
        let (mut beats, start) = (Beats::default(), Instant::now());
        for time in times {
            beats.beat(start + Duration::from_secs_f64(*time));
        }
        beats.silence().map(|it| it.as_secs_f64())
    }

    #[test]
    fn three_beats_at_even_distances_tell_how_long_a_silence_is_too_long() {
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
