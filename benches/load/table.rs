//! What was measured, and the table of it.

use std::time::Duration;

use crate::process::Took;

/// One number of one work.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// The row it stands in.
    pub(crate) row: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    /// What one message cost the process under test.
    pub(crate) cpu: Option<Duration>,
}

/// What a number counts.
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
    /// A number without a cost.
    pub(crate) fn new(row: &'static str, value: f64, unit: Unit) -> Self {
        Self {
            row,
            value,
            unit,
            cpu: None,
        }
    }

    /// `count` of `what`, and what they took in all.
    pub(crate) fn rate(row: &'static str, what: &'static str, count: u64, took: Took) -> Self {
        Self {
            row,
            value: float(count) / took.time.as_secs_f64(),
            unit: Unit::PerSecond(what),
            cpu: Some(took.cpu.div_f64(float(count))),
        }
    }
}

/// A count as a number to reckon with; counts here are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// The middle one of several measurements of the same figure.
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

/// Prints the rows of one work. A row that has no reference lacks the ratio.
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

/// A number with as many digits as say something, its thousands apart.
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
