//! The layer's filter: it lets through what the watcher of the current scope asks for.
//!
//! A callsite is never enabled for good: its interest would then outlive the scope, and `log_enabled!` could lose spans
//! (tokio-rs/tracing#2519).

use std::sync::Arc;

use tracing_core::subscriber::Interest;
use tracing_core::{LevelFilter, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

use super::level;
use crate::scope::{is_here, levels, wants_here};

/// The target of this crate's own events, which do not belong to any request.
const OWN: &str = "codechat";

/// The finest level that is sent of each named target.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets(pub(super) Vec<(String, LevelFilter)>);

impl Targets {
    /// Returns whether events of this target and level may be sent at all.
    pub(super) fn may_send(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let mut limits = self.0.iter().rev();
        let limit = limits.find(|it| target.starts_with(&it.0));
        let is_own = target
            .strip_prefix(OWN)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        !is_own && limit.is_none_or(|it| *metadata.level() <= it.1)
    }
}

pub(super) struct ScopeFilter {
    pub(super) targets: Arc<Targets>,
}

impl<S: Subscriber> Filter<S> for ScopeFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        if metadata.is_span() {
            // At any level: a span carries the scope.
            is_here()
        } else {
            wants_here(level(metadata)) && self.targets.may_send(metadata)
        }
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let is_possible = match levels::finest() {
            None => false,
            Some(_) if metadata.is_span() => true,
            Some(finest) => level(metadata) >= finest && self.targets.may_send(metadata),
        };
        if is_possible {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match levels::finest() {
            None => LevelFilter::OFF,
            Some(_) => LevelFilter::TRACE,
        })
    }
}
