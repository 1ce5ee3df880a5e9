//! A byte order mark, which editors and other systems put at the start of a text, is not part of the text.

use codechat::internal::server::Tls;

use crate::support::{
    process::{Running, Scratch, Serve, codechat},
    scripted::{Reply, Scripted},
};

const MARK: &str = "\u{feff}";

#[tokio::test]
async fn a_mark_is_removed_from_stdin_and_selects_utf_16() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    let text = format!("{MARK}grün\nready\n");
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for input in [text.as_bytes(), &little, &big] {
        let mut send = Running::codechat(["send", "--server", &server.url, "--id", &id]);
        send.write(input).await;
        assert_eq!(send.end().await.code, Some(0));
        assert_eq!(watcher.line().await, "grün\n");
        assert_eq!(watcher.line().await, "ready\n");
    }
    let script = format!("printf '{MARK}first\\n'");
    let command = [
        "send",
        "--server",
        &server.url,
        "--id",
        &id,
        "--",
        "sh",
        "-c",
        &script,
    ];
    assert_eq!(Running::codechat(command).end().await.code, Some(0));
    while watcher.line().await != "first\n" {}
}

#[tokio::test]
async fn a_mark_is_removed_from_a_token_file() {
    let scratch = Scratch::new();
    let file = scratch.path("token");
    std::fs::write(&file, format!("{MARK}secret\n")).unwrap();
    for variable in [false, true] {
        let kind = ["Content-Type: application/json"];
        let replies = [Reply::answer("202 Accepted", &kind, r#"{"clients":1}"#)];
        let mut server = Scripted::start(replies).await;
        let mut command = codechat(["send", "--server", &server.url, "--all", "hi"]);
        if variable {
            command.env("CODECHAT_TOKEN", format!("{MARK}secret"));
        } else {
            command.env("CODECHAT_TOKEN_FILE", &file);
        }
        let ended = Running::start(&mut command).end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let asked = server.asked().await;
        assert_eq!(asked.header("authorization"), Some("Bearer secret"));
    }
}

#[tokio::test]
async fn a_mark_is_allowed_in_a_certificate_and_a_key() {
    let scratch = Scratch::new();
    let with_mark = |name: &str| {
        let given = format!("{}/tests/support/tls/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(given).unwrap();
        let path = scratch.path(name);
        std::fs::write(&path, format!("{MARK}{text}")).unwrap();
        path
    };
    Tls::load(&with_mark("cert.pem"), &with_mark("key.pem")).unwrap();
}
