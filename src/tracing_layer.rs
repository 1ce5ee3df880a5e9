//! The `tracing` layer that sends the events of a watched request to its watcher.

mod fields;
mod filter;

use std::cell::Cell;
use std::sync::Arc;
use std::thread;

use tracing_core::{Event, Metadata, Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use self::fields::Fields;
use self::filter::{ScopeFilter, Targets};
use crate::message::{Level, Message, Outcome};
use crate::scope::{self, Key, OperationGuard, Scope, current, levels};

/// Returns a layer that sends the events of a watched request to its watcher, down to the level that the watcher asks for. The layer has a
/// filter of its own for that; other layers see what they see without it.
///
/// A spawned task must carry its span, or its events are missing: `tokio::spawn(work.in_current_span())`, not `tokio::spawn(work)`. A span
/// that is created in a scope is bound to it, on any thread that enters it.
///
/// The fields `progress.current`, `progress.total`, `progress.unit`, `outcome` and `event` become those parts of a message; `message` is its
/// text. All others become its `fields`, with `target`. A span with a field `operation` is an operation of that name: it ends with its
/// recorded `outcome`, else `failed` after an event of level `ERROR` in it, `cancelled` if a watcher asked for that, else `ok`. To ignore
/// such fields of a library, give its target `LevelFilter::OFF` in [`TracingOptions::target`].
///
/// # Setting up
///
/// Add the layer to `registry()`. A subscriber of `tracing_subscriber::fmt()` supports no layers with filters, and panics at the start.
///
/// The crate `log` has a maximum level of its own, which `init()` sets to the level that is wanted at that moment. If libraries use it,
/// call `log::set_max_level(log::LevelFilter::Trace)` afterwards, or their finer events never reach a watcher that asks for them.
///
/// A filter of the whole registry, such as `registry().with(EnvFilter::…)`, removes events and spans before any layer sees them; make it the
/// filter of one layer. Without codechat's spans, of the target `codechat::scope`, events of tasks that were spawned `in_current_span()` are
/// missing. A watcher that asks for a level that is removed gets a message:
///
/// ```standalone_crate
/// use codechat::{Change, ControlRequest, Hub, Level, Limits, Position, Publisher, Update};
/// use futures_util::StreamExt;
/// use tracing_subscriber::{filter::LevelFilter, prelude::*, registry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), codechat::Refusal> {
/// registry().with(codechat::tracing_layer()).with(LevelFilter::INFO).init();
/// let hub = Hub::new(Limits::default());
/// let scope = Publisher::new(&hub).scope(hub.connect()?);
/// # let id = scope.client_id().unwrap();
/// let level = Change::Set(Level::Debug);
/// hub.request_control(id, ControlRequest::new().level(level))?;
/// scope.in_scope(|| tracing::debug!("this is lost"));
/// let mut feed = hub.feed(id, Position::Start)?;
/// # hub.stop(id);
/// let Some(Update::Message(received)) = feed.next().await else { panic!() };
/// let told = "this application stops at info; make its EnvFilter the filter of one layer";
/// assert_eq!(received.message.text, told);
/// # assert!(matches!(feed.next().await, Some(Update::End(_))));
/// # Ok(())
/// # }
/// ```
///
/// Events of this crate are not sent.
///
/// ```
/// use tracing_subscriber::filter::LevelFilter;
/// use tracing_subscriber::prelude::*;
///
/// let log = tracing_subscriber::fmt::layer().with_filter(LevelFilter::INFO);
/// let subscriber = tracing_subscriber::registry().with(codechat::tracing_layer()).with(log);
/// # let _ = subscriber; // .init();
/// ```
#[must_use]
pub fn tracing_layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    TracingOptions::new().layer()
}

/// Options of [`tracing_layer`]: what is sent.
#[derive(Clone, Debug, Default)]
pub struct TracingOptions {
    targets: Targets,
    spans: Spans,
}

/// Which spans of a watched request are operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spans {
    /// Those with a field `operation`.
    #[default]
    Marked,
    /// Also all others of the level info or above, under their own names; of a target in
    /// [`TracingOptions::target`], those of its level or above.
    Info,
}

