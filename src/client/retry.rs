//! How long to wait before the next try: longer each time, and random, so that not all clients reconnect at once to a
//! server that restarts.

use std::time::Duration;

use uuid::Uuid;

/// Upper bound of the `Retry-After` that is respected.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

/// The number of tries since the last success, and the bounds of the wait between them.
#[derive(Debug)]
pub(crate) struct Backoff {
    shortest: Duration,
    longest: Duration,
    tries: u32,
}

impl Backoff {
    pub(crate) fn new(shortest: Duration, longest: Duration) -> Self {
        Self {
            shortest,
            longest,
            tries: 0,
        }
    }

    /// Restarts the count after a success.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }

    /// Counts a failed try. Returns its number, from 1, and how long to wait: at least `floor`, as far as the bounds
    /// allow, and at least `retry_after`, of which at most a minute is respected.
    pub(crate) fn next(
        &mut self,
        floor: Option<Duration>,
        retry_after: Option<Duration>,
    ) -> (u32, Duration) {
        let half = doubled(self.shortest, self.longest, self.tries) / 2;
        self.tries = self.tries.saturating_add(1);
        let floor = floor.unwrap_or_default().clamp(self.shortest, self.longest);
        let delay = (half.max(floor) + half.mul_f64(random_share())).min(self.longest);
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        (self.tries, delay.max(asked))
    }
}

/// Returns the shortest wait, doubled `times` times, but at most the longest.
pub(crate) fn doubled(shortest: Duration, longest: Duration, times: u32) -> Duration {
    longest.min(shortest * (1 << times.min(16)))
}

/// Returns a random number from 0 to 1.
fn random_share() -> f64 {
    let [.., a, b, c, d] = *Uuid::new_v4().as_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTEST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(30);

    #[test]
    fn delays_grow_within_their_bounds_and_start_anew() {
        let mut backoff = Backoff::new(SHORTEST, LONGEST);
        for number in 1..=100 {
            let (tries, delay) = backoff.next(None, None);
            assert_eq!(tries, number);
            assert!((SHORTEST..=LONGEST).contains(&delay), "{delay:?}");
            assert!(number < 8 || delay >= LONGEST / 2, "{delay:?}");
        }
        backoff.reset();
        assert!(backoff.next(None, None).1 <= SHORTEST * 3 / 2);
    }

    #[test]
    fn a_floor_counts_within_the_bounds_only() {
        let first = |floor| Backoff::new(SHORTEST, LONGEST).next(Some(floor), None).1;
        assert!(first(Duration::ZERO) >= SHORTEST);
        assert!(first(Duration::from_secs(2)) >= Duration::from_secs(2));
        assert_eq!(first(Duration::MAX), LONGEST);
    }

    #[test]
    fn retry_after_is_respected_up_to_a_minute() {
        let asked = |seconds| {
            let after = Some(Duration::from_secs(seconds));
            Backoff::new(SHORTEST, LONGEST).next(None, after).1
        };
        assert_eq!(asked(40), Duration::from_secs(40));
        assert_eq!(asked(86_400), RETRY_AFTER_MAX);
    }
}
