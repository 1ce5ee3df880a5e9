//! The line that stays below the messages while something is being worked on:
//!
//! ```text
//! refresh  [######--------------]  12/40 files  30 %  3.2/s  ETA 9 s  elapsed 4 s  +1 more
//! ```

use std::time::Duration;

use tokio::time::{self, Instant};
use unicode_width::UnicodeWidthStr;

use crate::terminal::safe_text::{Colour, safe_line};
use crate::terminal::status_line;
use crate::watch::format;
use crate::watch::operations::{OperationState, Operations};

/// Shortest time between two redraws after a change.
const REDRAW: Duration = Duration::from_millis(100);
/// Time between redraws without a change: the line shows times.
const TICK: Duration = Duration::from_secs(1);
/// Greatest width of an operation's name, in columns.
const NAME_WIDTH: usize = 30;
/// Greatest and least width of the gauge, in columns.
const GAUGE_WIDTH: (usize, usize) = (30, 8);

/// Draws the line on stderr, and removes it when dropped.
#[derive(Debug)]
pub(in crate::watch) struct ProgressLine {
    drawn_at: Instant,
    has_changed: bool,
    is_shown: bool,
}

impl ProgressLine {
    /// Creates a line below all others on stderr, if that is a terminal that can show it.
    #[must_use]
    pub(in crate::watch) fn on_stderr() -> Option<Self> {
        status_line::width()?;
        Some(Self {
            drawn_at: Instant::now(),
            has_changed: false,
            is_shown: false,
        })
    }

    /// Notes that something changed.
    pub(in crate::watch) fn note_change(&mut self) {
        self.has_changed = true;
    }

    /// Returns whether the line should be drawn: for a stream that never pauses.
    #[must_use]
    pub(in crate::watch) fn is_due(&self) -> bool {
        self.has_changed && self.drawn_at.elapsed() >= REDRAW
    }

    /// Waits until the line should be drawn again.
    pub(in crate::watch) async fn due(&self) {
        match (self.has_changed, self.is_shown) {
            (true, _) => time::sleep_until(self.drawn_at + REDRAW).await,
            (false, true) => time::sleep_until(self.drawn_at + TICK).await,
            (false, false) => std::future::pending().await,
        }
    }