impl TracingOptions {
    /// The defaults: all targets, at the level that a watcher asks for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends events of targets that begin with `name` only down to `level`. If several match, the last one counts.
    #[must_use]
    pub fn target(mut self, name: &str, level: LevelFilter) -> Self {
        self.targets.0.push((name.into(), level));
        self
    }

    /// Sets which spans are operations. Default [`Spans::Marked`].
    #[must_use]
    pub fn spans(mut self, spans: Spans) -> Self {
        self.spans = spans;
        self
    }

    /// Returns the layer.
    #[must_use]
    pub fn layer<S>(self) -> impl Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        levels::follow();
        let targets = Arc::new(self.targets);
        let filter = ScopeFilter {
            targets: Arc::clone(&targets),
        };
        let spans = self.spans;
        ScopeEvents { targets, spans }.with_filter(filter)
    }
}

struct ScopeEvents {
    targets: Arc<Targets>,
    spans: Spans,
}

/// The data of a span in a scope.
struct InSpan {
    scope: Scope,
    /// Set if it is an operation.
    operation: Option<OperationGuard>,
    outcome: Option<Outcome>,
    /// Whether an error happened in it.
    has_failed: bool,
}

thread_local! {
    /// Whether an event is being read: events meanwhile come from formatting it, and are ignored.
    static IS_READING: Cell<bool> = const { Cell::new(false) };
}

/// Reads fields, unless this thread is already reading some.
fn read(record: impl FnOnce(&mut Fields)) -> Option<Fields> {
    struct Read;
    impl Drop for Read {
        fn drop(&mut self) {
            let _ = IS_READING.try_with(|it| it.set(false));
        }
    }
    let is_nested = IS_READING.try_with(|it| it.replace(true)).unwrap_or(true);
    if is_nested {
        return None;
    }
    let _read = Read;
    let mut fields = Fields::default();
    record(&mut fields);
    Some(fields)
}

impl<S> Layer<S> for ScopeEvents
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, ctx: Context<'_, S>) {
        let (Some(span), Some(fields)) = (ctx.span(id), read(|it| attributes.record(it))) else {
            return;
        };
        let metadata = attributes.metadata();
        let is_named = self.spans == Spans::Info
            && *metadata.level() <= tracing_core::Level::INFO
            && self.targets.may_send(metadata);
        let own_name = || is_named.then(|| metadata.name().to_owned());
        let name = fields.operation.or_else(own_name);
        let operation = name.map(|name| current().operation(&name));
        let scope = operation
            .as_ref()
            .map_or_else(current, |it| it.scope().clone());
        span.extensions_mut().replace(InSpan {
            scope,
            operation,
            outcome: fields.outcome,
            has_failed: false,
        });
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, ctx: Context<'_, S>) {
        let (Some(span), Some(fields)) = (ctx.span(id), read(|it| values.record(it))) else {
            return;
        };
        let scope = {
            let mut extensions = span.extensions_mut();
            let Some(in_span) = extensions.get_mut::<InSpan>() else {
                return;
            };
            in_span.outcome = fields.outcome.or(in_span.outcome);
            in_span.operation.as_ref().map(|it| it.scope().clone())
        };
        if let (Some(scope), Some(progress)) = (scope, fields.progress()) {
            let progress = Some(progress);
            scope.send(Message {
                progress,
                ..Message::default()
            });
        }
    }

    fn on_enter(&self, id: &span::Id, ctx: Context<'_, S>) {
        let scope = ctx.span(id).and_then(|span| {
            let extensions = span.extensions();
            extensions.get::<InSpan>().map(|it| it.scope.clone())
        });
        if let Some(scope) = scope {
            scope::enter(Key::Span(id.into_u64()), scope);
        }
    }

    fn on_exit(&self, id: &span::Id, _: Context<'_, S>) {
        scope::leave(Key::Span(id.into_u64()));
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let Some(fields) = read(|it| event.record(it)) else {
            return;
        };
        let metadata = event.metadata();
        if *metadata.level() == tracing_core::Level::ERROR {
            for span in ctx.event_scope(event).into_iter().flatten() {
                if let Some(in_span) = span.extensions_mut().get_mut::<InSpan>() {
                    in_span.has_failed = true;
                }
            }
        }
        let message = fields.into_message(level(metadata), metadata.target());
        current().send(message);
    }

    fn on_close(&self, id: span::Id, ctx: Context<'_, S>) {
        let in_span = ctx
            .span(&id)
            .and_then(|it| it.extensions_mut().remove::<InSpan>());
        let Some(in_span) = in_span else { return };
        let Some(operation) = in_span.operation else {
            return;
        };
        let outcome = in_span.outcome.unwrap_or_else(|| {
            if in_span.has_failed || thread::panicking() {
                Outcome::Failed
            } else if operation.is_cancelled() {
                Outcome::Cancelled
            } else {
                Outcome::Ok
            }
        });
        operation.finish(outcome);
    }
}

