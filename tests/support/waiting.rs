//! Waiting for what must happen, with a time limit.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Time limit for anything that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two polls.
const LOOK: Duration = Duration::from_millis(2);

/// Waits for a future, up to the time limit.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    let waited = timeout(PATIENCE, what).await;
    waited.expect("what the test waits for did not happen")
}

/// Returns whether a condition becomes true within the time limit. Polls, for conditions that announce no change.
pub(crate) async fn becomes(mut is_so: impl FnMut() -> bool) -> bool {
    let looking = async {
        while !is_so() {
            sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, looking).await.is_ok()
}
