//! The recent rate of growth of a number.
//!
//! Messages come in bursts: a replayed log, a flushed buffer. So everything within [`TOGETHER`] is one sample, and the
//! rate is measured between samples, never within one.

use std::collections::VecDeque;
use std::time::Duration;

/// Length of one sample, from its beginning.
const TOGETHER: Duration = Duration::from_millis(250);
/// Age beyond which samples are dropped...
const WINDOW: Duration = Duration::from_secs(30);
/// ...if more than this many are left. With [`TOGETHER`], this bounds them.
const SAMPLES_MIN: usize = 6;

#[derive(Debug, Default)]
pub(super) struct Rate {
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    begin: Duration,
    at: Duration,
    value: f64,
}

impl Rate {
    /// Adds a value, which is not below the one before.
    pub(super) fn advance(&mut self, value: f64, now: Duration) {
        match self.samples.back_mut() {
            Some(last) if now.saturating_sub(last.begin) < TOGETHER => {
                last.at = now;
                last.value = value;
            }
            _ => self.samples.push_back(Sample {
                begin: now,
                at: now,
                value,
            }),
        }
        while self.samples.len() > SAMPLES_MIN && now.saturating_sub(self.samples[1].at) >= WINDOW {
            self.samples.pop_front();
        }
    }

    /// Returns the growth per second; `None` before the second sample, and if there is none.
    ///
    /// The time since the last sample counts only from when the next one is overdue: the rate is constant between two
    /// steps, and sinks if none comes.
    pub(super) fn per_second(&self, now: Duration) -> Option<f64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let steps = u32::try_from(self.samples.len()).ok()?.checked_sub(1)?;
        let taken = last.at.saturating_sub(first.at);
        let overdue = now
            .saturating_sub(last.at)
            .saturating_sub(taken.checked_div(steps)?);
        let rate = (last.value - first.value) / (taken + overdue).as_secs_f64();
        (rate.is_finite() && rate > 0.0).then_some(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(values: impl IntoIterator<Item = (f64, f64)>) -> Rate {
        let mut rate = Rate::default();
        for (at, value) in values {
            rate.advance(value, Duration::from_secs_f64(at));
        }
        rate
    }

    fn after(rate: &Rate, seconds: f64) -> Option<f64> {
        rate.per_second(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn a_burst_at_the_beginning_has_no_rate() {
        let log = (0..500).map(|it| (f64::from(it) / 1e6, f64::from(it)));
        let mut rate = rate(log);
        assert_eq!(after(&rate, 0.1), None);
        rate.advance(501.0, Duration::from_secs(1));
        rate.advance(503.0, Duration::from_secs(2));
        let measured = after(&rate, 2.0).unwrap();
        assert!((measured - 2.0).abs() < 0.01, "{measured}");
    }

    #[test]
    fn a_burst_after_a_silence_counts_over_the_silence() {
        let steady = (0..10).map(|it| (f64::from(it), f64::from(it)));
        let flushed = (0..=20).map(|it| (29.0 + f64::from(it) / 1e3, f64::from(9 + it)));
        let rate = rate(steady.chain(flushed));
        let measured = after(&rate, 29.1).unwrap();
        assert!((measured - 1.0).abs() < 0.01, "{measured}");
    }

    #[test]
    fn the_rate_is_constant_between_steps_and_falls_if_none_comes() {
        let rate = rate((0..5).map(|it| (f64::from(it), f64::from(it) * 3.0)));
        assert_eq!(after(&rate, 4.0), Some(3.0));
        assert_eq!(after(&rate, 4.9), Some(3.0));
        assert!(after(&rate, 30.0).unwrap() < 0.5);
    }

    #[test]
    fn old_steps_do_not_count_if_there_are_newer_ones() {
        let slow = (0..20).map(|it| (f64::from(it), f64::from(it)));
        let fast = (0..400).map(|it| (20.0 + f64::from(it) / 10.0, 20.0 + f64::from(it)));
        let rate = rate(slow.chain(fast));
        let measured = after(&rate, 60.0).unwrap();
        assert!((measured - 10.0).abs() < 0.1, "{measured}");
        assert!(
            rate.samples.len() <= SAMPLES_MIN + 121,
            "{}",
            rate.samples.len()
        );
        let hourly = self::rate((0..4).map(|it| (f64::from(it) * 3600.0, f64::from(it))));
        assert!((after(&hourly, 3.0 * 3600.0).unwrap() * 3600.0 - 1.0).abs() < 1e-9);
    }
}
