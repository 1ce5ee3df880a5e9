//! Errors in the command line or the environment say what to correct; a variable that conflicts with the command line
//! is ignored.

use std::process::Stdio;

use crate::support::process::{Ended, Running, Serve, codechat};

const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";

async fn run(variables: &[(&str, &str)], words: &[&str]) -> Ended {
    let mut command = codechat(words);
    command
        .envs(variables.iter().copied())
        .stdout(Stdio::piped());
    Running::start(&mut command).end().await
}

#[tokio::test]
async fn an_invalid_command_line_is_a_usage_error() {
    for (words, expected) in [
        (&["send"][..], "no client ID"),
        (&["send", "-m", "x", "y"], "--message"),
        (&["send", "-m", "x", "--tee"], "--tee"),
        (&["send", "-m", "x", "--", "ls"], "--message"),
        (&["send", "-m", "x", "-"], "--message"),
        (
            &["watch", "curl", "-s", "http://h"],
            "codechat watch -- curl …",
        ),
        (
            &["watch", "--until", "x", "my job"],
            "codechat watch -- 'my job' …",
        ),
        (&["send", "--id", "x", "y"], "--id <ID>"),
        (&["send", "--all", "--tee"], "--tee"),
        (&["send", "--all", "--id", ID, "y"], "--all"),
        (&["send", "--id", ID, "--"], "no command follows --"),
        (&["watch", "--"], "no command follows --"),
        (&["watch", "--id", ID, "--cancel", "--", "ls"], "--cancel"),
        (
            &["watch", "--id", ID, "--ask-level", "info", "--", "ls"],
            "--ask-level",
        ),
        (&["x"], "unrecognized"),
    ] {
        let ended = run(&[], words).await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{words:?}"
        );
        assert!(ended.stderr.contains(expected), "{words:?}: {ended:?}");
    }
}

#[tokio::test]
async fn a_variable_that_conflicts_with_the_command_line_is_ignored() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    let for_lines = [
        ("CODECHAT_SERVER", server.url.as_str()),
        ("CODECHAT_TEE", "1"),
        ("CODECHAT_PTY", "yes"),
        ("CODECHAT_ON_LEVEL_SIGNAL", "USR1"),
    ];
    let one = ["send", "--id", &id, "one"];
    assert_eq!(run(&for_lines, &one).await.code, Some(0));
    assert_eq!(watcher.line().await, "one\n");
    let for_all = [
        ("CODECHAT_SERVER", server.url.as_str()),
        ("SSE_CLIENT_ID", ID),
    ];
    let to_all = ["send", "--all", "to all"];
    assert_eq!(run(&for_all, &to_all).await.code, Some(0));
    assert_eq!(watcher.line().await, "to all\n");
    let typed = ["send", "--id", &id, "--tee", "two"];
    let ended = run(&for_lines, &typed).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[tokio::test]
async fn a_client_id_is_read_from_either_variable() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    let address = ("CODECHAT_SERVER", server.url.as_str());
    for variables in [
        &[("CODECHAT_ID", id.as_str())][..],
        &[("SSE_CLIENT_ID", &id)],
        &[("SSE_CLIENT_ID", ""), ("CODECHAT_ID", &id)],
        &[("SSE_CLIENT_ID", &id), ("CODECHAT_ID", ID)],
    ] {
        let variables = [&[address], variables].concat();
        let ended = run(&variables, &["send", "hello"]).await;
        assert_eq!(ended.code, Some(0), "{variables:?}: {ended:?}");
        assert_eq!(watcher.line().await, "hello\n");
    }
    let variables = [address, ("SSE_CLIENT_ID", &id)];
    let ended = run(&variables, &["watch", "--count", "1"]).await;
    assert_eq!(ended.stdout, "hello\n", "{ended:?}");
    let ended = run(&[("CODECHAT_ID", "me")], &["send", "x"]).await;
    assert!(ended.stderr.contains("'CODECHAT_ID'"), "{ended:?}");
    let variables = [address, ("CODECHAT_ID", ID)];
    let ended = run(&variables, &["send", "--all", "to all"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn an_error_in_a_variable_names_it() {
    let send = &["send", "--id", ID, "x"][..];
    for (variable, value, words, expected) in [
        ("CODECHAT_LEVEL", "loud", send, "'CODECHAT_LEVEL'"),
        (
            "CODECHAT_TEE",
            "perhaps",
            send,
            "for 'CODECHAT_TEE': must be 1 or 0",
        ),
        (
            "CODECHAT_SERVER",
            "http://me:hunter2@host",
            send,
            "'CODECHAT_SERVER'",
        ),
        ("SSE_CLIENT_ID", "me", &["send", "x"], "'SSE_CLIENT_ID'"),
        ("RUST_LOG", "[", &["serve"], "RUST_LOG must be off"),
        (
            "CODECHAT_LEVEL",
            "info",
            &["send", "--id", ID, "--level", "loud", "x"],
            "'--level <LEVEL>'",
        ),
    ] {
        let ended = run(&[(variable, value)], words).await;
        assert!(ended.stderr.contains(expected), "{variable}: {ended:?}");
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
        assert!(matches!(ended.code, Some(1 | 2)), "{ended:?}");
    }
}

#[tokio::test]
async fn listening_on_another_machines_address_is_an_error_with_a_hint() {
    // From the network that is reserved for documentation (RFC 5737).
    let ended = run(&[], &["serve", "--no-auth", "--listen", "192.0.2.1:0"]).await;
    assert_eq!(ended.code, Some(1));
    let expected = "it is not an address of this machine";
    assert!(ended.stderr.contains(expected), "{ended:?}");
}
