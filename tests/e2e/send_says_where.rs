//! `send` prints where it publishes if that is not obvious.

use crate::support::{
    process::{CODECHAT, Running, Serve},
    terminal::Terminal,
};

#[tokio::test]
async fn a_command_without_an_id_takes_a_new_one_and_says_how_to_watch_it() {
    let server = Serve::start(&[]).await;
    let script = "echo one; read line; echo two";
    let words = ["send", "--server", &server.url, "--", "sh", "-c", script];
    let mut sender = Running::codechat(words);
    let line = sender.says("to watch: codechat watch --id ").await;
    let (_, arguments) = line.split_once("codechat watch ").unwrap();
    let watch = [
        &["watch"],
        &arguments.split_whitespace().collect::<Vec<_>>()[..],
    ]
    .concat();
    let mut watcher = Running::codechat([&watch[..], &["--until-done"]].concat());
    assert!(watcher.line().await.starts_with("Started sh -c "));
    assert_eq!(watcher.line().await, "one\n");
    sender.write("go on\n").await;
    assert_eq!(watcher.line().await, "two\n");
    assert_eq!(sender.end().await.code, Some(0));
    assert_eq!(watcher.end().await.code, Some(0));
}

#[tokio::test]
async fn on_a_terminal_a_hint_says_where_output_goes_and_how_stdin_ends() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    let to = [CODECHAT, "send", "--server", &server.url, "--id", &id];
    let mut quiet = Terminal::start(&[&to[..], &["--", "true"]].concat(), (200, 24));
    let expected = format!("what true writes goes to client {id} at ");
    let (_, screen) = quiet.end().await;
    assert!(
        screen.contains(&expected) && screen.contains("--tee"),
        "{screen}"
    );
    let mut shown = Terminal::start(&[&to[..], &["--tee", "--", "true"]].concat(), (200, 24));
    assert_eq!(shown.end().await.1.trim(), "");
    let mut lines = Terminal::start(&to, (200, 24));
    lines.shows("codechat: type lines; Ctrl-D ends").await;
    lines.keys("\u{4}");
    assert_eq!(lines.end().await.0, 0);
}
