//! What watchers may ask of publishers: a level of detail, and to stop.
//!
//! The way back (`PROTOCOL` section 5). A wish is a request; the publisher decides. Nothing here knows
//! how a wish is written down (`wire`) or kept (`hub`).

use crate::message::{Level, Operation};

/// What is asked of a channel's publishers: the newest wish of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The level of detail that is wanted.
    pub level: Option<Level>,
    /// Set where somebody wants an operation to stop.
    pub cancel: Option<Cancel>,
}

/// Please stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancel {
    /// The operation that should; `None` means whichever runs.
    pub operation: Option<Operation>,
}

impl Cancel {
    /// Whether it speaks to the publisher of this operation.
    #[must_use]
    pub fn is_for(&self, operation: Option<&Operation>) -> bool {
        self.operation
            .as_ref()
            .is_none_or(|named| operation == Some(named))
    }
}

/// A change of the wish; what it does not speak of stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// About the level of detail.
    pub level: Ask<Level>,
    /// About stopping.
    pub cancel: Ask<Cancel>,
}

/// What a request says about one kind of wish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ask<T> {
    /// Nothing.
    #[default]
    Nothing,
    /// This is wanted.
    For(T),
    /// What was wanted is not wanted any more.
    Withdraw,
}

/// What a publisher is told: who watches, and what is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// Open streams of the channel.
    pub subscribers: usize,
    /// What is asked of its publishers.
    pub wish: Wish,
}

impl Wish {
    /// Takes a request into account; true where that changes anything.
    pub fn follow(&mut self, request: Request) -> bool {
        let level = request.level.apply(&mut self.level);
        let cancel = request.cancel.apply(&mut self.cancel);
        level || cancel
    }

    /// Takes note that an operation is over; true where it was to be cancelled.
    pub fn is_over(&mut self, operation: Option<&Operation>) -> bool {
        self.cancel.take_if(|it| it.is_for(operation)).is_some()
    }
}

impl<T: PartialEq> Ask<T> {
    fn apply(self, wanted: &mut Option<T>) -> bool {
        let new = match self {
            Self::Nothing => return false,
            Self::For(value) => Some(value),
            Self::Withdraw => None,
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
    fn a_request_changes_only_what_it_speaks_of() {
        let mut wish = Wish::default();
        let debug = Request {
            level: Ask::For(Level::Debug),
            ..Request::default()
        };
        assert!(wish.follow(debug.clone()));
        assert!(!wish.follow(debug), "it is wanted already");
        let cancel = Request {
            cancel: Ask::For(Cancel::default()),
            ..Request::default()
        };
        assert!(wish.follow(cancel));
        assert_eq!(wish.level, Some(Level::Debug));
        let withdraw = Request {
            level: Ask::Withdraw,
            ..Request::default()
        };
        assert!(wish.follow(withdraw));
        assert_eq!((wish.level, wish.cancel.is_some()), (None, true));
    }

    #[test]
    fn a_cancel_is_over_with_its_operation_or_with_any_where_it_names_none() {
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
            let mut wish = Wish {
                cancel: Some(Cancel {
                    operation: named.map(operation),
                }),
                ..Wish::default()
            };
            assert_eq!(wish.is_over(ended.as_ref()), is_over, "{message}");
            assert_eq!(wish.cancel.is_none(), is_over, "{message}");
        }
    }
}
