//! The rows of the table: a figure, what it is compared with, and whether it is within its bound.

/// The bound of a row.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// The ratio of the two figures.
    RatioAtLeast(f64),
    RatioAtMost(f64),
    /// The figure itself.
    AtLeast(f64),
    AtMost(f64),
}

pub(crate) fn head() {
    println!(
        "\n{:<52} {:>12} {:>12} {:>7}  {:<12} reached",
        "work", "codechat", "reference", "ratio", "bound"
    );
}

/// Prints a row; `reference` is 0 if there is nothing to compare with.
pub(crate) fn row(work: &str, ours: f64, reference: f64, bound: Bound) {
    let ratio = ours / reference;
    let (text, is_reached) = match bound {
        Bound::RatioAtLeast(it) => (format!("ratio >= {it}"), ratio >= it),
        Bound::RatioAtMost(it) => (format!("ratio <= {it}"), ratio <= it),
        Bound::AtLeast(it) => (format!(">= {it}"), ours >= it),
        Bound::AtMost(it) => (format!("<= {it}"), ours <= it),
    };
    let or_none = |value: f64, text: String| {
        if value.is_finite() && value > 0.0 {
            text
        } else {
            String::new()
        }
    };
    println!(
        "{work:<52} {ours:>12.1} {:>12} {:>7}  {text:<12} {}",
        or_none(reference, format!("{reference:.1}")),
        or_none(ratio, format!("{ratio:.2}")),
        if is_reached { "yes" } else { "NO" },
    );
}

/// Returns the median.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
