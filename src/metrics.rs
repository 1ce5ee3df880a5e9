//! Counters and histograms, and how they are written in Prometheus's text format 0.0.4.
//!
//! Numbers are added up where things happen, by relaxed atomics alone, and are brought together when they are asked for.

use std::fmt::{Display, Write};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The upper bounds of a histogram's buckets, in seconds as they are written and in microseconds.
const BOUNDS: [(&str, u64); 13] = [
    ("0.00001", 10),
    ("0.000025", 25),
    ("0.00005", 50),
    ("0.0001", 100),
    ("0.00025", 250),
    ("0.0005", 500),
    ("0.001", 1_000),
    ("0.0025", 2_500),
    ("0.01", 10_000),
    ("0.05", 50_000),
    ("0.25", 250_000),
    ("1", 1_000_000),
    ("5", 5_000_000),
];

/// A number that grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How long something took, each time.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// One more than there are bounds: what is beyond the last.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    pub(crate) fn observe(&self, took: Duration) {
        let bucket = BOUNDS.partition_point(|(_, micros)| Duration::from_micros(*micros) < took);
        self.buckets[bucket].fetch_add(1, Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// Writes its lines, below a [`head`]. A `label` is written as in `script="join"`, and is empty if there is none.
    pub(crate) fn write(&self, name: &str, label: &str, out: &mut String) {
        let (before, around) = match label {
            "" => (String::new(), String::new()),
            label => (format!("{label},"), format!("{{{label}}}")),
        };
        let mut count = 0;
        for (bucket, bound) in self
            .buckets
            .iter()
            .zip(BOUNDS.map(|it| it.0).iter().chain(&["+Inf"]))
        {
            count += bucket.load(Relaxed);
            let _ = writeln!(out, "{name}_bucket{{{before}le=\"{bound}\"}} {count}");
        }
        let sum = Duration::from_nanos(self.nanoseconds.load(Relaxed)).as_secs_f64();
        let _ = writeln!(
            out,
            "{name}_sum{around} {sum}\n{name}_count{around} {count}"
        );
    }
}

/// Writes what stands before a metric's values.
pub(crate) fn head(name: &str, kind: &str, help: &str, out: &mut String) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Writes a metric with one value.
pub(crate) fn single(name: &str, kind: &str, help: &str, value: impl Display, out: &mut String) {
    head(name, kind, help, out);
    let _ = writeln!(out, "{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_time_once_and_adds_up_upwards() {
        let histogram = Histogram::default();
        for micros in [1, 10, 11, 700, 10_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut text = String::new();
        histogram.write("x", "", &mut text);
        histogram.write("y", "of=\"z\"", &mut text);
        for line in [
            "x_bucket{le=\"0.00001\"} 2",
            "x_bucket{le=\"0.000025\"} 3",
            "x_bucket{le=\"0.001\"} 4",
            "x_bucket{le=\"5\"} 4",
            "x_bucket{le=\"+Inf\"} 5",
            "x_sum 10.000722",
            "x_count 5",
            "y_bucket{of=\"z\",le=\"+Inf\"} 5",
            "y_count{of=\"z\"} 5",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
    }
}
