//! A command may prompt on its controlling terminal wherever its three streams are redirected, and what it started ends
//! with it nevertheless.

use crate::support::{
    process::{Scratch, Serve},
    terminal::Terminal,
};

const CODECHAT: &str = env!("CARGO_BIN_EXE_codechat");
/// A prompt like those of sudo, ssh and gpg.
const ASKS: &str = "printf \"Password: \" >/dev/tty; read word </dev/tty; echo \"got $word\"";

#[tokio::test]
async fn a_command_can_prompt_on_the_terminal_although_its_streams_are_redirected() {
    let server = Serve::start(&[]).await;
    let (_watch, id) = server.watch(&[]).await;
    let scratch = Scratch::new();
    for (number, words) in ["watch", &format!("send --tee --id {id}")]
        .iter()
        .enumerate()
    {
        let out = scratch.path(&number.to_string());
        let mut terminal = Terminal::open((100, 24)).await;
        terminal.keys(&format!(
            "{CODECHAT} {words} --server {} -- sh -c '{ASKS}' </dev/null >{} 2>&1\n",
            server.url,
            out.display()
        ));
        terminal.until("the question", asks).await;
        terminal.keys("secret\n");
        terminal.keys(&format!("grep secret {}\n", out.display()));
        terminal.shows("got secret").await;
    }
}

fn asks(screen: &vt100::Screen) -> bool {
    let text = screen.contents();
    text.lines().any(|it| it.trim_end().ends_with("Password:"))
}

#[tokio::test]
async fn a_prompt_in_the_background_stops_the_job_until_it_is_in_the_foreground() {
    let server = Serve::start(&[]).await;
    let mut terminal = Terminal::open((100, 24)).await;
    terminal.keys(&format!(
        "{CODECHAT} watch --server {} -- sh -c '{ASKS}' </dev/null 2>/dev/null &\n",
        server.url
    ));
    terminal.until("the question", asks).await;
    terminal.keys("until jobs -s | grep -q .; do sleep 0.02; done; echo it\"\" stands\n");
    terminal.shows("it stands").await;
    terminal.keys("fg\nsecret\n");
    terminal.shows("got secret").await;
}

#[tokio::test]
async fn a_time_limit_in_a_terminal_ends_everything_that_a_command_started() {
    let server = Serve::start(&[]).await;
    let mut terminal = Terminal::open((100, 24)).await;
    terminal.keys(&format!(
        "{CODECHAT} watch --server {} --timeout 1s -- sh -c 'sh -c \"trap exit TERM; while :; do sleep 0.05; done\"; exit' 2>/dev/null | cat; echo al\"\"l over\n",
        server.url
    ));
    // The pipe ends when nothing holds it any more.
    terminal.shows("all over").await;
}
