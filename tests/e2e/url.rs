//! `codechat watch URL`: any event stream, requested with curl's flags, and its handling of each kind of answer.

use std::process::Stdio;

use crate::support::{
    process::{Running, Scratch, Serve, codechat},
    scripted::{Reply, Scripted},
    tls::file,
};

/// Starts a watch of a path on the server.
fn watch(server: &Scripted, path: &str, flags: &[&str]) -> Running {
    let url = format!("{}{path}", server.url);
    Running::codechat([&["watch", &url], flags].concat())
}

#[tokio::test]
async fn a_curl_line_works_with_the_word_replaced() {
    let mut server = Scripted::start([Reply::stream("data: [DONE]\n\n")]).await;
    let flags = [
        "-sSNfL",
        "--compressed",
        "-X",
        "PUT",
        "-u",
        "me:pass:word",
        "-H",
        "X-One: 1",
        "-HX-Two;",
        "-H",
        "user-agent:",
        "--json",
        "{\"a\": 1}",
    ];
    let ended = watch(&server, "/events?q=1", &flags).end().await;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), ""), "{ended:?}");
    let request = server.asked().await;
    assert_eq!(request.line, "PUT /events?q=1");
    assert_eq!(request.body, "{\"a\": 1}");
    for (name, value) in [
        ("accept", Some("text/event-stream")),
        ("accept-encoding", Some("identity")),
        ("authorization", Some("Basic bWU6cGFzczp3b3Jk")),
        ("cache-control", Some("no-store")),
        ("content-type", Some("application/json")),
        ("user-agent", None),
        ("x-one", Some("1")),
        ("x-two", Some("")),
    ] {
        assert_eq!(request.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn data_and_headers_are_read_from_files_and_stdin() {
    let scratch = Scratch::new();
    let (form, headers) = (scratch.path("form"), scratch.path("headers"));
    std::fs::write(&form, "a=1\r\n").unwrap();
    std::fs::write(&headers, "X-A: 1\r\n\r\nAccept: text/plain\r\n").unwrap();
    let mut server = Scripted::start([Reply::stream("data: x\n\n")]).await;
    let (form, headers) = (form.display(), headers.display());
    let flags = [
        "-d",
        &format!("@{form}"),
        "--data-binary",
        &format!("@{form}"),
        "-d",
        "@-",
        "-H",
        &format!("@{headers}"),
    ];
    let mut watcher = watch(&server, "/", &flags);
    watcher.write("b=2\n").await;
    let ended = watcher.end().await;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "x\n"), "{ended:?}");
    let request = server.asked().await;
    assert_eq!(request.line, "POST /");
    assert_eq!(request.body, "a=1&a=1\r\n&b=2");
    assert_eq!(request.header("x-a"), Some("1"));
    assert_eq!(request.header("accept"), Some("text/plain"));
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(request.header("content-type"), form);
}

#[tokio::test]
async fn variables_that_name_a_client_or_a_server_are_ignored() {
    let mut server = Scripted::start([Reply::stream("data: x\n\n")]).await;
    let mut command = codechat(["watch", "--once", &server.url]);
    command
        .env("CODECHAT_ID", "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b")
        .env("CODECHAT_SERVER", "http://127.0.0.1:1")
        .env("CODECHAT_TOKEN", "secret")
        .env("CODECHAT_STAY", "1")
        .env("CODECHAT_PRINT_ID", "1")
        .env("CODECHAT_TAIL", "no number")
        .env("CODECHAT_CANCEL", "perhaps")
        .stdout(Stdio::piped());
    let ended = Running::start(&mut command).end().await;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "x\n"), "{ended:?}");
    let request = server.asked().await;
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.header("sse-client-id"), None);
}

