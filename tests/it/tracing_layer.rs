//! The `tracing` layer: what a watcher gets of a request's events, and that other layers are not affected.

use std::sync::{Mutex, OnceLock, PoisonError};

use codechat::{Cancel, Change, ClientId, ControlRequest, Hub, Level, Outcome, Publisher, Scope};
use tracing::{Instrument, debug, error, field::Empty, info, info_span, trace, trace_span};
use tracing_subscriber::{Layer, filter::LevelFilter, layer::Context, prelude::*};

use crate::support::{
    self,
    scope::{messages, texts},
};

/// The targets of the events that another layer saw, which takes info and above.
static SEEN: Mutex<Vec<&str>> = Mutex::new(Vec::new());

struct Other;

impl<S: tracing::Subscriber> Layer<S> for Other {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(event.metadata().target());
    }
}

/// Installs the process's only subscriber, which these tests share.
fn subscribe() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let quiet = codechat::TracingOptions::new().target("quiet", LevelFilter::WARN);
        tracing_subscriber::registry()
            .with(Other.with_filter(LevelFilter::INFO))
            .with(quiet.layer())
            .init();
    });
}

fn scope() -> (Hub, ClientId, Scope) {
    subscribe();
    support::scope::scope()
}

fn ask(hub: &Hub, id: ClientId, level: Level) {
    let level = Change::Set(level);
    let request = ControlRequest::new().level(level);
    hub.request_control(id, request).unwrap();
}

#[test]
fn an_event_is_a_message_with_its_fields() {
    let (hub, id, scope) = scope();
    scope.in_scope(|| {
        info!(target: "app", user = "ann", count = 3, ok = true, ratio = 0.5, "Read {} files", 3);
        info!(
            progress.current = 3,
            progress.total = 120,
            progress.unit = "files",
            "Read"
        );
        info!(event = "build.step", other = ?[1, 2]);
        error!(outcome = "failed", operation = "import", "No more");
    });
    let all = messages(&hub, id);
    assert_eq!(all[0].text, "Read 3 files");
    let fields = r#"{"target":"app","user":"ann","count":3,"ok":true,"ratio":0.5}"#;
    assert_eq!(all[0].fields.as_deref(), Some(fields));
    let progress = all[1].progress.as_ref().unwrap();
    assert_eq!((progress.current(), progress.total()), (3.0, Some(120.0)));
    assert_eq!(progress.unit(), Some("files"));
    assert_eq!(
        (all[2].event_name(), all[2].text.as_str()),
        ("build.step", "other=\"[1, 2]\"")
    );
    assert_eq!(all[3].outcome, Some(Outcome::Failed));
    assert_eq!(all[3].operation.as_ref().unwrap().as_str(), "import");
    let levels: Vec<_> = all.iter().filter_map(|it| it.level).collect();
    assert_eq!(
        levels,
        [Level::Info, Level::Info, Level::Info, Level::Error]
    );
}

#[test]
fn only_the_request_whose_watcher_asks_gets_detail() {
    let (hub, id, scope) = scope();
    let other_id = hub.connect().unwrap();
    let other = Publisher::new(&hub).scope(other_id);
    let work = || {
        trace!(target: "detail", "trace");
        debug!(target: "detail", "debug");
        info!(target: "detail::info", "info");
    };
    let both = || {
        scope.in_scope(work);
        other.in_scope(work);
        work();
    };
    both();
    ask(&hub, id, Level::Debug);
    both();
    ask(&hub, id, Level::Trace);
    both();
    ask(&hub, id, Level::Warn);
    both();
    let expected = ["info", "debug", "info", "trace", "debug", "info"];
    assert_eq!(texts(&hub, id), expected);
    assert_eq!(texts(&hub, other_id), ["info"; 4]);
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let seen: Vec<_> = seen.iter().filter(|it| it.starts_with("detail")).collect();
    assert_eq!(
        seen, [&"detail::info"; 12],
        "other layers see the same events"
    );
}

#[tokio::test]
async fn a_span_has_its_scope_wherever_it_is_entered() {
    let (hub, id, scope) = scope();
    let (_, other_id, other) = self::scope();
    let span = scope.in_scope(|| trace_span!("carried"));
    std::thread::scope(|threads| {
        threads.spawn(|| span.in_scope(|| info!("on a thread")));
    });
    let task = async {
        tokio::task::yield_now().await;
        info!("in a task");
    };
    tokio::spawn(task.instrument(span.clone())).await.unwrap();
    tokio::spawn(async { info!("beside it") }).await.unwrap();
    other.in_scope(|| {
        span.in_scope(|| info!("inside another"));
        let later = trace_span!("later");
        // Spans may be left in any order.
        let (first, second) = (span.clone().entered(), later.entered());
        drop(first);
        info!("of the other");
        drop(second);
    });
    info!("after all");
    assert_eq!(
        texts(&hub, id),
        ["on a thread", "in a task", "inside another"]
    );
    assert_eq!(other.client_id(), Some(other_id));
}

#[test]
fn a_marked_span_is_an_operation() {
    let (hub, id, scope) = scope();
    let run = |name: &str, work: &dyn Fn(&tracing::Span)| {
        scope.in_scope(|| {
            let span = info_span!(
                "x",
                operation = name,
                outcome = Empty,
                progress.current = Empty
            );
            span.in_scope(|| work(&span));
        });
    };
    run("good", &|_| info!("inside"));
    run("bad", &|_| error!("inside"));
    run("said", &|span| {
        error!("inside");
        span.record("progress.current", 7);
        span.record("outcome", "ok");
    });
    run("stopped", &|_| {
        let cancel = Change::Set(Cancel::new().operation("stopped".parse().unwrap()));
        let request = ControlRequest::new().cancel(cancel);
        hub.request_control(id, request).unwrap();
        assert!(codechat::current().cancelled().is_cancelled());
    });
    let all = messages(&hub, id);
    let outcomes: Vec<_> = all
        .iter()
        .filter_map(|it| Some((it.operation.as_ref()?.as_str(), it.outcome?)))
        .collect();
    let expected = [
        ("good", Outcome::Ok),
        ("bad", Outcome::Failed),
        ("said", Outcome::Ok),
        ("stopped", Outcome::Cancelled),
    ];
    assert_eq!(outcomes, expected);
    assert!(all.iter().all(|it| it.operation.is_some()));
    let progress = all.iter().find_map(|it| it.progress.as_ref()).unwrap();
    assert_eq!((progress.current(), progress.total()), (7.0, None));
}

/// A value that logs while it is formatted.
struct Noisy;

impl std::fmt::Display for Noisy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        info!("formatting");
        f.write_str("noisy")
    }
}

#[test]
fn neither_its_own_events_nor_those_of_formatting_nor_quiet_targets_are_sent() {
    let (hub, id, scope) = scope();
    scope.in_scope(|| {
        info!("{Noisy}");
        info!(target: "codechat", "own");
        info!(target: "codechat::hub", "own");
        info!(target: "codechatter", "another's");
        info!(target: "quiet::module", "quiet");
        error!(target: "quiet::module", "loud");
    });
    assert_eq!(texts(&hub, id), ["noisy", "another's", "loud"]);
}
