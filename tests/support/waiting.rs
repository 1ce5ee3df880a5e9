//! Waiting for what must happen, with a bound.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long any one thing may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two looks at something that announces no change.
const LOOK: Duration = Duration::from_millis(2);

/// Waits for something, but not for ever.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    let waited = timeout(PATIENCE, what).await;
    waited.expect("what the test waits for did not happen")
}

/// Whether it becomes so before a test gives up: looks again and again, for what announces no change.
pub(crate) async fn becomes(mut is_so: impl FnMut() -> bool) -> bool {
    let looking = async {
        while !is_so() {
            sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, looking).await.is_ok()
}
