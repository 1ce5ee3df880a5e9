//! A watched request, from its head to the end of its answer.

use http::{Method, StatusCode};
use tracing::Span;

use crate::message::Outcome;
use crate::scope::{OperationGuard, Scope};

pub(super) struct Watched {
    scope: Scope,
    /// `None` once it has its outcome, or if requests are not operations.
    operation: Option<OperationGuard>,
    /// The span that `in_current_span()` binds a task to. Only `tracing_layer` sees it.
    span: Span,
    /// Whether the answer has no body, whatever its head says.
    is_head: bool,
    /// Whether the handler or the body is being polled: if so at the drop, it has panicked.
    is_running: bool,
}

impl Watched {
    pub(super) fn new(scope: Scope, operation: Option<OperationGuard>, method: &Method) -> Self {
        let scope = operation.as_ref().map_or(scope, |it| it.scope().clone());
        let span = scope.in_scope(|| tracing::trace_span!(target: "codechat::scope", "request"));
        Self {
            scope,
            operation,
            span,
            is_head: method == Method::HEAD,
            is_running: false,
        }
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Runs a part of the handler, or of its answer's body, in the request's scope.
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.is_running = true;
        let result = self.scope.in_scope(|| self.span.in_scope(work));
        self.is_running = false;
        result
    }

    /// Ends the operation with the outcome that the status stands for.
    pub(super) fn finish(mut self, status: StatusCode) {
        let Some(operation) = self.operation.take() else {
            return;
        };
        let outcome = if operation.is_cancelled() {
            Outcome::Cancelled
        } else if status.as_u16() < 400 {
            Outcome::Ok
        } else {
            Outcome::Failed
        };
        let text = format!("{} in {}", status.as_u16(), operation.took());
        operation.finish_with(outcome, Some(text));
    }

    /// Ends the operation after an error of the handler or the body.
    pub(super) fn fail(mut self) {
        if let Some(operation) = self.operation.take() {
            operation.finish(Outcome::Failed);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(operation) = self.operation.take() {
            let outcome = if self.is_running {
                Outcome::Failed
            } else {
                Outcome::Cancelled
            };
            operation.finish(outcome);
        }
    }
}
