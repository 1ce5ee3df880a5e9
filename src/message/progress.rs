//! The progress of an operation.

use std::str::FromStr;

use super::{Invalid, shortened};

/// Upper bound of a progress's unit, in characters.
pub const UNIT_MAX_CHARS: usize = 32;

/// The progress of an operation: `current` of `total`, in `unit`.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    current: f64,
    total: Option<f64>,
    unit: Option<Box<str>>,
}

impl Progress {
    /// Creates a progress.
    ///
    /// # Errors
    /// [`Invalid::Progress`] if `current` or `total` is below 0 or not finite; [`Invalid::Unit`] if the unit is too
    /// long or has control characters.
    pub fn new(current: f64, total: Option<f64>, unit: Option<&str>) -> Result<Self, Invalid> {
        let in_range = current.is_finite()
            && current >= 0.0
            && total.is_none_or(|total| total.is_finite() && total >= 0.0);
        if !in_range {
            let total = total.map_or(String::new(), |total| format!("/{total}"));
            return Err(Invalid::Progress(format!("{current}{total}")));
        }
        if unit
            .is_some_and(|it| it.chars().count() > UNIT_MAX_CHARS || it.contains(char::is_control))
        {
            return Err(Invalid::Unit);
        }
        Ok(Self {
            current,
            total,
            unit: unit.map(Into::into),
        })
    }

    /// Returns how much is done.
    #[must_use]
    pub fn current(&self) -> f64 {
        self.current
    }

    /// Returns how much there is to do, if known; 0 if there was nothing to do.
    #[must_use]
    pub fn total(&self) -> Option<f64> {
        self.total
    }

    /// Returns what is counted.
    #[must_use]
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }
}

impl FromStr for Progress {
    type Err = Invalid;

    /// Parses `3/120` or `3`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let number = |part: &str| {
            part.trim()
                .parse::<f64>()
                .map_err(|_| Invalid::Progress(shortened(text)))
        };
        match text.split_once('/') {
            Some((current, total)) => Self::new(number(current)?, Some(number(total)?), None),
            None => Self::new(number(text)?, None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_reads_a_count_with_and_without_a_total() {
        let progress: Progress = "3/120".parse().unwrap();
        assert_eq!((progress.current(), progress.total()), (3.0, Some(120.0)));
        for nothing in ["0/0", "1/0", "0/-0"] {
            assert_eq!(nothing.parse::<Progress>().unwrap().total(), Some(0.0));
        }
        assert_eq!("7".parse::<Progress>().unwrap().total(), None);
        for bad in ["", "a/b", "-1", "1/-2", "nan", "1/inf", "1/2/3"] {
            assert!(bad.parse::<Progress>().is_err(), "{bad:?}");
        }
    }
}
