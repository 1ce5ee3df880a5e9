//! The clipboard within tmux. By default tmux ignores a program's OSC 52, so a text goes into tmux's own buffer, and
//! tmux passes it on.

use std::io::Write;
use std::process::{Command, Stdio};

/// Returns whether this program runs within tmux.
pub(super) fn is_in_tmux() -> bool {
    std::env::var_os("TMUX").is_some_and(|it| !it.is_empty())
}

/// Loads a text into tmux's buffer, for tmux to pass on to the terminal; returns a notice.
pub(super) fn load_into_tmux(text: &str, notice: &str) -> String {
    let loading = Command::new("tmux")
        .args(["load-buffer", "-w", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let loaded = loading.and_then(|mut tmux| {
        // Dropped after writing, so that tmux sees the end.
        let written = tmux
            .stdin
            .take()
            .map(|mut it| it.write_all(text.as_bytes()));
        let status = tmux.wait()?;
        written.transpose()?;
        Ok(status.success())
    });
    if loaded.unwrap_or(false) {
        format!("{notice}; tmux pastes it with prefix ]")
    } else {
        "sent to the terminal; tmux did not take it, so whether it was copied is not known".into()
    }
}
