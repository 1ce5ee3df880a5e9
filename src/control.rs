//! Control requests: what watchers may request of publishers, a level of detail or to stop.
//!
//! The publisher decides what to do about a request. Nothing here knows how requests are encoded (`wire`) or stored
//! (`hub`).

use crate::message::{Level, Operation};

/// What is requested of a channel's publishers: the newest request of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requested {
    /// The level of detail that is requested.
    pub level: Option<Level>,
    /// Set if a watcher requests that an operation stops.
    pub cancel: Option<Cancel>,
}

/// A request to stop.
///
/// ```
/// use codechat::Cancel;
///
/// let any = Cancel::new();
/// let import = Cancel::new().operation("import".parse()?);
/// assert!(any.is_for(import.operation.as_ref()));
/// assert!(!import.is_for(None));
/// # Ok::<_, codechat::Invalid>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancel {
    /// The operation that should stop; `None` means any.
    pub operation: Option<Operation>,
}

impl Cancel {
    /// Creates a request to stop any operation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the operation that should stop. Default any.
    #[must_use]
    pub fn operation(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Returns whether it applies to the publisher of this operation.
    #[must_use]
    pub fn is_for(&self, operation: Option<&Operation>) -> bool {
        self.operation
            .as_ref()
            .is_none_or(|named| operation == Some(named))
    }
}

/// A change of what is requested.
///
/// ```
/// use codechat::{Cancel, Change, ControlRequest, Level};
///
/// let request = ControlRequest::new()
///     .level(Change::Clear)
///     .cancel(Change::Set(Cancel::new()));
/// assert_eq!(request.level, Change::Clear);
/// assert_eq!(ControlRequest::new().level, Change::<Level>::Keep);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ControlRequest {
    /// The change of the level of detail.
    pub level: Change<Level>,
    /// The change of the request to stop.
    pub cancel: Change<Cancel>,
}

impl ControlRequest {
    /// Creates a request that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the change of the level of detail. Default [`Change::Keep`].
    #[must_use]
    pub fn level(mut self, level: Change<Level>) -> Self {
        self.level = level;
        self
    }

    /// Sets the change of the request to stop. Default [`Change::Keep`].
    #[must_use]
    pub fn cancel(mut self, cancel: Change<Cancel>) -> Self {
        self.cancel = cancel;
        self
    }
}

/// A change of one kind of request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// This is requested from now on.
    Set(T),
    /// The request is withdrawn.
    Clear,
}

/// What publishers are told: how many watch, and what they request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ControlState {
    /// Open streams of the channel.
    pub subscribers: usize,
    /// What is requested of its publishers.
    pub requested: Requested,
}

impl Requested {
    /// Applies a request; returns whether that changes anything.
    pub fn apply(&mut self, request: ControlRequest) -> bool {
        let level = request.level.apply(&mut self.level);
        let cancel = request.cancel.apply(&mut self.cancel);
        level || cancel
    }

    /// Notes that an operation has ended; returns whether it was to be cancelled.
    pub fn is_over(&mut self, operation: Option<&Operation>) -> bool {
        self.cancel.take_if(|it| it.is_for(operation)).is_some()
    }
}

impl<T: PartialEq> Change<T> {
    fn apply(self, wanted: &mut Option<T>) -> bool {
        let new = match self {
            Self::Keep => return false,
            Self::Set(value) => Some(value),
            Self::Clear => None,
        };
        let changes = *wanted != new;
        *wanted = new;
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_changes_only_what_it_names() {
        let mut requested = Requested::default();
        let debug = ControlRequest {
            level: Change::Set(Level::Debug),
            ..ControlRequest::default()
        };
        assert!(requested.apply(debug.clone()));
        assert!(!requested.apply(debug), "it is wanted already");
        let cancel = ControlRequest {
            cancel: Change::Set(Cancel::default()),
            ..ControlRequest::default()
        };
        assert!(requested.apply(cancel));
        assert_eq!(requested.level, Some(Level::Debug));
        let withdraw = ControlRequest {
            level: Change::Clear,
            ..ControlRequest::default()
        };
        assert!(requested.apply(withdraw));
        assert_eq!((requested.level, requested.cancel.is_some()), (None, true));
    }

    #[test]
    fn a_cancel_ends_with_its_operation_or_with_any_if_it_names_none() {
        let operation = |name: &str| name.parse::<Operation>().unwrap();
        for (named, ended, is_over) in [
            (None, None, true),
            (None, Some("a"), true),
            (Some("a"), Some("a"), true),
            (Some("a"), Some("b"), false),
            (Some("a"), None, false),
        ] {
            let message = format!("{named:?} {ended:?}");
            let ended = ended.map(operation);
            let mut requested = Requested {
                cancel: Some(Cancel {
                    operation: named.map(operation),
                }),
                ..Requested::default()
            };
            assert_eq!(requested.is_over(ended.as_ref()), is_over, "{message}");
            assert_eq!(requested.cancel.is_none(), is_over, "{message}");
        }
    }
}
