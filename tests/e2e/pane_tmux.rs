//! The pane inside tmux.

use std::process::Output;

use tokio::process::Command;

use crate::support::{
    PATIENCE,
    process::{CODECHAT, Scratch, Serve, clean},
    program::are_here,
    soon,
};

/// A tmux server of its own.
struct Tmux {
    socket: String,
    _scratch: Scratch,
}

impl Tmux {
    async fn start(command: &str) -> Self {
        let scratch = Scratch::new();
        let tmux = Self {
            socket: scratch.path("tmux").to_str().unwrap().into(),
            _scratch: scratch,
        };
        tmux.run(&["new-session", "-d", "-x", "80", "-y", "24", command])
            .await;
        tmux
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = clean("tmux");
        command
            .args(["-f", "/dev/null", "-S", &self.socket])
            .args(args);
        command
    }

    async fn run(&self, args: &[&str]) -> Output {
        let output = soon(self.command(args).output()).await.unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        output
    }

    async fn screen(&self) -> String {
        let output = self.run(&["capture-pane", "-p"]).await;
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until the pane has been left.
    async fn is_left(&self) {
        let asking = async {
            let alternate = ["display-message", "-p", "#{alternate_on}"];
            while self.run(&alternate).await.stdout != b"0\n" {
                tokio::task::yield_now().await;
            }
        };
        soon(asking).await;
    }

    /// Waits until the screen contains this text. tmux does not announce changes, so this polls.
    async fn shows(&self, text: &str) {
        let asking = async {
            while !self.screen().await.contains(text) {
                tokio::task::yield_now().await;
            }
        };
        let shown = tokio::time::timeout(PATIENCE, asking).await;
        assert!(
            shown.is_ok(),
            "{text} is not shown, but\n{}",
            self.screen().await
        );
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut kill = std::process::Command::new("tmux");
        let _ = kill.args(["-S", &self.socket, "kill-server"]).output();
    }
}

#[tokio::test]
async fn the_pane_works_in_tmux() {
    if !are_here(&["tmux"]) {
        return;
    }
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    let watch = format!(
        "{CODECHAT} watch --server {} --id {id}; exec cat",
        server.url
    );
    let tmux = Tmux::start(&watch).await;
    tmux.shows("Nothing has come yet").await;
    tmux.shows("nothing was published to this ID yet: is it the right one?")
        .await;
    for number in 1..=30 {
        server.http.publish(&id, format!("line {number}")).await;
    }
    tmux.shows("line 30").await;
    tmux.run(&["send-keys", "PageUp"]).await;
    tmux.shows("paused").await;
    tmux.run(&["resize-window", "-x", "60", "-y", "20"]).await;
    tmux.run(&["send-keys", "/", "l", "i", "n", "e", " ", "7", "Enter"])
        .await;
    tmux.shows("hit 1/1").await;
    tmux.run(&["send-keys", "y"]).await;
    tmux.shows("copied the message; tmux pastes it with prefix ]")
        .await;
    assert_eq!(tmux.run(&["show-buffer"]).await.stdout, b"line 7");
    tmux.run(&["send-keys", "Q"]).await;
    tmux.is_left().await;
    let screen = tmux.screen().await;
    assert!(screen.contains("line 7"), "the last screen stays: {screen}");
}
