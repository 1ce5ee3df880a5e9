//! How far an operation is.

use std::str::FromStr;

use super::{Invalid, shortened};

/// The longest unit of a progress, in characters.
pub const UNIT_MAX_CHARS: usize = 32;

/// How far an operation is: `current` of `total`, in `unit`.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    current: f64,
    total: Option<f64>,
    unit: Option<Box<str>>,
}

impl Progress {
    /// Checks and builds a progress.
    ///
    /// # Errors
    /// [`Invalid::Progress`] where `current` or `total` is below 0, or either is not
    /// finite; [`Invalid::Unit`] where the unit is too long or has control characters.
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

    /// How much is done.
    #[must_use]
    pub fn current(&self) -> f64 {
        self.current
    }

    /// How much there is to do, if that is known. 0 if there was nothing to do.
    #[must_use]
    pub fn total(&self) -> Option<f64> {
        self.total
    }

    /// What is being counted.
    #[must_use]
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }
}

impl FromStr for Progress {
    type Err = Invalid;

    /// Reads `3/120` or `3`.
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
