//! The pane in a real terminal: it takes the terminal, works there, and gives it back as it was.

use std::fmt::Write;

use vt100::MouseProtocolMode;

use crate::support::{
    http::Http,
    process::{Scratch, Serve},
    shell::Shell,
    soon,
};

const CODECHAT: &str = env!("CARGO_BIN_EXE_codechat");

/// A shell in which a pane is open, and its stream.
struct Open {
    terminal: Shell,
    server: Serve,
    id: String,
    scratch: Scratch,
}

impl Open {
    async fn new(size: (u16, u16)) -> Self {
        Self::with(size, &[], "").await
    }

    /// With more for the server, and more for the watcher.
    async fn with(size: (u16, u16), serve: &[&str], watch: &str) -> Self {
        let server = Serve::start(serve).await;
        let id = server.http.connect().await;
        let mut open = Self {
            terminal: Shell::open(size).await,
            server,
            id,
            scratch: Scratch::new(),
        };
        open.terminal
            .keys(&format!("stty -a > {}\n", open.path("before")));
        open.watch(watch).await;
        open
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

    fn path(&self, name: &str) -> String {
        self.scratch.path(name).to_str().unwrap().into()
    }

    async fn publish(&self, text: impl AsRef<[u8]>) {
        self.server.http.publish(&self.id, text).await;
    }

    async fn publish_lines(&self, numbers: std::ops::RangeInclusive<u32>) {
        publish_lines(self.server.http, &self.id, numbers).await;
    }

    /// Waits for the shell, and for the code that it saw; the terminal is as it was.
    async fn left(&mut self, code: &str) {
        self.terminal.shows(&format!("left: {code}")).await;
        self.is_as_before().await;
    }

    async fn is_as_before(&mut self) {
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

/// Whether a shell waits for a line, and nothing else has the terminal.
fn has_prompt(screen: &vt100::Screen) -> bool {
    !screen.alternate_screen() && screen.contents().trim_end().ends_with("\n$")
}

async fn publish_lines(http: Http, id: &str, numbers: std::ops::RangeInclusive<u32>) {
    let mut body = String::new();
    for number in numbers {
        writeln!(body, "\"line {number}\"").unwrap();
    }
    let target = format!("/api/v1/sse/debug/{id}");
    let headers = ["Content-Type: application/x-ndjson"];
    let answer = http.request("POST", &target, &headers, body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test]
async fn a_stream_is_shown_searched_filtered_and_left() {
    let mut open = Open::new((80, 24)).await;
    open.terminal.shows("Nothing has come yet").await;
    open.publish_lines(1..=100).await;
    open.terminal.shows("line 100").await;
    open.terminal.keys("/line 4");
    open.terminal.shows("hit 11/11").await;
    open.terminal.keys("\rn");
    open.terminal.shows("hit 1/11").await;
    open.terminal.keys("\u{1b}");
    open.terminal.hides("hit 1/11").await;
    open.terminal.keys("&7$\r");
    open.terminal.shows("shown 10 · filtered 90").await;
    open.terminal.keys("&\u{7f}\u{7f}\r");
    open.terminal.shows("filtered 0").await;
    open.terminal.keys("?");
    open.terminal.shows("half a page down, up").await;
    open.terminal.keys("qq");
    open.left("0").await;
    assert!(!open.terminal.text().contains("line 99"));
}

#[tokio::test]
async fn the_last_screen_stays_where_it_is_asked_to() {
    let mut open = Open::new((80, 24)).await;
    open.publish_lines(1..=3).await;
    open.terminal.shows("line 3").await;
    open.terminal.keys("Q");
    open.left("0").await;
    assert!(
        open.terminal.text().contains("line 3"),
        "{}",
        open.terminal.text()
    );
}

#[tokio::test]
async fn leaving_at_once_is_an_interruption() {
    let mut open = Open::new((80, 24)).await;
    open.terminal.keys("\u{3}");
    open.left("130").await;
}

#[tokio::test]
async fn a_burst_of_sizes_ends_with_the_last_one() {
    let mut open = Open::new((80, 24)).await;
    open.publish_lines(1..=100).await;
    open.terminal.shows("line 100").await;
    for step in 1..=50 {
        open.terminal.resize(20 + step * 2, 5 + step);
    }
    open.terminal.resize(100, 30);
    open.terminal
        .until("the last size", |screen| {
            let rows: Vec<_> = screen.rows(0, 100).collect();
            rows[27] == "─".repeat(100)
                && rows[26].ends_with("line 100")
                && rows[2].ends_with("line 76")
        })
        .await;
    open.terminal.resize(20, 5);
    open.terminal
        .until("the smallest size", |screen| {
            let rows: Vec<_> = screen.rows(0, 20).collect();
            rows[3].ends_with("line 100") && rows[0].starts_with("● live")
        })
        .await;
    open.terminal.resize(80, 24);
    open.terminal.shows("? help").await;
    open.terminal.keys("q");
    open.left("0").await;
}

#[tokio::test]
async fn a_flood_can_be_frozen_and_nothing_of_it_is_lost() {
    let mut open = Open::new((80, 24)).await;
    let (http, id) = (open.server.http, open.id.clone());
    let flood = tokio::spawn(async move {
        for thousand in 0..100 {
            publish_lines(http, &id, thousand * 1000 + 1..=(thousand + 1) * 1000).await;
        }
    });
    open.terminal.shows("000").await;
    open.terminal.keys(" ");
    open.terminal.shows("paused, +").await;
    let body = |text: String| {
        text.lines()
            .skip(2)
            .take(19)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let frozen = body(open.terminal.text());
    soon(flood).await.unwrap();
    open.terminal
        .shows("received 100,000 · shown 100,000 · filtered 0 · lost 0")
        .await;
    assert_eq!(body(open.terminal.text()), frozen);
    open.terminal.keys("G");
    open.terminal.shows("line 100000").await;
    open.terminal.keys("q");
    open.left("0").await;
}

#[tokio::test]
async fn the_pane_can_be_suspended_and_comes_back_with_what_came_meanwhile() {
    let mut open = Open::new((80, 24)).await;
    open.publish_lines(1..=3).await;
    open.terminal.shows("line 3").await;
    open.terminal.keys("\u{1a}");
    open.terminal.shows("Stopped").await;
    open.is_as_before().await;
    open.publish("while it was away").await;
    open.terminal.keys("fg\n");
    open.terminal
        .until("the pane", vt100::Screen::alternate_screen)
        .await;
    open.terminal.shows("while it was away").await;
    open.publish("and after").await;
    open.terminal.shows("and after").await;
    open.terminal.keys("q");
    open.terminal.until("the shell", has_prompt).await;
    open.terminal.keys("echo \"left: $?\"\n");
    open.left("0").await;
}

#[tokio::test]
async fn signals_give_the_terminal_back() {
    for (signal, code) in [("TERM", "143"), ("INT", "130"), ("HUP", "143")] {
        let mut open = Open::new((80, 24)).await;
        open.terminal.keys("\u{1a}");
        open.terminal.shows("Stopped").await;
        open.terminal.until("the shell", has_prompt).await;
        // It is told while it is stopped, and hears it when it goes on.
        open.terminal.keys(&format!("kill -{signal} %1; fg\n"));
        open.terminal.shows(&format!("kill -{signal} %1; fg")).await;
        let end = format!("the end by {signal}");
        open.terminal.until(&end, has_prompt).await;
        open.terminal.keys("echo \"left: $?\"\n");
        open.left(code).await;
    }
}

#[tokio::test]
async fn what_was_taken_is_given_back_and_no_message_writes_an_escape() {
    let mut open = Open::new((80, 24)).await;
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}]52;c;aGFja2Vk\u{7}\u{1b}P1$r\u{1b}\\\u{9b}5n\u{202e}\u{1b}[?1049l\u{1b}c THE END";
    open.publish(hostile).await;
    open.terminal.shows("THE END").await;
    // The mouse, a search, help and a copy: everything that writes sequences of its own.
    open.terminal.keys("\u{1b}OQ");
    open.terminal
        .until("the mouse", |screen| {
            screen.mouse_protocol_mode() != MouseProtocolMode::None
        })
        .await;
    open.terminal.keys(" \r");
    open.terminal.shows("as it came").await;
    open.terminal.keys("\u{1b}");
    // Together they would be Alt and a key.
    open.terminal.hides("as it came").await;
    open.terminal.keys("/owned\r");
    open.terminal.shows("hit 1/1").await;
    open.terminal.keys("i");
    open.terminal.shows("copied the client ID").await;
    let bytes = open.terminal.bytes();
    let written = String::from_utf8_lossy(&bytes);
    let from_message = [
        "\u{1b}]0;",
        "\u{1b}P",
        "\u{1b}c",
        "\u{9b}",
        "\u{202e}",
        "aGFja2Vk\u{7}",
        "\u{1b}[2J\u{1b}]",
    ];
    for escape in from_message {
        assert!(!written.contains(escape), "{escape:?} was written");
    }
    // What is copied travels as base64, in the one sequence that there is for it.
    assert_eq!(written.matches("\u{1b}]").count(), 1);
    assert!(written.contains("\u{1b}]52;c;"));
    open.terminal.keys("q");
    open.left("0").await;
}

#[tokio::test]
async fn a_server_that_comes_back_is_gone_on_with() {
    let mut open = Open::new((80, 24)).await;
    open.publish("before").await;
    open.terminal.shows("before").await;
    let address = open.server.http.address.to_string();
    open.server.process.signal("TERM").await;
    open.terminal.shows("reconnecting, try").await;
    let back = Serve::start(&[]).await;
    drop(back);
    let args = ["serve", "--listen", &address];
    open.server = Serve::of(crate::support::process::Running::codechat(args)).await;
    open.terminal.keys("r");
    open.terminal.shows("● live").await;
    open.terminal
        .shows("messages lost, how many is not known")
        .await;
    open.publish("after").await;
    open.terminal.shows("after").await;
    assert!(open.terminal.text().contains("before"));
    open.terminal.keys("q");
    open.left("0").await;
}

#[tokio::test]
async fn an_idle_stream_is_subscribed_to_again() {
    let mut open = Open::with((80, 24), &["--idle-timeout", "300ms"], "").await;
    open.publish("one").await;
    open.terminal.shows("one").await;
    open.server.http.stop(&open.id).await;
    open.terminal.shows("■ ended").await;
    open.terminal.shows("-- stopped --").await;
    open.terminal.keys("q");
    open.left("0").await;
}

#[tokio::test]
async fn a_goal_and_a_time_limit_leave_the_pane() {
    let mut open = Open::with((80, 24), &[], "--until-done").await;
    let target = format!("/api/v1/sse/debug/{}?outcome=failed", open.id);
    open.server.http.request("POST", &target, &[], "no").await;
    open.left("3").await;
    let mut open = Open::with((80, 24), &[], "--timeout 300ms").await;
    open.left("4").await;
}

#[tokio::test]
async fn what_is_shown_is_saved_and_never_over_something_else() {
    let mut open = Open::new((80, 24)).await;
    open.publish_lines(1..=3).await;
    open.terminal.shows("line 3").await;
    let path = open.path("saved");
    open.terminal.keys(&format!("tttts\u{15}{path}\r"));
    open.terminal.shows("saved ").await;
    let saved = std::fs::read_to_string(&path).unwrap();
    assert!(
        saved.contains("line 1\n") && saved.ends_with("line 3\n"),
        "{saved}"
    );
    open.terminal.keys(&format!("S\u{15}{path}\r"));
    open.terminal.shows("is there already").await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), saved);
}

#[tokio::test]
async fn a_terminal_that_can_show_no_pane_gets_lines() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    let mut terminal = Shell::open((80, 24)).await;
    let line = format!(
        "TERM=dumb {CODECHAT} watch --server {} --id {id}\n",
        server.url
    );
    terminal.keys(&line);
    terminal.shows("so messages come as lines").await;
    server.http.publish(&id, "as a line").await;
    terminal.shows("as a line").await;
    assert!(!String::from_utf8_lossy(&terminal.bytes()).contains("\u{1b}[?1049h"));
}

#[tokio::test]
async fn an_error_at_first_is_told_without_a_pane() {
    let mut terminal = Shell::open((80, 24)).await;
    let line = format!("{CODECHAT} watch --server http://127.0.0.1:1; echo \"left: $?\"\n");
    terminal.keys(&line);
    terminal.shows("left: 1").await;
    assert!(!String::from_utf8_lossy(&terminal.bytes()).contains("\u{1b}[?1049h"));
}
