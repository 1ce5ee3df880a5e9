//! `codechat watch -- CMD` on a terminal: the progress line, and Ctrl-C.

use crate::support::{
    process::{CODECHAT, Scratch, Serve},
    terminal::Terminal,
};

#[tokio::test]
async fn a_command_on_the_same_terminal_leaves_no_remains_of_the_progress_line() {
    let server = Serve::start(&[]).await;
    let script = "\"$0\" send --progress 1/3 working; read go; for it in $(seq 30); do echo own $it; done; read go; \
         printf unfinished";
    let words = on_a_terminal(&server, &["sh", "-c", script, CODECHAT]);
    let mut terminal = Terminal::start(&words, (80, 24));
    let is_below = |screen: &str| {
        screen
            .lines()
            .last()
            .is_some_and(|it| it.contains("elapsed"))
    };
    terminal
        .until("the progress line", |it| is_below(&it.contents()))
        .await;
    terminal.keys("\n");
    terminal
        .until("the last line, above the progress", |it| {
            let screen = it.contents();
            screen.contains("own 30") && is_below(&screen)
        })
        .await;
    let screen = terminal.text();
    for line in screen.lines().filter(|it| it.starts_with("own")) {
        assert!(line.trim_end().len() <= "own 30".len(), "{screen}");
    }
    terminal.keys("\n");
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 0);
    // In a row of its own, which this terminal takes for a wrapped one.
    let at_end = screen.lines().last().unwrap_or_default();
    let (own, rest) = at_end.split_at(80);
    assert_eq!(own.trim_end(), "unfinished", "{screen}");
    assert!(rest.starts_with("codechat: 1 message in"), "{screen}");
    assert!(!screen.contains("elapsed"), "{screen}");
}

#[tokio::test]
async fn the_progress_line_is_shown_if_messages_go_to_a_file() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    let scratch = Scratch::new();
    let file = scratch.path("messages");
    let script = "\"$0\" watch --server \"$1\" --id \"$2\" -n 4 > \"$3\"";
    let file_name = file.to_str().unwrap();
    let words = ["sh", "-c", script, CODECHAT, &server.url, &id, file_name];
    let mut terminal = Terminal::start(&words, (80, 24));
    for file in 1..=3 {
        let text = format!("Processed file {file} of 4");
        server.http.publish(&id, text).await;
    }
    terminal.shows("]  3/4  75 %").await;
    server.http.publish(&id, "Processed file 4 of 4").await;
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 0);
    assert!(!screen.contains("75 %"), "{screen}");
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written.lines().last(), Some("Processed file 4 of 4"));
}

#[tokio::test]
async fn ctrl_c_in_a_terminal_reaches_the_command_once() {
    let server = Serve::start(&[]).await;
    let script = "trap 'echo heard' INT; echo ready; read line; echo $line";
    let words = on_a_terminal(&server, &["bash", "-c", script]);
    let mut terminal = Terminal::start(&words, (80, 24));
    terminal.shows("ready").await;
    terminal.keys("\x03");
    terminal.shows("heard").await;
    terminal.keys("the end\n");
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 0, "{screen}");
    assert_eq!(screen.matches("heard").count(), 1, "{screen}");
    assert!(screen.contains("\nthe end\nthe end\n"), "{screen}");
}

/// Returns the words that watch a command, for a terminal to start.
fn on_a_terminal<'a>(server: &'a Serve, command: &[&'a str]) -> Vec<&'a str> {
    [&[CODECHAT, "watch", "--server", &server.url, "--"], command].concat()
}
