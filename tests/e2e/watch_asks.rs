//! A script sends control requests with the flags of `watch`, and the server keeps them.

use serde_json::json;

use crate::support::process::{Running, Serve};

const UNKNOWN: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";

#[tokio::test]
async fn a_script_sends_control_requests_with_the_flags_of_watch() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    let watch = |more: &[&str]| {
        let args = [&["watch", "--server", &server.url], more].concat();
        Running::codechat(args).end()
    };
    let ended = watch(&["--id", &id, "--cancel", "--ask-level", "debug"]).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(0), "", "")
    );
    let target = format!("/api/v1/sse/debug/control/{id}");
    let mut control = server.http.stream(&target, &[]).await;
    let state = control.event().await.json();
    assert_eq!(
        (&state["level"], &state["cancel"]),
        (&json!("debug"), &json!(true))
    );
    assert_eq!(
        watch(&["--id", &id, "--ask-level", "none"]).await.code,
        Some(0)
    );
    let state = control.event().await.json();
    assert_eq!(
        (&state["level"], &state["cancel"]),
        (&json!(null), &json!(true))
    );

    let without = watch(&["--cancel"]).await;
    assert_eq!(without.code, Some(2));
    assert!(without.stderr.contains("--id"), "{without:?}");
    let unknown = watch(&["--id", UNKNOWN, "--cancel"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.stderr.contains("no client with this ID"),
        "{unknown:?}"
    );
}
