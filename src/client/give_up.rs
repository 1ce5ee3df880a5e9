//! When a publisher gives up. It never does before the end of the input, because it can make the writer of the input
//! wait; after that, it would make only its own caller wait, such as a CI job.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::Client;

/// Bounds of the time limit for a health check, and of the pause between two.
const SHORTEST_CHECK: Duration = Duration::from_secs(1);
const LONGEST_CHECK: Duration = Duration::from_secs(30);

/// How long a publisher may fail after the end of its input.
#[derive(Clone, Debug)]
pub struct GiveUp {
    ended: watch::Receiver<Option<Instant>>,
    limit: Duration,
}

impl GiveUp {
    /// Gives up `limit` after the end of the input. `ended` has the time of that end, or `None` before it.
    #[must_use]
    pub fn new(ended: watch::Receiver<Option<Instant>>, limit: Duration) -> Self {
        Self { ended, limit }
    }

    /// Gives up after `limit`, because the input is complete.
    #[must_use]
    pub fn of(limit: Duration) -> Self {
        Self::new(watch::Sender::new(Some(Instant::now())).subscribe(), limit)
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits until a body whose first try was at `since` is given up. May be called again.
    pub(crate) async fn over(&self, since: Instant) {
        let mut ended = self.ended.clone();
        // If the sender was dropped, the input has ended as well.
        let ended = ended.wait_for(Option::is_some).await.ok();
        let ended = ended.and_then(|it| *it).unwrap_or(since);
        sleep_until(ended.max(since) + self.limit).await;
    }

    /// Like [`GiveUp::over`], but goes on waiting as long as the server passes health checks: it may delay the answer
    /// for as long as its readers need.
    pub(crate) async fn over_without_answer(&self, since: Instant, client: &Client) {
        self.over(since).await;
        let limit = self.limit.clamp(SHORTEST_CHECK, LONGEST_CHECK);
        while let Ok(true) = timeout(limit, client.is_healthy()).await {
            tokio::time::sleep(limit).await;
        }
    }
}