/// Returns the level of a message for that of an event.
fn level(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing_core::Level::TRACE => Level::Trace,
        tracing_core::Level::DEBUG => Level::Debug,
        tracing_core::Level::INFO => Level::Info,
        tracing_core::Level::WARN => Level::Warn,
        tracing_core::Level::ERROR => Level::Error,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::{FutureExt, StreamExt};
    use tracing::subscriber::with_default;
    use tracing_subscriber::prelude::*;
    use tracing_subscriber::registry;

    use super::*;
    use crate::hub::{Hub, Limits, Position};
    use crate::publisher::Publisher;
    use crate::update::Update;

    /// Another layer, which takes all that reaches it.
    #[derive(Clone, Default)]
    struct Other(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Other {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn log() {
        tracing::trace!("finest");
        tracing::info!("usual");
    }

    #[test]
    fn every_span_of_info_is_an_operation_with_spans_info() {
        let layer = TracingOptions::new().spans(Spans::Info);
        let layer = layer.target("quiet", LevelFilter::WARN).layer();
        let hub = Hub::new(Limits::default());
        let id = hub.connect().unwrap();
        let scope = Publisher::new(&hub).scope(id);
        with_default(registry().with(layer), || {
            scope.in_scope(|| {
                tracing::info_span!(target: "app", "import")
                    .in_scope(|| tracing::info!(target: "app", "reading"));
                tracing::debug_span!("detail")
                    .in_scope(|| tracing::info!(target: "app", "in no operation"));
                tracing::info_span!(target: "quiet::module", "query")
                    .in_scope(|| tracing::info!(target: "app", "in none either"));
            });
        });
        let mut feed = hub.feed(id, Position::Start).unwrap();
        let mut said = Vec::new();
        while let Some(Some(Update::Message(it))) = feed.next().now_or_never() {
            let Message {
                operation, text, ..
            } = it.message;
            said.push((operation.map(|it| it.as_str().to_owned()), text));
        }
        let import = Some("import".to_owned());
        assert_eq!(said[0], (import.clone(), "Started import".into()));
        assert_eq!(said[1], (import.clone(), "reading".into()));
        assert_eq!(
            (&said[2].0, said[2].1.starts_with("Finished")),
            (&import, true)
        );
        assert_eq!(said[3], (None, "in no operation".into()));
        assert_eq!(said[4], (None, "in none either".into()));
    }

    #[test]
    fn a_layer_without_a_filter_sees_the_same_as_before() {
        let (before, after, filtered) = (Other::default(), Other::default(), Other::default());
        with_default(registry().with(before.clone()).with(tracing_layer()), log);
        with_default(registry().with(tracing_layer()).with(after.clone()), log);
        let info = registry().with(filtered.clone()).with(LevelFilter::INFO);
        with_default(info.with(tracing_layer()), log);
        let seen = [before, after, filtered].map(|it| it.0.load(Ordering::Relaxed));
        assert_eq!(seen, [2, 2, 1]);
    }
}
