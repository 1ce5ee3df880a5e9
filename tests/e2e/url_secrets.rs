//! Secrets in a request are known only to the user and the server that they are for.

use crate::support::{
    process::{Running, Scratch},
    scripted::{Reply, Scripted},
};

#[tokio::test]
async fn secrets_are_in_no_process_list_output_or_recording() {
    let scratch = Scratch::new();
    let (headers, record) = (scratch.path("headers"), scratch.path("record"));
    std::fs::write(&headers, "Authorization: Bearer s3cret\n").unwrap();
    let replies = [
        Reply::stream("retry: 0\ndata: a\n\n"),
        Reply::stream("data: b\n\n").hold(),
    ];
    let mut server = Scripted::start(replies).await;
    let headers = format!("@{}", headers.display());
    let url = format!("{}/a", server.url);
    let flags = ["--record", record.to_str().unwrap(), "--summary"];
    let words = [&["watch", &url, "-H", &headers], &flags[..]].concat();
    let mut watcher = Running::codechat(words);
    assert_eq!(watcher.line().await, "a\n");
    assert_eq!(watcher.line().await, "b\n");
    let list = std::fs::read(format!("/proc/{}/cmdline", watcher.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&list).contains("s3cret"));
    for _ in 0..2 {
        let asked = server.asked().await;
        assert_eq!(asked.header("authorization"), Some("Bearer s3cret"));
    }
    watcher.signal("INT").await;
    let ended = watcher.end().await;
    let record = std::fs::read_to_string(record).unwrap();
    assert!(record.contains("\"data\":\"a\""), "{record}");
    assert!(!(ended.stderr + &record).contains("s3cret"));
}

#[tokio::test]
async fn the_secret_parts_of_a_url_are_sent_but_not_shown() {
    let replies = [Reply::stream("retry: 0\ndata: a\n\n")];
    let mut server = Scripted::start(replies).await;
    let url = server.url.replace("http://", "http://user:s3cret@") + "/a?token=s3cret#s3cret";
    let mut watcher = Running::codechat(["watch", &url]);
    let asked = server.asked().await;
    assert_eq!(asked.line, "GET /a?token=s3cret");
    assert_eq!(
        asked.header("authorization"),
        Some("Basic dXNlcjpzM2NyZXQ=")
    );
    assert_eq!(watcher.line().await, "a\n");
    server.asked().await;
    watcher.signal("TERM").await;
    let ended = watcher.end().await;
    assert!(!ended.stderr.contains("s3cret"), "{ended:?}");
    let refused = Running::codechat(["watch", "http://me:s3cret@127.0.0.1:1/a?s3cret"]);
    let ended = refused.end().await;
    let expected = "nothing answers at http://127.0.0.1:1/a: connection refused";
    assert!(ended.stderr.contains(expected), "{ended:?}");
    assert!(!ended.stderr.contains("s3cret"), "{ended:?}");
    for words in [
        &["watch", "ftp://me:s3cret@h/?s3cret"][..],
        &["watch", "me:s3cret@h/?s3cret"],
        &["watch", "http://h", "-H", "s3cret"],
        &["watch", "http://h", "-u", "s3cret"],
    ] {
        let ended = Running::codechat(words).end().await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(!ended.stderr.contains("s3cret"), "{ended:?}");
    }
}

#[tokio::test]
async fn another_origin_gets_neither_headers_nor_a_password() {
    let streams = ["a", "b"].map(|it| format!("retry: 0\nid: 7\ndata: {it}\n\n"));
    let mut other = Scripted::start(streams.map(Reply::stream)).await;
    let place = format!("Location: {}/there", other.url);
    let moved = Reply::answer("302 Found", &[&place], "");
    let mut server = Scripted::start([moved.clone(), moved]).await;
    let url = format!("{}/a", server.url);
    let words = ["-H", "X-Key: s3cret", "-u", "me:s3cret", "-n", "2"];
    let mut watcher = Running::codechat([&["watch", &url], &words[..]].concat());
    let note = watcher
        .says("neither your headers (-H, -u) nor a body")
        .await;
    assert!(
        note.contains(&format!("redirected to {}", other.url)),
        "{note}"
    );
    let ended = watcher.end().await;
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(0), "a\nb\n"),
        "{ended:?}"
    );
    assert!(
        !ended.stderr.contains("neither"),
        "reported once: {ended:?}"
    );
    for last in [None, Some("7")] {
        let first = server.asked().await;
        assert_eq!(first.header("x-key"), Some("s3cret"));
        let asked = other.asked().await;
        assert_eq!(asked.line, "GET /there");
        assert_eq!(asked.header("accept"), Some("text/event-stream"));
        assert_eq!(asked.header("last-event-id"), last);
        for name in ["x-key", "authorization"] {
            assert_eq!(asked.header(name), None, "{name}");
        }
    }
}

#[tokio::test]
async fn a_refusal_by_another_origin_says_what_was_left_out() {
    let refusal = Reply::answer("401 Unauthorized", &[], "who are you?");
    let other = Scripted::start([refusal]).await;
    let place = format!("Location: {}/there", other.url);
    let server = Scripted::start([Reply::answer("302 Found", &[&place], "")]).await;
    let watcher = Running::codechat(["watch", &server.url, "-H", "X-Key: s3cret"]);
    let ended = watcher.end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expected = "which gets neither your headers (-H, -u) nor a body";
    assert!(ended.stderr.contains(expected), "{ended:?}");
}
