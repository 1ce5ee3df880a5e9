//! The clipboard within tmux, which keeps to itself what a program asks of the terminal (OSC 52) unless it is told to
//! hand it on. So a text goes into tmux's own buffer, from where it is pasted and handed on.

use std::io::Write;
use std::process::{Command, Stdio};

/// Whether this program runs within tmux.
pub(super) fn is_in_tmux() -> bool {
    std::env::var_os("TMUX").is_some_and(|it| !it.is_empty())
}

/// Puts a text into tmux's buffer, and has tmux hand it on to the terminal; says what came of it.
pub(super) fn load_into_tmux(text: &str, told: &str) -> String {
    let loading = Command::new("tmux")
        .args(["load-buffer", "-w", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let loaded = loading.and_then(|mut tmux| {
        // Dropped behind it, so that tmux sees the end.
        let written = tmux
            .stdin
            .take()
            .map(|mut it| it.write_all(text.as_bytes()));
        let status = tmux.wait()?;
        written.transpose()?;
        Ok(status.success())
    });
    if loaded.unwrap_or(false) {
        format!("{told}; tmux pastes it with prefix ]")
    } else {
        "sent to the terminal; tmux did not take it, so whether it was copied is not known".into()
    }
}
