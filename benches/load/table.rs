//! The measured figures, and their table.

use std::time::Duration;

use crate::process::Took;

/// One figure of one work.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// The name of its row.
    pub(crate) row: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    /// The CPU time of one message in the measured process.
    pub(crate) cpu: Option<Duration>,
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// More is better.
    PerSecond(&'static str),
    /// Less is better, as in all that follow.
    Microseconds,
    Milliseconds,
    Kibibytes,
    Mebibytes,
}

impl Unit {
    fn name(self) -> String {
        match self {
            Self::PerSecond(what) => format!("{what}/s"),
            Self::Microseconds => "µs".into(),
            Self::Milliseconds => "ms".into(),
            Self::Kibibytes => "KiB".into(),
            Self::Mebibytes => "MiB".into(),
        }
    }
}

impl Figure {
    /// Creates a figure without a cost.
    pub(crate) fn new(row: &'static str, value: f64, unit: Unit) -> Self {
        Self {
            row,
            value,
            unit,
            cpu: None,
        }
    }

    /// Creates the rate of `count` of `what` in the time that they took.
    pub(crate) fn rate(row: &'static str, what: &'static str, count: u64, took: Took) -> Self {
        Self {
            row,
            value: float(count) / took.time.as_secs_f64(),
            unit: Unit::PerSecond(what),
            cpu: Some(took.cpu.div_f64(float(count))),
        }
    }
}

/// Returns a count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// Returns the middle one of several measurements of the same figures.
pub(crate) fn middle(mut rounds: Vec<Vec<Figure>>) -> Vec<Figure> {
    let Some(mut middle) = rounds.pop() else {
        return Vec::new();
    };
    for (at, figure) in middle.iter_mut().enumerate() {
        let mut all: Vec<_> = rounds.iter().filter_map(|it| it.get(at)).collect();
        let last = figure.clone();
        all.push(&last);
        all.sort_by(|a, b| a.value.total_cmp(&b.value));
        let chosen = all[all.len() / 2].clone();
        let mut costs: Vec<_> = all.iter().filter_map(|it| it.cpu).collect();
        costs.sort_unstable();
        let cpu = costs.get(costs.len() / 2).copied();
        *figure = Figure { cpu, ..chosen };
    }
    middle
}

/// Prints the head of the table.
pub(crate) fn head() {
    println!(
        "{:<30} {:>12} {:>12} {:>12} {:>7} {:>10} {:>10}",
        "work", "unit", "codechat", "reference", "ratio", "CPU µs", "reference"
    );
}

/// Prints the rows of one work. A row without a reference has no ratio.
pub(crate) fn rows(codechat: &[Figure], reference: &[Figure]) {
    for ours in codechat {
        let theirs = reference.iter().find(|it| it.row == ours.row);
        let ratio = theirs.map(|theirs| match ours.unit {
            Unit::PerSecond(_) => ours.value / theirs.value,
            _ => theirs.value / ours.value,
        });
        println!(
            "{:<30} {:>12} {:>12} {:>12} {:>7} {:>10} {:>10}",
            ours.row,
            ours.unit.name(),
            number(ours.value),
            theirs.map_or_else(none, |it| number(it.value)),
            ratio.map_or_else(none, |it| format!("{it:.2}")),
            ours.cpu.map_or_else(none, cost),
            theirs.and_then(|it| it.cpu).map_or_else(none, cost),
        );
    }
}

fn none() -> String {
    "-".into()
}

fn cost(cpu: Duration) -> String {
    format!("{:.2}", cpu.as_secs_f64() * 1e6)
}

/// Formats a number with three or more digits, its thousands separated.
pub(crate) fn number(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
