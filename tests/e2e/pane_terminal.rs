//! The pane in a real terminal: it takes the terminal, works in it, and restores it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use codechat::internal::watch::format::count_of;
use vt100::MouseProtocolMode;

use crate::support::{
    pane::{Pane, publish_lines},
    process::{CODECHAT, Serve},
    soon,
    terminal::Terminal,
};

/// Returns whether a shell waits for a line, and nothing else has the terminal.
fn has_prompt(screen: &vt100::Screen) -> bool {
    !screen.alternate_screen() && screen.contents().trim_end().ends_with("\n$")
}

#[tokio::test]
async fn a_stream_is_shown_searched_filtered_and_left() {
    let mut pane = Pane::new((80, 24)).await;
    pane.terminal.shows("Nothing has come yet").await;
    pane.publish_lines(1..=100).await;
    pane.terminal.shows("line 100").await;
    pane.terminal.keys("/line 4");
    pane.terminal.shows("hit 11/11").await;
    pane.terminal.keys("\rn");
    pane.terminal.shows("hit 1/11").await;
    pane.terminal.keys("\u{1b}");
    pane.terminal.hides("hit 1/11").await;
    pane.terminal.keys("&7$\r");
    pane.terminal.shows("shown 10 · filtered 90").await;
    pane.terminal.keys("&\u{7f}\u{7f}\r");
    pane.terminal.shows("filtered 0").await;
    pane.terminal.keys("?");
    pane.terminal.shows("half a page down, up").await;
    pane.terminal.keys("qq");
    pane.left("0").await;
    assert!(!pane.terminal.text().contains("line 99"));
}

#[tokio::test]
async fn the_last_screen_stays_after_an_uppercase_q() {
    let mut pane = Pane::new((80, 24)).await;
    pane.publish_lines(1..=3).await;
    pane.terminal.shows("line 3").await;
    pane.terminal.keys("Q");
    pane.left("0").await;
    assert!(
        pane.terminal.text().contains("line 3"),
        "{}",
        pane.terminal.text()
    );
}

#[tokio::test]
async fn ctrl_c_leaves_with_the_code_of_an_interruption() {
    let mut pane = Pane::new((80, 24)).await;
    pane.terminal.keys("\u{3}");
    pane.left("130").await;
}

#[tokio::test]
async fn after_a_burst_of_resizes_the_last_size_counts() {
    let mut pane = Pane::new((80, 24)).await;
    pane.publish_lines(1..=100).await;
    pane.terminal.shows("line 100").await;
    for step in 1..=50 {
        pane.terminal.resize(20 + step * 2, 5 + step);
    }
    pane.terminal.resize(100, 30);
    pane.terminal
        .until("the last size", |screen| {
            let rows: Vec<_> = screen.rows(0, 100).collect();
            rows[27] == "─".repeat(100)
                && rows[26].ends_with("line 100")
                && rows[2].ends_with("line 76")
        })
        .await;
    pane.terminal.resize(20, 5);
    pane.terminal
        .until("the smallest size", |screen| {
            let rows: Vec<_> = screen.rows(0, 20).collect();
            rows[3].ends_with("line 100") && rows[0].starts_with("● live")
        })
        .await;
    pane.terminal.resize(80, 24);
    pane.terminal.shows("? help").await;
    pane.quit().await;
}

