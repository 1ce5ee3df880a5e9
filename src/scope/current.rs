//! The current scope of a thread: the one that was entered last.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Scope;
use crate::message::Level;

thread_local! {
    static ENTERED: RefCell<Vec<(Key, Scope)>> = const { RefCell::new(Vec::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// What a scope was entered by. Spans may be left in another order than they were entered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Guard(u64),
    Span(u64),
}

/// Returns the scope of the request that this thread works on; [`Scope::none`] if there is none.
///
/// It is the one of [`ScopeLayer`](crate::ScopeLayer) within its handler, of [`Scope::in_scope`], of a future in [`Scope::bind`], and
/// of a `tracing` span that was created in one, if there is a [`tracing_layer`](crate::tracing_layer()). A bare `tokio::spawn` does not
/// carry it on.
#[must_use]
pub fn current() -> Scope {
    let last = ENTERED.try_with(|it| it.try_borrow().ok()?.last().map(|it| it.1.clone()));
    last.ok().flatten().unwrap_or_default()
}

/// Returns whether there is a current scope.
pub(crate) fn is_here() -> bool {
    here(Scope::is_some)
}

/// Returns whether the current scope wants messages of this level.
pub(crate) fn wants_here(level: Level) -> bool {
    here(|it| it.wants(level))
}

fn here(is: impl FnOnce(&Scope) -> bool) -> bool {
    let is = ENTERED.try_with(|it| {
        it.try_borrow()
            .is_ok_and(|it| it.last().is_some_and(|it| is(&it.1)))
    });
    is.unwrap_or(false)
}

/// Makes a scope the current one of this thread, until [`leave`] with the same key.
pub(crate) fn enter(key: Key, scope: Scope) {
    let _ = ENTERED.try_with(|it| it.try_borrow_mut().map(|mut it| it.push((key, scope))));
}

/// Undoes the newest [`enter`] with this key, if there is one.
pub(crate) fn leave(key: Key) {
    let left = ENTERED.try_with(|it| {
        let mut entered = it.try_borrow_mut().ok()?;
        let place = entered.iter().rposition(|it| it.0 == key)?;
        Some(entered.remove(place))
    });
    // This may be its last clone, whose drop informs watchers: not while the list is borrowed.
    drop(left);
}

/// Guard of the current scope, which is left when this is dropped.
pub(crate) struct Entered {
    key: Key,
    /// Makes it `!Send`: it belongs to its thread.
    _here: std::marker::PhantomData<*const ()>,
}

impl Entered {
    pub(crate) fn new(scope: Scope) -> Self {
        let key = Key::Guard(NEXT.try_with(|it| it.replace(it.get() + 1)).unwrap_or(0));
        enter(key, scope);
        Self {
            key,
            _here: std::marker::PhantomData,
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        leave(self.key);
    }
}

pin_project! {
    /// A future with a scope; see [`Scope::bind`].
    #[derive(Debug)]
    pub struct Bound<F> {
        scope: Scope,
        #[pin]
        future: F,
    }
}

impl<F> Bound<F> {
    pub(super) fn new(scope: Scope, future: F) -> Self {
        Self { scope, future }
    }
}

impl<F: Future> Future for Bound<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.scope.clone());
        this.future.poll(cx)
    }
}
