//! A terminal is shown text and colours only, whatever others write.

use serde_json::json;

use crate::support::{
    http::stream_of,
    process::CODECHAT,
    scripted::{Reply, Scripted},
    server::Server,
    terminal::Terminal,
};

/// Title, clipboard, link, cursor, screen, C1, DCS, bidi and invisible characters, and a colour.
const HOSTILE: &str = "a\u{1b}]0;title\u{7}b\u{1b}]52;c;aGk=\u{1b}\\c\u{1b}]8;;http://x\u{1b}\\d\u{1b}[2J\u{1b}[1;1H\
    e\u{9b}31mf\u{90}q\u{9c}g\u{1b}Pq\u{1b}\\h\u{202e}i\u{2066}j\u{200b}k\u{7f}l\u{8}m\u{1b}[31mn\u{1b}[0m";

/// Runs `codechat` with these words in a terminal to its end; returns its output.
async fn on_terminal(args: &[&str]) -> String {
    let words = [&[CODECHAT], args].concat();
    let mut terminal = Terminal::start(&words, (80, 24));
    terminal.end().await;
    String::from_utf8(terminal.bytes()).unwrap()
}

/// Asserts that only text, line ends and colours were written.
fn assert_obeys_nothing(written: &str) {
    let colours = regex::Regex::new("\x1b\\[[0-9;:]*m").unwrap();
    let text = colours.replace_all(written, "").replace("\r\n", "");
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(obeyed), "{written:?}");
}

#[tokio::test]
async fn no_message_controls_the_terminal_in_any_format() {
    let server = Server::start().await;
    let id = server.connect().await;
    let url = format!("http://{}", server.address);
    let object = json!({"message": HOSTILE, "fields": {HOSTILE: HOSTILE}}).to_string();
    let kind = ["Content-Type: application/json"];
    let answer = server.post(&stream_of(&id), &kind, object).await;
    assert_eq!(answer.status, 202);
    // A form without control characters, so that they may be in a name.
    let named = json!({"message": "named", "operation": "a\u{202e}b\u{200b}c\u{2066}"}).to_string();
    let answer = server.post(&stream_of(&id), &kind, named).await;
    assert_eq!(answer.status, 202);
    for format in ["text", "json", "raw"] {
        let watch = ["watch", "--server", &url, "--id", &id, "--format", format];
        let written = on_terminal(&[&watch[..], &["--count", "2"]].concat()).await;
        assert!(written.contains("named"), "{written:?}");
        assert!(written.contains("<U+202E>"), "{written:?}");
        assert_obeys_nothing(&written);
    }
}

#[tokio::test]
async fn no_server_error_controls_the_terminal() {
    const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
    let problem = json!({"type": HOSTILE, "title": HOSTILE, "detail": HOSTILE}).to_string();
    for (kind, body) in [
        ("application/problem+json", problem.as_str()),
        ("text/plain", HOSTILE),
    ] {
        for words in [
            &["send", "--id", ID, "x"][..],
            &["send", "--all", "x"],
            &["watch", "--format", "text"],
            &["watch", "--format", "text", "--id", ID],
        ] {
            let head = format!(
                "HTTP/1.1 403 Forbidden\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let server = Scripted::start([Reply::raw(head + body)]).await;
            let written = on_terminal(&[words, &["--server", &server.url]].concat()).await;
            assert!(written.contains("403"), "{written:?}");
            assert_obeys_nothing(&written);
        }
    }
}

#[tokio::test]
async fn lines_have_their_levels_colour_and_log_format_adds_time_and_operation() {
    let server = Server::start().await;
    let id = server.connect().await;
    let url = format!("http://{}", server.address);
    let kind = ["Content-Type: application/json"];
    let object = json!({"message": "disk full", "level": "error", "operation": "import"});
    server
        .post(&stream_of(&id), &kind, object.to_string())
        .await;
    server.publish(&id, "plain").await;
    let watch = [
        "watch", "--server", &url, "--id", &id, "--count", "2", "--format",
    ];
    let text = on_terminal(&[&watch[..], &["text"]].concat()).await;
    assert!(text.contains("\x1b[31mdisk full\x1b[0m\r\n"), "{text:?}");
    assert!(text.contains("\nplain\r\n"), "{text:?}");
    let log = on_terminal(&[&watch[..], &["log"]].concat()).await;
    let line =
        regex::Regex::new("\x1b\\[31m\\d\\d:\\d\\d:\\d\\d\\.\\d{3} error import: disk full\x1b")
            .unwrap();
    assert!(line.is_match(&log), "{log:?}");
}
