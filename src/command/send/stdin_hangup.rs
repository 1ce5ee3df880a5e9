//! Whoever writes to our stdin: whether it is gone, though what it wrote has not all been read yet.

use std::io;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

/// Ready once nobody writes to stdin any more. What was written may still wait to be read.
pub(super) async fn gone() {
    // The thread that waits here is left behind when the program ends.
    let waiting = tokio::task::spawn_blocking(|| {
        let stdin = io::stdin();
        if fstat(&stdin).is_ok_and(|it| FileType::from_raw_mode(it.st_mode).is_file()) {
            // What a file has is there; it has nobody who could hang up.
            return;
        }
        // Nothing is asked for, so that only a hang-up is told.
        let mut stdin = [PollFd::new(&stdin, PollFlags::empty())];
        while poll(&mut stdin, None) == Err(Errno::INTR) {}
    });
    let _ = waiting.await;
}
