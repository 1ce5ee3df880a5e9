//! How long a publisher goes on trying. While there is input it never gives up, since whoever writes it
//! waits; after the input's end only somebody who waits for this program does, a CI job for example.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::Client;

/// A server that holds a request back has as long as the patience to show that it is well, within these.
const SHORTEST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_LOOK: Duration = Duration::from_secs(30);

/// For how long a publisher tries in vain after its input's end.
#[derive(Clone, Debug)]
pub struct GiveUp {
    ended: watch::Receiver<Option<Instant>>,
    limit: Duration,
}

impl GiveUp {
    /// `ended` says since when there is no input any more; `None` while there is.
    #[must_use]
    pub fn new(ended: watch::Receiver<Option<Instant>>, limit: Duration) -> Self {
        Self { ended, limit }
    }

    /// For what is all there already.
    #[must_use]
    pub fn of(limit: Duration) -> Self {
        Self::new(watch::Sender::new(Some(Instant::now())).subscribe(), limit)
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Ready when it is over for what is sent since then. May be asked again.
    pub(crate) async fn over(&self, since: Instant) {
        let mut ended = self.ended.clone();
        // Whoever would say that there is more is gone: that is an end too.
        let ended = ended.wait_for(Option::is_some).await.ok();
        let ended = ended.and_then(|it| *it).unwrap_or(since);
        sleep_until(ended.max(since) + self.limit).await;
    }

    /// Ready when it is over and the server does not answer. A server that does may hold a request back
    /// for its readers' sake, for as long as they take.
    pub(crate) async fn over_without_answer(&self, since: Instant, client: &Client) {
        self.over(since).await;
        let look = self.limit.clamp(SHORTEST_LOOK, LONGEST_LOOK);
        while let Ok(true) = timeout(look, client.is_well()).await {
            tokio::time::sleep(look).await;
        }
    }
}
