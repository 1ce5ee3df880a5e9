//! The environment of a publisher of an operation: a server, and a watcher that waits for the outcome.

use serde_json::Value;

use super::process::{Ended, Running, Serve};

/// A server, a watcher of a new client until its operation ends, and the watcher's output.
pub(crate) struct Stage {
    pub(crate) server: Serve,
    pub(crate) watcher: Running,
    pub(crate) id: String,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let server = Serve::start(&[]).await;
        let (watcher, id) = server.watch(&["--format", "json", "--until-done"]).await;
        Self {
            server,
            watcher,
            id,
        }
    }

    /// Starts `codechat send`, with these options, on a shell that runs this script.
    pub(crate) fn run(&self, options: &[&str], script: &str) -> Running {
        let command = [options, &["--", "sh", "-c", script]].concat();
        self.server.send(&self.id, &command)
    }

    /// Returns the next message that the watcher gets.
    pub(crate) async fn message(&mut self) -> Value {
        serde_json::from_str(&self.watcher.line().await).unwrap()
    }

    /// Returns the text of the next message, which is a line of the command.
    pub(crate) async fn line(&mut self) -> String {
        let message = self.message().await;
        assert_eq!(message["operation"], "sh", "{message}");
        message["message"].as_str().unwrap().to_owned()
    }

    /// Returns the process ID that a script prints when it is ready.
    pub(crate) async fn ready(&mut self) -> String {
        let line = self.line().await;
        let pid = line
            .strip_prefix("ready ")
            .unwrap_or_else(|| panic!("{line}"));
        pid.to_owned()
    }

    pub(crate) async fn ask(&self, request: &[&str]) {
        let watch = ["watch", "--server", &self.server.url, "--id", &self.id];
        let ended = Running::codechat([&watch, request].concat()).end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// Returns the watcher's end, and the last message that it got.
    pub(crate) async fn done(self) -> (Ended, Value) {
        let ended = self.watcher.end().await;
        let last = ended.stdout.lines().last();
        let last = last.map_or(Value::Null, |it| serde_json::from_str(it).unwrap());
        (ended, last)
    }
}
