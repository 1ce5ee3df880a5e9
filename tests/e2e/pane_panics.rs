//! A panic anywhere in the program closes the pane before its message is printed.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use codechat::internal::{
    client::subscribe::{FeedError, Update},
    event::Format,
    terminal::safe_text::Colour,
    watch::{
        clock::Clock,
        model::Model,
        pane::{
            draw::theme::{Background, Theme},
            run,
            state::{PaneOptions, Screen, Watched},
        },
    },
};
use futures_util::Stream;

use crate::support::{process::Scratch, terminal::Terminal};

/// A stream of updates that ends in a panic: in this thread, or in another one.
struct Panics {
    is_connected: bool,
    elsewhere: bool,
}

impl Stream for Panics {
    type Item = Result<Update, FeedError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !std::mem::replace(&mut self.is_connected, true) {
            let format = Format::Json;
            return Poll::Ready(Some(Ok(Update::Connected {
                format,
                is_codechat: true,
            })));
        }
        assert!(self.elsewhere, "the owner panics");
        std::thread::spawn(|| panic!("another panics"));
        Poll::Pending
    }
}

/// Environment variable that says where to panic: if it is set, the test is the program that it otherwise runs in a
/// terminal.
const PANICS: &str = "CODECHAT_TEST_PANICS";

/// Shows a pane in which something panics.
async fn panic_in_a_pane(elsewhere: bool) {
    let source = Panics {
        is_connected: false,
        elsewhere,
    };
    let options = PaneOptions {
        target: Watched::default(),
        colour: Colour::Keep,
        recording: None,
        began: 0,
        utc_offset: 0,
    };
    let screen = Screen::new(options, Model::default(), 80, 24);
    let theme = Theme::new(Background::Auto, None, true, false);
    let left = run::run(source, None, screen, &Clock::default(), theme, || Ok(())).await;
    eprintln!("it ended: {}", left.unwrap_err());
}

#[tokio::test]
async fn a_panic_anywhere_closes_the_pane_before_its_message_is_printed() {
    if let Some(place) = std::env::var_os(PANICS) {
        return panic_in_a_pane(place == "elsewhere").await;
    }
    let test = std::env::current_exe().unwrap();
    for (place, message) in [
        ("owner", "the owner panics"),
        ("elsewhere", "another panics"),
    ] {
        let mut terminal = Terminal::open((80, 24)).await;
        let scratch = Scratch::new();
        let (before, after) = (scratch.path("before"), scratch.path("after"));
        terminal.keys(&format!(
            "stty -a > {before}; {PANICS}={place} RUST_BACKTRACE=0 {test} --exact pane_panics::a_panic_anywhere_closes_the_pane_before_its_message_is_printed --nocapture; stty -a > {after}; cmp {before} {after} && echo the same as \"before\"\n",
            before = before.display(),
            after = after.display(),
            test = test.display(),
        ));
        terminal.shows("the same as before").await;
        assert!(terminal.text().contains(message), "{}", terminal.text());
        let bytes = terminal.bytes();
        let written = String::from_utf8_lossy(&bytes);
        assert_eq!(written.matches("\u{1b}[?1049h").count(), 1);
        assert_eq!(
            written.matches("\u{1b}[?1049l").count(),
            1,
            "once, not twice"
        );
        let (restored, printed) = (written.find("\u{1b}[?1049l"), written.rfind(message));
        assert!(restored < printed, "it is printed after the pane");
        if place == "elsewhere" {
            assert!(terminal.text().contains("it ended: the screen was closed"));
        }
    }
}