    /// Draws the line.
    pub(in crate::watch) fn draw(&mut self, operations: &Operations, now: Duration) {
        self.drawn_at = Instant::now();
        self.has_changed = false;
        let line = status_line::width().and_then(|width| line(operations, now, width));
        self.is_shown = line.is_some();
        match line {
            Some(line) => status_line::pin(&line),
            None => status_line::unpin(),
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        status_line::unpin();
    }
}

/// Returns the line, no wider than `width`; `None` while nothing runs. It shows the operation that began first
/// and has a progress: others are most likely parts of it.
fn line(operations: &Operations, now: Duration, width: usize) -> Option<String> {
    let with_progress = || operations.running().find(|it| it.progress().is_some());
    let state = with_progress().or_else(|| operations.running().next())?;
    let name = state.name().map(|it| {
        let safe = safe_line(it, Colour::Strip);
        format::cut(&safe, NAME_WIDTH)
    });
    let parts = figures_of(state, now);
    let others = operations.running().count() - 1;
    let more = (others > 0).then(|| format!("+{others} more"));

    let mut pieces: Vec<String> = name.into_iter().chain(parts).chain(more).collect();
    if let Some(fraction) = state.fraction() {
        let others = pieces
            .iter()
            .map(|it| it.width() + GAP.len())
            .sum::<usize>();
        let left = width.saturating_sub(others + "[]".len()).min(GAUGE_WIDTH.0);
        if left >= GAUGE_WIDTH.1 {
            pieces.insert(usize::from(state.name().is_some()), gauge(fraction, left));
        }
    }
    Some(format::cut(&pieces.join(GAP), width))
}

const GAP: &str = "  ";

/// Returns the figures beside an operation's name and gauge, the more important first.
fn figures_of(state: &OperationState, now: Duration) -> Vec<String> {
    let is_percent = state.progress().is_some_and(|it| it.unit() == Some("%"));
    let percent = state.fraction().filter(|_| !is_percent);
    let percent = percent.map(|it| format!("{} %", format::number((it * 100.0).floor())));
    let pace: Vec<_> = if let Some(quiet) = state.stalled(now) {
        vec![format!("stalled {}", format::seconds(quiet))]
    } else {
        let rate = state.rate(now).filter(|_| !is_percent).map(format::rate);
        let eta = state.eta(now);
        let eta = eta.map(|it| format!("ETA {}", format::seconds(it)));
        rate.into_iter().chain(eta).collect()
    };
    let elapsed = format!("elapsed {}", format::seconds(state.elapsed(now)));
    format::count(state)
        .into_iter()
        .chain(percent)
        .chain(pace)
        .chain([elapsed])
        .map(|it| safe_line(&it, Colour::Strip).into_owned())
        .collect()
}

fn gauge(fraction: f64, width: usize) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between 0 and a width of a few columns"
    )]
    let done = (fraction * width as f64) as usize;
    format!("[{}{}]", "#".repeat(done), "-".repeat(width - done))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Message, Progress};

    fn message(operation: Option<&str>, current: f64) -> Message {
        Message {
            operation: operation.map(|it| it.parse().unwrap()),
            progress: Some(Progress::new(current, Some(40.0), Some("files")).unwrap()),
            ..Message::default()
        }
    }

    #[test]
    fn a_total_of_0_has_no_gauge_and_no_percentage() {
        let mut operations = Operations::new(true);
        let nothing = Message {
            progress: Some(Progress::new(0.0, Some(0.0), None).unwrap()),
            ..message(Some("refresh"), 0.0)
        };
        operations.update(&nothing, None, Duration::ZERO);
        let line = line(&operations, Duration::from_mins(1), 100).unwrap();
        assert!(line.starts_with("refresh  0/0  "), "{line}");
        for wrong in ["[", "%", "ETA", "stalled", "NaN"] {
            assert!(!line.contains(wrong), "{line}");
        }
    }

    fn refreshing() -> Operations {
        let mut operations = Operations::new(true);
        operations.update(&message(Some("refresh"), 4.0), None, Duration::ZERO);
        operations.update(
            &message(Some("refresh"), 12.0),
            None,
            Duration::from_secs(4),
        );
        operations
    }

    #[test]
    fn a_line_has_progress_rate_and_remaining_time() {
        let mut operations = refreshing();
        let now = Duration::from_secs(4);
        assert_eq!(
            line(&operations, now, 100).unwrap(),
            "refresh  [#########---------------------]  12/40 files  30 %  2/s  ETA 14 s  elapsed 4 s"
        );
        operations.update(&message(None, 1.0), None, now);
        assert!(line(&operations, now, 120).unwrap().ends_with("  +1 more"));
        let later = Duration::from_secs(30);
        let stalled = line(&operations, later, 120).unwrap();
        assert!(
            stalled.contains("30 %  stalled 26 s  elapsed 30 s"),
            "{stalled}"
        );
        assert_eq!(line(&Operations::new(true), now, 100), None);
    }

    #[test]
    fn a_line_fits_any_width() {
        let mut operations = refreshing();
        let wide = "名前の長い操作\u{202e}".repeat(8);
        operations.update(&message(Some(&wide), 1.0), None, Duration::ZERO);
        for width in 0..140 {
            let line = line(&operations, Duration::from_secs(5), width).unwrap();
            assert!(line.width() <= width, "{width}: {line}");
        }
        let narrow = line(&operations, Duration::from_secs(4), 24).unwrap();
        assert_eq!(narrow, "refresh  12/40 files  3…");
    }

    #[test]
    fn a_name_cannot_control_the_terminal() {
        let mut operations = Operations::new(true);
        operations.update(&message(Some("a\u{202e}b"), 1.0), None, Duration::ZERO);
        let line = line(&operations, Duration::ZERO, 200).unwrap();
        assert!(line.starts_with("a<U+202E>b  ["), "{line}");
    }
}
