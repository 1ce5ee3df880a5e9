//! A command on a terminal of its own has the size of the sender's terminal, if there is one, and can prompt on it.

use std::process::Stdio;

use crate::support::{
    process::{Running, Serve, clean},
    terminal::Terminal,
};

const CODECHAT: &str = env!("CARGO_BIN_EXE_codechat");
const ASKS: &str = "printf 'Password: ' >/dev/tty; \
    if read word </dev/tty; then echo \"got $word\"; else echo cannot ask; fi";

/// Starts `codechat send --pty` with this script, in a shell that has job control.
async fn on_a_terminal(server: &Serve, id: &str, more: &str, script: &str) -> Terminal {
    let mut terminal = Terminal::open((100, 30)).await;
    let url = &server.url;
    terminal.keys(&format!(
        "clear; {CODECHAT} send --server {url} --id {id} --pty --tee -- sh -c \"{script}\" {more}; echo exit $?\n"
    ));
    terminal
}

/// Waits for a line that was written by the command, not by the shell.
async fn shows_line(terminal: &mut Terminal, line: &str) {
    let is_there = |it: &vt100::Screen| it.contents().lines().any(|it| it.trim_end() == line);
    terminal.until(line, is_there).await;
}

#[tokio::test]
async fn typed_input_reaches_the_command_and_the_terminal_is_restored() {
    let server = Serve::start(&[]).await;
    let (_watch, id) = server.watch(&[]).await;
    let asks = ASKS.replace('"', "\\\"").replace('$', "\\$");
    for more in ["", "</dev/null"] {
        let mut terminal = on_a_terminal(&server, &id, more, &asks).await;
        shows_line(&mut terminal, "Password:").await;
        terminal.keys("secret\r");
        shows_line(&mut terminal, "got secret").await;
        shows_line(&mut terminal, "exit 0").await;
        terminal.keys("stty -a | grep -o ' icanon\\| echo \\| isig'\n");
        terminal.shows(" icanon\n echo").await;
    }
}

#[tokio::test]
async fn a_stdin_that_is_a_terminal_is_read_there() {
    let server = Serve::start(&[]).await;
    let (_watch, id) = server.watch(&[]).await;
    let script = "echo ask; read word; echo got \\$word";
    let mut terminal = on_a_terminal(&server, &id, "", script).await;
    shows_line(&mut terminal, "ask").await;
    terminal.keys("something\r");
    shows_line(&mut terminal, "got something").await;
    shows_line(&mut terminal, "exit 0").await;
}

#[tokio::test]
async fn ctrl_c_ends_the_command_as_cancelled_and_restores_the_terminal() {
    let server = Serve::start(&[]).await;
    let (mut watch, id) = server.watch(&[]).await;
    let mut terminal = on_a_terminal(&server, &id, "", "echo beg''un; exec sleep 1000").await;
    shows_line(&mut terminal, "begun").await;
    terminal.keys("\u{3}");
    terminal.shows("exit 130").await;
    watch.line().await;
    assert_eq!(watch.line().await, "begun\n");
    while !watch.line().await.starts_with("Cancelled after") {}
    terminal.keys("echo as be\"\"fore\n");
    shows_line(&mut terminal, "as before").await;
}

#[tokio::test]
async fn the_pseudo_terminal_has_and_follows_the_terminals_size() {
    let server = Serve::start(&[]).await;
    let (_watch, id) = server.watch(&[]).await;
    let script = "stty size </dev/tty; until stty size </dev/tty | grep -q 132; do sleep 0.02; done; \
        stty size </dev/tty";
    let mut terminal = on_a_terminal(&server, &id, "", script).await;
    shows_line(&mut terminal, "30 100").await;
    terminal.resize(132, 40);
    shows_line(&mut terminal, "40 132").await;
    shows_line(&mut terminal, "exit 0").await;
}

#[tokio::test]
async fn without_a_terminal_each_question_fails_at_once() {
    let server = Serve::start(&[]).await;
    let (_watch, id) = server.watch(&[]).await;
    let script = format!("{ASKS}; {ASKS}");
    let mut setsid = clean("setsid");
    let send = [
        "send",
        "--server",
        &server.url,
        "--id",
        &id,
        "--pty",
        "--tee",
    ];
    setsid.args(["-w", CODECHAT]).args(send);
    setsid
        .args(["--", "sh", "-c", &script])
        .stdout(Stdio::piped());
    let ended = Running::start(&mut setsid).end().await;
    assert_eq!(ended.stdout.matches("cannot ask").count(), 2, "{ended:?}");
    assert_eq!(ended.code, Some(0));
}
