//! The grace period for publishers whose connection broke: they can reconnect before their loss is published.

use tokio::time::sleep;

use crate::wire::RECONNECT_GRACE;

/// Drops a value after [`RECONNECT_GRACE`].
pub(super) fn drop_later(gone: impl Send + 'static) {
    tokio::spawn(async {
        sleep(RECONNECT_GRACE).await;
        drop(gone);
    });
}
