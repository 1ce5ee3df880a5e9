//! What stands for a publisher whose connection broke: kept for a while, so that it can come back
//! before the channel is told that it is gone.

use tokio::time::sleep;

use crate::wire::RECONNECT_GRACE;

/// Drops it after [`RECONNECT_GRACE`].
pub(super) fn drop_later(gone: impl Send + 'static) {
    tokio::spawn(async {
        sleep(RECONNECT_GRACE).await;
        drop(gone);
    });
}
