//! `cluster`: what a store costs, as ratios to a reference in the same run, and whether each is within its bound.
//!
//! It needs redis-server. Each part starts its own, on a Unix socket, and servers that use it.

mod bare;
mod parts;
mod servers;
mod several;
mod store;

use crate::{Scale, process::Machine, table::number};

const TEXT_BYTES: usize = 120;
const CHANNELS: usize = 200;
const PUBLISHERS: usize = 32;
/// Rounds of bodies that fill a log.
const FULL: u64 = 3;

/// One ratio.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    name: &'static str,
    unit: &'static str,
    ours: f64,
    reference: f64,
    bound: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    /// Of the ratio to the reference.
    AtMost(f64),
    AtLeast(f64),
    /// Of the difference from the reference.
    More(f64),
    /// No bound: the row explains another one.
    None,
}

impl Row {
    /// Returns the value that must be within the bound.
    fn value(&self) -> f64 {
        match self.bound {
            Bound::AtMost(_) | Bound::AtLeast(_) | Bound::None => self.ours / self.reference,
            Bound::More(_) => self.ours - self.reference,
        }
    }

    fn print(&self) {
        let value = self.value();
        let (bound, is_within) = match self.bound {
            Bound::AtMost(bound) => (format!("≤ {bound}"), value <= bound),
            Bound::AtLeast(bound) => (format!("≥ {bound}"), value >= bound),
            Bound::More(bound) => (format!("+ ≤ {bound}"), value <= bound),
            Bound::None => ("none".to_owned(), true),
        };
        println!(
            "{:<34} {:>8} {:>12} {:>12} {:>9} {:>10} {:>7}",
            self.name,
            self.unit,
            number(self.ours),
            number(self.reference),
            number(value),
            bound,
            if is_within { "yes" } else { "NO" },
        );
    }
}

/// Measures all parts, and prints the table: the middle ratio of three rounds.
pub(crate) fn run(machine: &Machine, scale: Scale) -> anyhow::Result<()> {
    println!(
        "{:<34} {:>8} {:>12} {:>12} {:>9} {:>10} {:>7}",
        "with a store", "unit", "with", "reference", "ratio", "bound", "within"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let rounds = if scale.is_quick() { 1 } else { 3 };
    for part in parts::Part::ALL {
        let mut measured = Vec::new();
        for _ in 0..rounds {
            // Everything that the part has left running ends with it.
            let tasks = tokio::task::LocalSet::new();
            measured.push(runtime.block_on(tasks.run_until(part.run(machine, scale)))?);
        }
        for at in 0..measured[0].len() {
            let mut rows: Vec<_> = measured.iter().map(|it| &it[at]).collect();
            rows.sort_by(|a, b| a.value().total_cmp(&b.value()));
            rows[rows.len() / 2].print();
        }
    }
    Ok(())
}