#[tokio::test]
async fn a_pause_during_a_flood_loses_nothing() {
    let mut pane = Pane::new((80, 24)).await;
    let (http, id) = (pane.server.http, pane.id.clone());
    let is_frozen = Arc::new(AtomicBool::new(false));
    let seen = is_frozen.clone();
    let flood = tokio::spawn(async move {
        let mut sent = 0;
        while !seen.load(Ordering::Relaxed) {
            publish_lines(http, &id, sent + 1..=sent + 1000).await;
            sent += 1000;
        }
        sent
    });
    pane.terminal.shows("Space freeze").await;
    pane.terminal.keys(" ");
    pane.terminal.shows("paused, +").await;
    let body = |text: String| {
        text.lines()
            .skip(2)
            .take(19)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let frozen = body(pane.terminal.text());
    is_frozen.store(true, Ordering::Relaxed);
    let sent = soon(flood).await.unwrap();
    let all = count_of(sent.into());
    pane.terminal
        .shows(&format!("{all} · shown {all} · filtered 0 · lost 0"))
        .await;
    assert_eq!(body(pane.terminal.text()), frozen);
    pane.terminal.keys("G");
    pane.terminal.shows(&format!("line {sent}")).await;
    pane.quit().await;
}

#[tokio::test]
async fn a_suspended_pane_continues_with_the_messages_received_meanwhile() {
    let mut pane = Pane::new((80, 24)).await;
    pane.publish_lines(1..=3).await;
    pane.terminal.shows("line 3").await;
    pane.terminal.keys("\u{1a}");
    pane.terminal.shows("Stopped").await;
    pane.is_as_before().await;
    pane.publish("while it was away").await;
    pane.terminal.keys("fg\n");
    pane.terminal
        .until("the pane", vt100::Screen::alternate_screen)
        .await;
    pane.terminal.shows("while it was away").await;
    pane.publish("and after").await;
    pane.terminal.shows("and after").await;
    pane.terminal.keys("q");
    pane.terminal.until("the shell", has_prompt).await;
    pane.terminal.keys("echo \"left: $?\"\n");
    pane.left("0").await;
}

#[tokio::test]
async fn signals_restore_the_terminal() {
    for (signal, code) in [("TERM", "143"), ("INT", "130"), ("HUP", "143")] {
        let mut pane = Pane::new((80, 24)).await;
        pane.terminal.keys("\u{1a}");
        pane.terminal.shows("Stopped").await;
        pane.terminal.until("the shell", has_prompt).await;
        // The signal arrives while it is stopped, and takes effect when it continues. Sent by its number: kill also
        // wakes a job, which may have ended before fg.
        let line = format!("kill -{signal} $(jobs -p); fg");
        pane.terminal.keys(&format!("{line}\n"));
        pane.terminal.shows(&line).await;
        let end = format!("the end by {signal}");
        pane.terminal.until(&end, has_prompt).await;
        pane.terminal.keys("echo \"left: $?\"\n");
        pane.left(code).await;
    }
}

#[tokio::test]
async fn the_terminal_is_restored_and_no_message_writes_an_escape() {
    let mut pane = Pane::new((80, 24)).await;
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}]52;c;aGFja2Vk\u{7}\u{1b}P1$r\u{1b}\\\u{9b}5n\u{202e}\u{1b}[?1049l\u{1b}c THE END";
    pane.publish(hostile).await;
    pane.terminal.shows("THE END").await;
    // The mouse, a search, help and a copy: everything that writes escape sequences of its own.
    pane.terminal.keys("\u{1b}OQ");
    pane.terminal
        .until("the mouse", |screen| {
            screen.mouse_protocol_mode() != MouseProtocolMode::None
        })
        .await;
    pane.terminal.keys(" \r");
    pane.terminal.shows("as it came").await;
    pane.terminal.keys("\u{1b}");
    // Sent together, they would be Alt and a key.
    pane.terminal.hides("as it came").await;
    pane.terminal.keys("/owned\r");
    pane.terminal.shows("hit 1/1").await;
    pane.terminal.keys("i");
    pane.terminal.shows("copied the client ID").await;
    let bytes = pane.terminal.bytes();
    let written = String::from_utf8_lossy(&bytes);
    let from_message = [
        "\u{1b}]0;",
        "\u{1b}P",
        "\u{1b}c",
        "\u{9b}",
        "\u{202e}",
        "aGFja2Vk\u{7}",
        "\u{1b}[2J\u{1b}]",
    ];
    for escape in from_message {
        assert!(!written.contains(escape), "{escape:?} was written");
    }
    // A copied text is sent as base64, in a single sequence.
    assert_eq!(written.matches("\u{1b}]").count(), 1);
    assert!(written.contains("\u{1b}]52;c;"));
    pane.quit().await;
}

