//! A pane in a real terminal, on a real stream.

use std::fmt::Write;

use vt100::MouseProtocolMode;

use super::{
    http::{Http, stream_of},
    process::{CODECHAT, Scratch, Serve},
    soon,
    terminal::Terminal,
};

/// A shell in which a pane is open, and its stream.
pub(crate) struct Pane {
    pub(crate) terminal: Terminal,
    pub(crate) server: Serve,
    pub(crate) id: String,
    scratch: Scratch,
}

impl Pane {
    pub(crate) async fn new(size: (u16, u16)) -> Self {
        Self::with(size, &[], "").await
    }

    /// Starts a pane with more flags for the server and for the watcher.
    pub(crate) async fn with(size: (u16, u16), serve: &[&str], watch: &str) -> Self {
        let server = Serve::start(serve).await;
        let id = server.http.connect().await;
        let mut pane = Self {
            terminal: Terminal::open(size).await,
            server,
            id,
            scratch: Scratch::new(),
        };
        pane.terminal
            .keys(&format!("stty -a > {}\n", pane.path("before")));
        pane.watch(watch).await;
        pane
    }

    async fn watch(&mut self, more: &str) {
        let Self { server, id, .. } = self;
        let line = format!(
            "{CODECHAT} watch --server {} --id {id} {more}; echo \"left: $?\"\n",
            server.url
        );
        self.terminal.keys(&line);
        self.terminal
            .until("the pane", vt100::Screen::alternate_screen)
            .await;
        self.terminal.shows("● live").await;
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.scratch.path(name).to_str().unwrap().into()
    }

    pub(crate) async fn publish(&self, text: impl AsRef<[u8]>) {
        self.server.http.publish(&self.id, text).await;
    }

    /// Publishes as soon as the stream is open again.
    pub(crate) async fn publish_once_open(&self, text: &str) {
        let target = stream_of(&self.id);
        let http = self.server.http;
        soon(async { while http.request("POST", &target, &[], text).await.status != 202 {} }).await;
    }

    pub(crate) async fn publish_lines(&self, numbers: std::ops::RangeInclusive<u32>) {
        publish_lines(self.server.http, &self.id, numbers).await;
    }

    /// Quits with `q`.
    pub(crate) async fn quit(&mut self) {
        self.terminal.keys("q");
        self.left("0").await;
    }

    /// Waits until the shell reports this exit code; the terminal has its old modes.
    pub(crate) async fn left(&mut self, code: &str) {
        self.terminal.shows(&format!("left: {code}")).await;
        self.is_as_before().await;
    }

    pub(crate) async fn is_as_before(&mut self) {
        self.terminal
            .until("the end of what was taken", |screen| {
                !screen.alternate_screen()
                    && !screen.hide_cursor()
                    && !screen.bracketed_paste()
                    && screen.mouse_protocol_mode() == MouseProtocolMode::None
            })
            .await;
        let (before, after) = (self.path("before"), self.path("after"));
        let line =
            format!("stty -a > {after}; cmp {before} {after} && echo the same as \"before\"\n");
        self.terminal.keys(&line);
        self.terminal.shows("the same as before").await;
    }
}

/// Publishes `line 1`, `line 2` …, with these numbers, in one request.
pub(crate) async fn publish_lines(http: Http, id: &str, numbers: std::ops::RangeInclusive<u32>) {
    let mut body = String::new();
    for number in numbers {
        writeln!(body, "\"line {number}\"").unwrap();
    }
    let target = format!("/api/v1/sse/debug/{id}");
    let headers = ["Content-Type: application/x-ndjson"];
    let answer = http.request("POST", &target, &headers, body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}
