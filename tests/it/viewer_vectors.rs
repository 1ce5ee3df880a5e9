//! The viewer page's text, operations and figures are the pane's: `tests/viewer/vectors` has inputs and the results
//! that both must have. `tests/viewer/*.test.js` compare the page's modules with them.

use std::{fs, path::Path, time::Duration};

use codechat::internal::{
    message::{Message, Progress},
    terminal::safe_text::{Colour, safe_line, safe_lines, visible},
    watch::{
        format,
        operations::{OperationState, Operations},
        pane::{
            draw::spans::{self, Hits, Slot},
            state::{timestamps, wrap::cells},
        },
    },
};
use ratatui::{
    buffer::{Buffer, Cell},
    layout::Rect,
    style::{Color, Modifier, Style},
};
use serde::{Deserialize, de::DeserializeOwned};

fn vectors<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/viewer/vectors");
    let json = fs::read(path.join(name)).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextCase {
    input: String,
    plain: String,
    line: String,
    spans: Vec<Span>,
}

/// Offsets in UTF-16, and a style.
#[derive(Deserialize)]
struct Span {
    start: usize,
    end: usize,
    #[serde(flatten)]
    look: Look,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "attributes are set one by one"
)]
struct Look {
    foreground: Option<Paint>,
    background: Option<Paint>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    strike: bool,
    inverse: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Paint {
    Named(u8),
    Direct(String),
}

#[test]
fn the_page_shows_the_panes_text() {
    for case in vectors::<Vec<TextCase>>("text.json") {
        let input = &case.input;
        assert_eq!(visible(input), case.plain, "{input:?}");
        assert_eq!(safe_line(input, Colour::Strip), case.line, "{input:?}");
    }
}

#[test]
fn the_page_shows_the_panes_colours() {
    for case in vectors::<Vec<TextCase>>("text.json") {
        let mut at = 0;
        for line in safe_lines(&case.input, Colour::Keep) {
            at = assert_colours(&line, at, &case) + 1;
        }
    }
}

/// Compares the styles of a line, which begins at `at`, with the spans; returns its end.
fn assert_colours(line: &str, mut at: usize, case: &TextCase) -> usize {
    let width = cells(line).map(|(_, columns, _)| columns).sum::<usize>();
    let width = u16::try_from(width).unwrap();
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
    let slot = Slot {
        x: 0,
        y: 0,
        width,
        skip: 0,
    };
    let row = 0..line.len();
    spans::draw(&mut buffer, slot, line, row, Style::new(), Hits::NONE);
    let mut column = 0;
    for (_, columns, cell) in cells(line).filter(|(.., cell)| !cell.starts_with('\x1b')) {
        if columns > 0 {
            let span = case
                .spans
                .iter()
                .find(|it| (it.start..it.end).contains(&at));
            let expected = span.map(|it| &it.look);
            let drawn = look(&buffer[(column, 0)]);
            let input = &case.input;
            assert_eq!(
                Some(&drawn),
                expected.or(Some(&Look::default())),
                "{input:?} at {at}"
            );
        }
        column += u16::try_from(columns).unwrap();
        at += cell.encode_utf16().count();
    }
    at
}

fn look(cell: &Cell) -> Look {
    let has = |modifier| cell.modifier.contains(modifier);
    Look {
        foreground: paint(cell.fg),
        background: paint(cell.bg),
        bold: has(Modifier::BOLD),
        dim: has(Modifier::DIM),
        italic: has(Modifier::ITALIC),
        underline: has(Modifier::UNDERLINED),
        strike: has(Modifier::CROSSED_OUT),
        inverse: has(Modifier::REVERSED),
    }
}

fn paint(colour: Color) -> Option<Paint> {
    let direct = |r: u8, g: u8, b: u8| Paint::Direct(format!("#{r:02x}{g:02x}{b:02x}"));
    let named = match colour {
        Color::Reset => return None,
        Color::Rgb(r, g, b) => return Some(direct(r, g, b)),
        // Colours 16 to 255 as xterm has them.
        Color::Indexed(index @ 232..) => {
            let grey = (index - 232) * 10 + 8;
            return Some(direct(grey, grey, grey));
        }
        Color::Indexed(index) => {
            let step = |of: u8| [0, 95, 135, 175, 215, 255][usize::from((index - 16) / of % 6)];
            return Some(direct(step(36), step(6), step(1)));
        }
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    Some(Paint::Named(named))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationsCase {
    name: String,
    guess: bool,
    steps: Vec<Step>,
}

/// What was published at a time, if anything, and the state of all operations then. All times are in milliseconds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    now: u64,
    message: Option<Told>,
    states: Vec<Figures>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Told {
    time: Option<u64>,
    text: String,
    level: Option<String>,
    operation: Option<String>,
    progress: Option<Count>,
    outcome: Option<String>,
    system: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    current: f64,
    total: Option<f64>,
    unit: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Figures {
    name: Option<String>,
    messages: u64,
    errors: u64,
    progress: Option<Count>,
    outcome: Option<String>,
    lost: bool,
    ended_at: Option<f64>,
    fraction: Option<f64>,
    rate: Option<f64>,
    eta: Option<f64>,
    elapsed: f64,
    stalled: Option<f64>,
}

impl Count {
    fn progress(&self) -> Progress {
        Progress::new(self.current, self.total, self.unit.as_deref()).unwrap()
    }
}

impl Told {
    fn message(self) -> Message {
        let mut message = Message::text(self.text);
        message.level = self.level.map(|it| it.parse().unwrap());
        message.operation = self.operation.map(|it| it.parse().unwrap());
        message.progress = self.progress.map(|it| it.progress());
        message.outcome = self.outcome.map(|it| it.parse().unwrap());
        message.system = self.system;
        message
    }
}

impl Figures {
    fn of(state: &OperationState, now: Duration) -> Self {
        let millis = |it: Duration| it.as_secs_f64() * 1000.0;
        let count = |it: &Progress| Count {
            current: it.current(),
            total: it.total(),
            unit: it.unit().map(Into::into),
        };
        Self {
            name: state.name().map(Into::into),
            messages: state.messages(),
            errors: state.errors(),
            progress: state.progress().map(count),
            outcome: state.outcome().map(|it| it.to_string()),
            lost: state.lost(),
            ended_at: state.ended_at().map(millis),
            fraction: state.fraction(),
            rate: state.rate(now),
            eta: state.eta(now).map(millis),
            elapsed: millis(state.elapsed(now)),
            stalled: state.stalled(now).map(millis),
        }
    }

    fn words(&self) -> impl PartialEq + '_ {
        let Self {
            name,
            messages,
            errors,
            progress,
            outcome,
            lost,
            ..
        } = self;
        (name, messages, errors, progress, outcome, lost)
    }

    fn numbers(&self) -> [Option<f64>; 6] {
        let Self {
            ended_at,
            fraction,
            rate,
            eta,
            elapsed,
            stalled,
            ..
        } = self;
        [*ended_at, *fraction, *rate, *eta, Some(*elapsed), *stalled]
    }

    /// Returns whether both are the same. The pane counts in nanoseconds, the page does not.
    fn is_like(&self, other: &Self) -> bool {
        let is_near = |(one, other): (Option<f64>, Option<f64>)| match (one, other) {
            (Some(one), Some(other)) => (one - other).abs() <= 1e-5 + 1e-8 * other.abs(),
            (one, other) => one == other,
        };
        let mut numbers = self.numbers().into_iter().zip(other.numbers());
        self.words() == other.words() && numbers.all(is_near)
    }
}

#[test]
fn the_page_counts_operations_as_the_pane_does() {
    for case in vectors::<Vec<OperationsCase>>("operations.json") {
        let mut operations = Operations::new(case.guess);
        for (index, step) in case.steps.into_iter().enumerate() {
            let now = Duration::from_millis(step.now);
            if let Some(published) = step.message {
                let time = published.time;
                operations.update(&published.message(), time, now);
            }
            let states: Vec<_> = operations.all().map(|it| Figures::of(it, now)).collect();
            let pairs = || states.iter().zip(&step.states);
            assert!(
                states.len() == step.states.len() && pairs().all(|(one, other)| one.is_like(other)),
                "{}, step {index}: {states:#?} instead of {:#?}",
                case.name,
                step.states
            );
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FigureCases {
    number: Vec<(f64, String)>,
    count_of: Vec<(u64, String)>,
    seconds: Vec<(u64, String)>,
    rate: Vec<(f64, String)>,
    age: Vec<(u64, String)>,
    since: Vec<(i64, String)>,
    clock: Vec<(u64, i32, String)>,
    count: Vec<(Count, String)>,
}

#[test]
fn the_page_writes_figures_as_the_pane_does() {
    let cases: FigureCases = vectors("figures.json");
    for (value, text) in cases.number {
        assert_eq!(format::number(value), text);
    }
    for (count, text) in cases.count_of {
        assert_eq!(format::count_of(count), text);
    }
    for (millis, text) in cases.seconds {
        assert_eq!(format::seconds(Duration::from_millis(millis)), text);
    }
    for (per_second, text) in cases.rate {
        assert_eq!(format::rate(per_second), text, "{per_second}");
    }
    for (millis, text) in cases.age {
        assert_eq!(timestamps::age(Duration::from_millis(millis)), text);
    }
    for (millis, text) in cases.since {
        assert_eq!(timestamps::offset(millis), text);
    }
    for (time, offset_minutes, text) in cases.clock {
        assert_eq!(format::clock(time, offset_minutes * 60), text);
    }
    for (count, text) in cases.count {
        let mut operations = Operations::new(false);
        let mut message = Message::default();
        message.progress = Some(count.progress());
        operations.update(&message, None, Duration::ZERO);
        let state = operations.all().next().unwrap();
        assert_eq!(format::count(state).as_deref(), Some(&*text));
    }
}