#[tokio::test]
async fn a_stream_is_resumed_when_its_server_is_back() {
    let mut pane = Pane::new((80, 24)).await;
    pane.publish("before").await;
    pane.terminal.shows("before").await;
    let address = pane.server.http.address.to_string();
    pane.server.process.signal("TERM").await;
    pane.terminal.shows("reconnecting, try").await;
    let back = Serve::start(&[]).await;
    drop(back);
    let args = ["serve", "--listen", &address];
    pane.server = Serve::of(crate::support::process::Running::codechat(args)).await;
    pane.terminal.keys("r");
    pane.terminal.shows("● live").await;
    // The rest of the notice is on its second row.
    pane.terminal
        .shows("the server restarted; messages may be lost, how many is not")
        .await;
    pane.publish("after").await;
    pane.terminal.shows("after").await;
    assert!(pane.terminal.text().contains("before"));
    pane.quit().await;
}

#[tokio::test]
async fn a_stream_that_ended_as_idle_is_opened_again() {
    let mut pane = Pane::with((80, 24), &["--idle-timeout", "300ms"], "").await;
    pane.publish_once_open("before").await;
    pane.terminal.shows("before").await;
    pane.terminal.shows("nothing happened for the idle").await;
    pane.publish_once_open("after").await;
    pane.terminal.shows("after").await;
    assert!(pane.terminal.text().contains("before"));
    pane.quit().await;
}

#[tokio::test]
async fn a_stream_that_was_stopped_stays_on_screen() {
    let mut pane = Pane::new((80, 24)).await;
    pane.publish("before").await;
    pane.terminal.shows("before").await;
    pane.server.http.stop(&pane.id).await;
    pane.terminal.shows("■ ended").await;
    pane.terminal.shows("-- stopped --").await;
    pane.quit().await;
}

#[tokio::test]
async fn a_goal_and_a_time_limit_leave_the_pane() {
    let mut pane = Pane::with((80, 24), &[], "--until-done").await;
    let target = format!("/api/v1/sse/debug/{}?outcome=failed", pane.id);
    pane.server.http.request("POST", &target, &[], "no").await;
    pane.left("3").await;
    let mut pane = Pane::with((80, 24), &[], "--timeout 300ms").await;
    pane.left("4").await;
}

#[tokio::test]
async fn the_shown_messages_are_saved_and_no_file_is_overwritten() {
    let mut pane = Pane::new((80, 24)).await;
    pane.publish_lines(1..=3).await;
    pane.terminal.shows("line 3").await;
    let path = pane.path("saved");
    pane.terminal.keys(&format!("tttts\u{15}{path}\r"));
    pane.terminal.shows("saved ").await;
    let saved = std::fs::read_to_string(&path).unwrap();
    assert!(
        saved.contains("line 1\n") && saved.ends_with("line 3\n"),
        "{saved}"
    );
    pane.terminal.keys(&format!("S\u{15}{path}\r"));
    pane.terminal.shows("saved-2").await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), saved);
    let second = std::fs::read_to_string(format!("{path}-2")).unwrap();
    assert!(second.contains("\"message\":\"line 3\""), "{second}");
}

#[tokio::test]
async fn a_terminal_that_can_show_no_pane_gets_lines() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    let mut terminal = Terminal::open((80, 24)).await;
    let line = format!(
        "TERM=dumb {CODECHAT} watch --server {} --id {id}\n",
        server.url
    );
    terminal.keys(&line);
    terminal.shows("so messages are printed as lines").await;
    server.http.publish(&id, "as a line").await;
    terminal.shows("as a line").await;
    assert!(!String::from_utf8_lossy(&terminal.bytes()).contains("\u{1b}[?1049h"));
}

#[tokio::test]
async fn an_error_at_the_start_is_printed_without_a_pane() {
    let mut terminal = Terminal::open((80, 24)).await;
    let line = format!("{CODECHAT} watch --server http://127.0.0.1:1; echo \"left: $?\"\n");
    terminal.keys(&line);
    terminal.shows("left: 1").await;
    assert!(!String::from_utf8_lossy(&terminal.bytes()).contains("\u{1b}[?1049h"));
}
