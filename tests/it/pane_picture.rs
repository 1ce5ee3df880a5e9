//! `docs/pane.svg` shows what the pane draws. To draw it again: `UPDATE=1 cargo test pane_picture`.

use std::{fmt::Write, fs, path::Path};

use codechat::internal::message::{Level, Message};
use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

use crate::support::drawn::Drawn;

const WIDTH: u16 = 92;
const HEIGHT: u16 = 16;
/// The size of a cell, in pixels.
const CELL: (usize, usize) = (9, 20);
const MARGIN: usize = 12;
const BACK: &str = "#14171c";
const FRONT: &str = "#d7dce3";

#[test]
fn the_picture_is_what_the_pane_draws() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pane.svg");
    let picture = svg(&scene().buffer());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, picture).unwrap();
    } else {
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == picture,
            "docs/pane.svg is stale; to draw it again: UPDATE=1 cargo test pane_picture"
        );
    }
}

/// Returns the scene: two operations, an error in focus, and newer messages below.
fn scene() -> Drawn {
    let mut drawn = Drawn::new(WIDTH, HEIGHT);
    let work = |operation: &str, at: u32, text: &str, level| {
        Message::text(text)
            .level(level)
            .operation(operation)
            .progress(at, Some(120))
            .unit("files")
    };
    let files = ["src/hub/channel.rs", "src/client/retry.rs", "README.md"];
    for at in 1..=41 {
        let file = files[usize::try_from(at).unwrap() % files.len()];
        let text = format!("Processed file {at} of 120: {file}");
        drawn.wait(0.13);
        drawn.say(work("refresh-repo", at, &text, Level::Info));
    }
    let link = "docs/cli.md has a link that leads nowhere: ../notes.md";
    drawn.say(work(
        "check-links",
        12,
        "12 pages have been read",
        Level::Debug,
    ));
    drawn.wait(0.4);
    drawn.say(work("check-links", 24, link, Level::Warn));
    let error =
        "cannot read objects/pack-7f3a.idx: permission denied, so the index is made without it";
    drawn.wait(0.2);
    let error = Message::text(error).level(Level::Error);
    drawn.say(error.operation("refresh-repo"));
    drawn.wait(0.1).keys("pk");
    for at in 42..=48 {
        drawn.wait(0.13);
        let text = format!("Processed file {at} of 120: src/lib.rs");
        drawn.say(work("refresh-repo", at, &text, Level::Info));
    }
    drawn
}

fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (
        usize::from(buffer.area.width),
        usize::from(buffer.area.height),
    );
    let (width, height) = (columns * CELL.0 + 2 * MARGIN, rows * CELL.1 + 2 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"15\" xml:space=\"preserve\">\n\
         <title>The pane of codechat watch</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACK}\"/>\n"
    );
    for (row, cells) in buffer.content.chunks(columns).enumerate() {
        let mut column = 0;
        for run in cells.chunk_by(|one, next| one.style() == next.style()) {
            write_run(run, column, row, &mut out);
            column += run.len();
        }
    }
    out + "</svg>\n"
}

/// Draws cells of one style, stretched to their columns whatever the font.
fn write_run(run: &[Cell], column: usize, row: usize, out: &mut String) {
    let (x, y) = (MARGIN + column * CELL.0, MARGIN + row * CELL.1);
    let width = run.len() * CELL.0;
    let look = run[0].modifier;
    let (mut front, mut back) = (colour(run[0].fg, FRONT), colour(run[0].bg, BACK));
    if look.contains(Modifier::REVERSED) {
        (front, back) = (back, front);
    }
    if back != BACK {
        let height = CELL.1;
        writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{back}\"/>"
        )
        .unwrap();
    }
    let text: String = run.iter().map(Cell::symbol).collect();
    // Spaces at its ends would not be drawn, and the rest would be stretched.
    let text = text.trim_end();
    let shown = text.trim_start();
    if shown.is_empty() {
        return;
    }
    let columns = |text: &str| text.chars().count() * CELL.0;
    let (x, width) = (x + columns(text) - columns(shown), columns(shown));
    let mut style = String::new();
    if look.contains(Modifier::BOLD) {
        style += " font-weight=\"bold\"";
    }
    if look.contains(Modifier::DIM) {
        style += " opacity=\"0.65\"";
    }
    let text = shown.replace('&', "&amp;").replace('<', "&lt;");
    let baseline = y + 15;
    writeln!(out, "<text x=\"{x}\" y=\"{baseline}\" textLength=\"{width}\" fill=\"{front}\"{style}>{text}</text>").unwrap();
}

/// Returns a colour as a dark terminal shows it.
fn colour(colour: Color, otherwise: &'static str) -> &'static str {
    match colour {
        Color::Reset => otherwise,
        Color::Green => "#56d364",
        Color::Red | Color::LightRed => "#ff7b72",
        Color::Yellow => "#e3b341",
        Color::Cyan => "#56c8d8",
        Color::Blue => "#79c0ff",
        Color::Magenta => "#d2a8ff",
        other => panic!("no colour for {other:?}"),
    }
}
