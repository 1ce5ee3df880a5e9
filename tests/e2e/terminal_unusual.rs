//! A terminal that reports no size, or no keys, still shows messages.

use crate::support::{process::Serve, terminal::Terminal};

const CODECHAT: &str = env!("CARGO_BIN_EXE_codechat");

#[tokio::test]
async fn a_terminal_without_a_size_has_that_of_the_environment_or_80_x_24() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    server.http.publish(&id, "hello there").await;
    let url = &server.url;
    for (variables, last_row) in [("", 24), ("LINES=10 COLUMNS=60", 10)] {
        let script = format!(
            "stty rows 0 cols 0; exec env {variables} {CODECHAT} watch --server {url} --id {id}"
        );
        let mut terminal = Terminal::start(&["sh", "-c", &script], (80, 30));
        terminal.shows("hello there").await;
        let last_shown = |screen: &vt100::Screen| {
            let rows = screen.rows(0, 80).enumerate();
            rows.filter(|(_, it)| !it.trim().is_empty())
                .last()
                .map(|(at, _)| at)
        };
        terminal
            .until("a footer in the last row", |it| {
                last_shown(it) == Some(last_row - 1)
            })
            .await;
        terminal.keys("q");
    }
}

#[tokio::test]
async fn without_a_controlling_terminal_messages_are_printed_as_lines() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    server.http.publish(&id, "hello there").await;
    let url = &server.url;
    let script = format!(
        "setsid -w {CODECHAT} watch --server {url} --id {id} -n 1 </dev/null; echo exit $?"
    );
    let mut terminal = Terminal::start(&["sh", "-c", &script], (100, 30));
    terminal.shows("no controlling terminal").await;
    terminal.shows("hello there").await;
    terminal.shows("exit 0").await;
}
