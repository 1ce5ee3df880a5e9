//! How long a publisher tries. While there is input it never gives up, because the writer of the input waits; after its
//! end only this program's caller waits, such as a CI job.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::Client;

/// Lower and upper bound of how long a server that holds back a request has to answer a check.
const SHORTEST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_LOOK: Duration = Duration::from_secs(30);

/// How long a publisher may fail after the end of its input.
#[derive(Clone, Debug)]
pub struct GiveUp {
    ended: watch::Receiver<Option<Instant>>,
    limit: Duration,
}

impl GiveUp {
    /// `ended` is when the input ended; `None` while it has not.
    #[must_use]
    pub fn new(ended: watch::Receiver<Option<Instant>>, limit: Duration) -> Self {
        Self { ended, limit }
    }

    /// For input that is complete.
    #[must_use]
    pub fn of(limit: Duration) -> Self {
        Self::new(watch::Sender::new(Some(Instant::now())).subscribe(), limit)
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits until a body that has been sent since then is given up. May be called again.
    pub(crate) async fn over(&self, since: Instant) {
        let mut ended = self.ended.clone();
        // If its sender was dropped, the input has ended, too.
        let ended = ended.wait_for(Option::is_some).await.ok();
        let ended = ended.and_then(|it| *it).unwrap_or(since);
        sleep_until(ended.max(since) + self.limit).await;
    }

    /// Waits until the publisher gives up and the server does not answer. One that answers may hold back a request for
    /// as long as its readers need.
    pub(crate) async fn over_without_answer(&self, since: Instant, client: &Client) {
        self.over(since).await;
        let look = self.limit.clamp(SHORTEST_LOOK, LONGEST_LOOK);
        while let Ok(true) = timeout(look, client.is_well()).await {
            tokio::time::sleep(look).await;
        }
    }
}
