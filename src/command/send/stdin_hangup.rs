//! Notices when the writer of stdin is gone, even if its output has not all been read.

use std::io;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

/// Waits until nobody writes to stdin any more. Input may still be unread then.
pub(super) async fn gone() {
    // The program's end does not wait for this thread.
    let waiting = tokio::task::spawn_blocking(|| {
        let stdin = io::stdin();
        if fstat(&stdin).is_ok_and(|it| FileType::from_raw_mode(it.st_mode).is_file()) {
            // A file has no writer that could hang up.
            return;
        }
        // No events are requested, so that only a hang-up is reported.
        let mut stdin = [PollFd::new(&stdin, PollFlags::empty())];
        while poll(&mut stdin, None) == Err(Errno::INTR) {}
    });
    let _ = waiting.await;
}