#[tokio::test]
async fn url_flags_are_errors_without_a_url() {
    for flag in [
        &["-H", "X: y"][..],
        &["-d", "x"],
        &["-u", "a:b"],
        &["-X", "PUT"],
        &["--cacert", "/gone"],
        &["-k"],
        &["--last-event-id", "7"],
        &["--once"],
    ] {
        for rest in [
            &[][..],
            &["--server", "http://127.0.0.1:1"],
            &["--replay", "/gone"],
        ] {
            let ended = Running::codechat([&["watch"], flag, rest].concat())
                .end()
                .await;
            assert_eq!(ended.code, Some(2), "{ended:?}");
            let reason = "is for an event stream that a URL names";
            assert!(ended.stderr.contains(reason), "{ended:?}");
        }
    }
}

#[tokio::test]
async fn a_time_limit_ends_a_watch_that_waits_for_its_data() {
    for flags in [["-d", "@-"], ["-H", "@-"]] {
        let server = Scripted::start([]).await;
        let watcher = watch(&server, "/", &[&flags[..], &["--timeout", "0s"]].concat());
        // Its stdin stays open.
        assert!(watcher.leaves().await, "{flags:?}");
    }
}

#[tokio::test]
async fn a_command_whose_stream_does_not_answer_ends_at_the_time_limit() {
    let server = Scripted::start([Reply::default().hold()]).await;
    let command = ["--timeout", "5500ms", "--linger", "1m", "--", "true"];
    let watcher = watch(&server, "/", &command);
    let ended = watcher.end_within(crate::support::PATIENCE * 2).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[tokio::test]
async fn answers_that_are_not_streams_are_errors_that_describe_them() {
    let json = ["Content-Type: application/json"];
    let page = ["Content-Type: text/html"];
    let moved = ["Content-Type: text/plain", "Location: ws://h/x?token=t"];
    for (reply, expected) in [
        (
            Reply::answer("200 OK", &page, "<p>hi"),
            "answers with text/html instead of an event stream, beginning with \"<p>hi\"",
        ),
        (
            Reply::answer("200 OK", &["Content-Type: application/x-ndjson"], "{}\n"),
            "answers with application/x-ndjson instead of",
        ),
        (
            Reply::answer("200 OK", &json, "{\"clientId\":\"x\"}"),
            "this server issues client IDs: name it with --server",
        ),
        (
            Reply::answer("200 OK", &[], ""),
            "answers with no content type instead of an event stream, beginning with \"\"",
        ),
        (
            Reply::answer("200 OK", &["Content-Type: text/plain"], "hello: x\n"),
            "answers with text/plain instead of",
        ),
        (
            Reply::answer("302 Found", &moved, ""),
            "refused (302): it redirects to ws://h/x, where this request is not sent",
        ),
        (
            Reply::answer("302 Found", &["Location: ftp://me:token@h/x"], ""),
            "refused (302): it redirects to ftp://h/x, where this request is not sent",
        ),
        (
            Reply::answer(
                "404 Not Found",
                &json,
                "{\"message\":\"no topic\",\"stackTrace\":1}",
            ),
            "refused (404): no topic",
        ),
        (
            Reply::stream_with("Content-Encoding: br\r\n", ""),
            "the stream has the content coding br, which is not supported",
        ),
        (
            Reply::stream_with("Content-Encoding: gzip\r\n", "no gzip at all"),
            "the stream's gzip data is invalid after 0 bytes",
        ),
    ] {
        let server = Scripted::start([reply]).await;
        let ended = watch(&server, "/a?token=secret", &[]).end().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{expected}: {ended:?}");
        assert!(!ended.stderr.contains("token"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_stream_without_its_content_type_is_read_with_a_note_about_browsers() {
    for (kind, expected) in [
        ("", "missing"),
        ("Content-Type: text/plain\r\n", "\"text/plain\""),
    ] {
        let body = "\n: hi\n\ndata: x\n\n";
        let reply = Reply::raw(format!("HTTP/1.1 200 OK\r\n{kind}\r\n{body}"));
        let server = Scripted::start([reply]).await;
        let ended = watch(&server, "/", &["-n", "1"]).end().await;
        assert_eq!((ended.code, &*ended.stdout), (Some(0), "x\n"), "{ended:?}");
        let expected = format!("-- browsers refuse this stream: its Content-Type is {expected} --");
        assert!(ended.stderr.contains(&expected), "{ended:?}");
    }
}

#[tokio::test]
async fn an_end_announced_by_the_server_ends_the_watch() {
    for reply in [
        Reply::raw("HTTP/1.1 204 No Content\r\n\r\n"),
        Reply::stream("data: [DONE]\n\ndata: after\n\n"),
    ] {
        let server = Scripted::start([reply.clone()]).await;
        let ended = watch(&server, "/", &["--format", "raw"]).end().await;
        assert_eq!((ended.code, &*ended.stdout), (Some(0), ""), "{ended:?}");
        let server = Scripted::start([reply]).await;
        let ended = watch(&server, "/", &["--until-done"]).end().await;
        assert_eq!(ended.code, Some(3), "without an outcome: {ended:?}");
    }
}

#[tokio::test]
async fn a_codechat_stream_is_recognised() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    server.http.publish(&id, "hello").await;
    let url = format!("{}/api/v1/sse/debug/{id}?format=json", server.url);
    let ended = Running::codechat(["watch", "-n", "1", "--format", "json", &url])
        .end()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stdout.contains("receivedAt"), "{ended:?}");
    assert!(ended.stdout.contains("\"message\":\"hello\""), "{ended:?}");
}

#[tokio::test]
async fn a_certificate_is_trusted_by_a_file_or_unchecked_with_a_note() {
    let (cert, key, ca) = (file("cert.pem"), file("key.pem"), file("ca.pem"));
    let flags = ["--tls-cert", cert.to_str().unwrap(), "--tls-key"];
    let words = ["serve", "--listen", "127.0.0.1:0"];
    let words = [&words[..], &flags, &[key.to_str().unwrap()]].concat();
    let mut serve = Running::codechat(words);
    let line = serve.says("listening on https://").await;
    let (_, rest) = line.split_once("https://").unwrap();
    let (address, _) = rest.split_once(';').unwrap();
    let url = format!("https://{address}/api/v1/sse/debug/3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b");
    let watch_with = |flags: &[&str]| {
        let words = [&["watch", &url, "--timeout", "30s"], flags].concat();
        Running::codechat(words)
    };
    let distrusts = watch_with(&[]).end().await;
    assert_eq!(distrusts.code, Some(1), "{distrusts:?}");
    assert!(distrusts.stderr.contains("ertificate"), "{distrusts:?}");
    let greeting = "-- Starting server communication... --";
    watch_with(&["--cacert", ca.to_str().unwrap()])
        .says(greeting)
        .await;
    let mut blind = watch_with(&["-k"]);
    blind
        .says("warning: the server's certificate is not verified (-k)")
        .await;
    blind.says(greeting).await;
    let none = watch_with(&["--cacert", key.to_str().unwrap()]).end().await;
    let expected = format!("no certificate in {}", key.display());
    assert!(none.stderr.contains(&expected), "{none:?}");
}

#[tokio::test]
async fn a_command_runs_once_the_stream_is_open() {
    let hello = Reply::stream("data: hello\n\n").hold();
    let server = Scripted::start([hello]).await;
    let command = ["-n", "1", "--", "sh", "-c", "echo ran {id}; exit 7"];
    let ended = watch(&server, "/", &command).end().await;
    assert_eq!(ended.code, Some(7), "{ended:?}");
    assert_eq!(ended.stdout, "ran {id}\n", "there is no ID");
    assert!(ended.stderr.contains("hello\n"), "{ended:?}");
    assert!(!ended.stderr.contains("Sse-Client-ID"), "{ended:?}");
}

#[tokio::test]
async fn a_command_that_causes_the_first_event_runs_before_it() {
    // No head arrives.
    let server = Scripted::start([Reply::default().hold()]).await;
    let command = ["--linger", "0s", "--", "echo", "ran"];
    let ended = watch(&server, "/", &command)
        .end_within(crate::support::PATIENCE * 2)
        .await;
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(0), "ran\n"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("-- no answer yet --"), "{ended:?}");
}
