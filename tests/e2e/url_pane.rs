//! The pane on any event stream, in a real terminal.

use crate::support::{
    process::CODECHAT,
    scripted::{Reply, Scripted},
    terminal::Terminal,
};

const SIZE: (u16, u16) = (100, 24);

#[tokio::test]
async fn a_stream_is_shown_and_a_hint_says_how_to_resume() {
    let events =
        "id: urn:7\nevent: tick\ndata: {\"msg\":\"step 7\",\"level\":\"warn\",\"n\":1.10}\n\n";
    let server = Scripted::start([Reply::stream(events).hold()]).await;
    let url = format!("{}/a?token=s3cret", server.url);
    let mut terminal = Terminal::start(&[CODECHAT, "watch", &url], SIZE);
    terminal.shows("step 7").await;
    let shown = terminal.text();
    assert!(
        shown.contains(&format!("GET {}/a\n", server.url)),
        "{shown}"
    );
    assert!(!shown.contains("s3cret"), "{shown}");
    terminal.keys("D");
    terminal
        .shows("this server takes no control requests")
        .await;
    terminal.keys("p\r");
    terminal.shows("\"n\": 1.10").await;
    terminal.keys("qq");
    let (code, left) = terminal.end().await;
    assert_eq!(code, 0, "{left}");
    assert!(
        left.contains("continue with --last-event-id urn:7"),
        "{left}"
    );
}

#[tokio::test]
async fn a_post_is_not_sent_again_by_a_key() {
    let reply = Reply::stream("id: 7\ndata: a\n\n").hold();
    let mut server = Scripted::start([reply]).await;
    let words = [CODECHAT, "watch", "-d", "work", &server.url];
    let mut terminal = Terminal::start(&words, SIZE);
    terminal.shows("POST http://").await;
    terminal.keys("r");
    terminal.shows("this request is not sent again").await;
    terminal.keys("q");
    let (code, left) = terminal.end().await;
    assert_eq!(code, 0, "{left}");
    assert!(!left.contains("go on with"), "{left}");
    assert_eq!(server.connections().await, 1);
}
