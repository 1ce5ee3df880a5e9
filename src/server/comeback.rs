//! What stands for a publisher whose connection broke: kept for a while, so that it can come back
//! before the channel is told that it is gone.

use std::time::Duration;

use tokio::time::sleep;

/// How long it may take to come back.
const COMEBACK: Duration = Duration::from_secs(2);

/// Drops it then.
pub(super) fn drop_later(gone: impl Send + 'static) {
    tokio::spawn(async {
        sleep(COMEBACK).await;
        drop(gone);
    });
}
