//! Draws the screen from the model; nothing here keeps state.
//!
//! ```text
//! ● live · message 2 s ago · heartbeat 2 s ago       127.0.0.1:2428 · 3f2b8c1e    header
//! refresh-repo ━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌ 48/120 files · 40 % · 3.1/s · ETA 24 s      operations
//! ────────────────────────────────────────────────────────────────────────────
//!    12:34:56.789 Cloning demo                                                    body
//! ▌E 12:34:57.001 cannot read objects/pack: permission denied, so the clone is
//!                 made without it
//! ◆  12:34:57.233 Processed file 48 of 120
//! ────────────────────────────────────────────────────────────────────────────
//! received 1,234 · shown 1,200 · filtered 34 · lost 0   paused, +12 new, 3 errors footer
//! Space page  G follow  Enter open  / search  & filter  ? help  q quit
//! ```
//!
//! In the body: the focus (`▌`), a mark (`◆`) or both (`◈`), the level's letter, the time, the text. Help, a message in
//! full and the first steps take the body's place; a prompt takes the last line's.

mod body;
pub mod canvas;
mod detail;
mod footer;
mod header;
mod help;
pub mod spans;
pub mod theme;
mod welcome;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::state::{Mode, Screen};
use canvas::Canvas;
use theme::Theme;

/// Draws the screen as of a time; returns the cursor's place, if it is shown.
pub fn draw(screen: &Screen, theme: Theme, now: Duration, buffer: &mut Buffer) -> Option<Position> {
    let parts = screen.parts();
    let area = buffer.area;
    let mut rows = area.y..area.bottom();
    let mut next = |height: u16| {
        let y = rows.start.min(area.bottom());
        rows.start = y.saturating_add(height);
        Rect::new(area.x, y, area.width, height.min(area.bottom() - y))
    };
    header::draw(screen, now, &mut Canvas::new(buffer, next(1), theme));
    let operations = next(parts.operations);
    header::draw_operations(screen, now, &mut Canvas::new(buffer, operations, theme));
    let rule = u16::from(parts.rules);
    draw_rule(&mut Canvas::new(buffer, next(rule), theme));
    let mut canvas = Canvas::new(buffer, next(parts.body), theme);
    match &screen.mode {
        Mode::Help(scroll) => help::draw(screen, *scroll, &mut canvas),
        Mode::Detail(message) => detail::draw(message, &mut canvas),
        _ if welcome::is_due(screen) => welcome::draw(screen, &mut canvas),
        _ => body::draw(screen, &mut canvas),
    }
    draw_rule(&mut Canvas::new(buffer, next(rule), theme));
    footer::draw(screen, &mut Canvas::new(buffer, next(parts.footer), theme))
}

fn draw_rule(canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let line = "─".repeat(usize::from(canvas.area.width));
    canvas.put(0, 0, &theme.own(&line), theme.faint());
}
