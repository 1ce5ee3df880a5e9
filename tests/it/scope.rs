//! Publishing from inside an application, on a hub in the same process.

use std::{fmt, thread, time::Duration};

use codechat::{
    Cancel, Change, ClientId, ControlRequest, Hub, Level, Limits, Message, OperationGuard, Outcome,
    Position, Publisher, Scope, Update, current,
};
use futures_util::{FutureExt, StreamExt};

use crate::support::scope::{messages, scope, texts};

/// Returns the names and outcomes of the operations that have ended.
fn outcomes(hub: &Hub, id: ClientId) -> Vec<(String, Outcome)> {
    let messages = messages(hub, id).into_iter();
    messages
        .filter_map(|it| Some((it.operation?.as_str().to_owned(), it.outcome?)))
        .collect()
}

fn ask_level(hub: &Hub, id: ClientId, level: Change<Level>) {
    let request = ControlRequest::new().level(level);
    hub.request_control(id, request).unwrap();
}

fn ask_cancel(hub: &Hub, id: ClientId, operation: Option<&str>) {
    let mut cancel = Cancel::new();
    cancel.operation = operation.map(|it| it.parse().unwrap());
    let request = ControlRequest::new().cancel(Change::Set(cancel));
    hub.request_control(id, request).unwrap();
}

/// A value that must not be formatted.
struct Costly;

impl fmt::Display for Costly {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("it is formatted");
    }
}

#[test]
fn a_scope_formats_and_sends_only_what_its_watcher_asks_for() {
    let (hub, id, scope) = scope();
    scope.debug(Costly);
    scope.info("one");
    ask_level(&hub, id, Change::Set(Level::Debug));
    assert!(scope.wants(Level::Debug) && !scope.wants(Level::Trace));
    scope.debug("two");
    scope.trace(Costly);
    ask_level(&hub, id, Change::Set(Level::Error));
    scope.warn(Costly);
    ask_level(&hub, id, Change::Clear);
    scope.debug(Costly);
    scope.clone().warn("three");
    assert_eq!(texts(&hub, id), ["one", "two", "three"]);
    let levels: Vec<_> = messages(&hub, id).iter().map(|it| it.level).collect();
    let expected = [Level::Info, Level::Debug, Level::Warn].map(Some);
    assert_eq!(levels, expected);
}

#[test]
fn a_scope_without_a_client_does_nothing() {
    for scope in [
        Scope::none(),
        current(),
        Publisher::none().scope(ClientId::random()),
    ] {
        scope.error(Costly);
        let operation = scope.operation("import");
        operation.progress(1, Some(2));
        operation.scope().error(Costly);
        operation.finish(Outcome::Ok);
        assert!(!scope.wants(Level::Error) && !scope.cancelled().is_cancelled());
        assert_eq!(scope.client_id(), None);
    }
}

#[test]
fn an_operation_ends_with_its_outcome_or_as_failed() {
    let (hub, id, scope) = scope();
    let import = scope.operation("import");
    import.scope().info("working");
    import.finish(Outcome::Ok);
    drop(scope.operation("import"));
    let panicked = thread::spawn({
        let scope = scope.clone();
        move || {
            let _check = scope.operation("check");
            panic!("a bug");
        }
    });
    assert!(panicked.join().is_err());
    let all = messages(&hub, id);
    assert_eq!(all[0].text, "Started import");
    assert_eq!(
        all[1].operation, all[0].operation,
        "it is of the same operation"
    );
    let expected = [
        ("import".to_owned(), Outcome::Ok),
        ("import".to_owned(), Outcome::Failed),
        ("check".to_owned(), Outcome::Failed),
    ];
    assert_eq!(outcomes(&hub, id), expected);
    assert_eq!(all.last().unwrap().level, Some(Level::Error));
}

#[test]
fn the_name_of_a_running_operation_gets_a_number_in_every_scope() {
    let hub = Hub::new(Limits::default());
    let (id, other) = (hub.connect().unwrap(), hub.connect().unwrap());
    let publisher = Publisher::new(&hub);
    let long = "x".repeat(200);
    let names = |guards: &[OperationGuard]| -> Vec<String> {
        let named = guards.iter().map(|it| format!("{it:?}"));
        named
            .map(|it| {
                it.replace(['"', '(', ')'], "")
                    .replace("OperationGuardSome", "")
            })
            .collect()
    };
    let first: Vec<_> = (0..3).map(|_| publisher.scope(id).operation("a")).collect();
    assert_eq!(names(&first), ["a", "a #2", "a #3"]);
    let elsewhere = [publisher.scope(other).operation("a")];
    assert_eq!(names(&elsewhere), ["a"]);
    drop(first);
    let again = [(); 2].map(|()| publisher.scope(id).operation(&long));
    assert_eq!(names(&again), ["x".repeat(128), "x".repeat(125) + " #2"]);
    let nameless = [
        publisher.scope(id).operation(""),
        publisher.scope(id).operation("a"),
    ];
    assert_eq!(names(&nameless), ["operation", "a"]);
}

#[test]
fn a_cancel_reaches_what_it_names_and_nothing_that_begins_later() {
    let hub = Hub::new(Limits::default());
    let id = hub.connect().unwrap();
    let publisher = Publisher::new(&hub);
    let (one, two) = (publisher.scope(id), publisher.scope(id));
    let (a, b) = (one.operation("a"), two.operation("b"));
    ask_cancel(&hub, id, Some("a"));
    assert!(one.cancelled().is_cancelled() && a.is_cancelled());
    assert!(!two.cancelled().is_cancelled() && !b.is_cancelled());
    drop(a);
    assert!(!one.cancelled().is_cancelled(), "the request is over");
    let next = one.operation("a");
    assert!(!next.is_cancelled());
    ask_cancel(&hub, id, None);
    assert!(next.is_cancelled() && b.is_cancelled() && two.cancelled().is_cancelled());
    drop((next, b));
    let cancelled = |name: &str| (name.to_owned(), Outcome::Cancelled);
    assert_eq!(outcomes(&hub, id), ["a", "a", "b"].map(cancelled));
}

#[test]
fn a_cancel_reaches_operations_started_in_the_named_one_but_not_those_beside_it() {
    let (hub, id, scope) = scope();
    let (a, b) = (scope.operation("a"), scope.operation("b"));
    let inner = b.scope().operation("inner");
    ask_cancel(&hub, id, Some("a"));
    assert!(a.is_cancelled() && a.scope().cancelled().is_cancelled());
    assert!(scope.cancelled().is_cancelled());
    for beside in [&b, &inner] {
        assert!(!beside.is_cancelled() && !beside.scope().cancelled().is_cancelled());
    }
    drop(a);
    ask_cancel(&hub, id, Some("b"));
    let later = b.scope().operation("later");
    for it in [&b, &inner, &later] {
        assert!(it.is_cancelled() && it.scope().cancelled().is_cancelled());
    }
    drop((later, inner, b));
    let outcomes = outcomes(&hub, id).into_iter().map(|it| it.1);
    assert_eq!(outcomes.collect::<Vec<_>>(), [Outcome::Cancelled; 4]);
}

#[test]
fn an_operation_is_cancelled_with_an_outer_one_though_the_one_between_has_ended() {
    let (hub, id, scope) = scope();
    let outer = scope.operation("outer");
    let between = outer.scope().operation("between");
    let inner = between.scope().operation("inner");
    let ended = between.scope().clone();
    between.finish(Outcome::Ok);
    let later = ended.operation("later");
    ask_cancel(&hub, id, Some("outer"));
    assert!(inner.is_cancelled() && later.is_cancelled());
    drop((later, inner, outer));
    let token = scope.cancelled();
    drop(ended.operation("afterwards"));
    assert!(!token.is_cancelled(), "nothing that was cancelled runs");
}

#[test]
fn a_text_that_cannot_be_formatted_is_sent_as_far_as_it_goes() {
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("begins")?;
            Err(fmt::Error)
        }
    }
    let (hub, id, scope) = scope();
    scope.info(Broken);
    assert_eq!(messages(&hub, id)[0].text, "begins");
}

#[tokio::test]
async fn a_cancel_wakes_its_waiters() {
    let (hub, id, scope) = scope();
    let token = scope.cancelled();
    let waiting = tokio::spawn(async move { token.cancelled().await });
    tokio::task::yield_now().await;
    ask_cancel(&hub, id, None);
    crate::support::soon(waiting).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_progress_without_text_is_sent_ten_times_a_second_and_the_last_one_always() {
    let (hub, id, scope) = scope();
    let import = scope.operation("import").unit("rows");
    for row in 0..10_000 {
        import.progress(row, Some(10_000));
    }
    tokio::time::advance(Duration::from_millis(100)).await;
    import.progress(10_000, Some(20_000));
    import.progress(10_001, Some(20_000));
    import
        .scope()
        .send(Message::text("with a text").progress(10_002, None));
    import.progress(10_003, None);
    import.finish(Outcome::Ok);
    let current = messages(&hub, id).into_iter().filter_map(|it| it.progress);
    let current: Vec<_> = current
        .map(|it| (it.current(), it.unit().is_some()))
        .collect();
    let expected = [
        (0.0, true),
        (10_000.0, true),
        (10_002.0, false),
        (10_003.0, true),
    ];
    assert_eq!(current, expected);
}

#[tokio::test(start_paused = true)]
async fn a_running_operation_keeps_its_client_from_ending_as_idle() {
    let (hub, id, scope) = scope();
    let import = scope.operation("import");
    let idle = hub.limits().idle_timeout + Duration::from_secs(1);
    tokio::time::advance(idle).await;
    assert_eq!(hub.sweep(), 0);
    import.finish(Outcome::Ok);
    tokio::time::advance(idle).await;
    assert_eq!(hub.sweep(), 1);
    drop(scope);
    let last = |it: &Hub| it.stats().published;
    assert_eq!(last(&hub), 2, "the loss of its publisher is not published");
    assert!(hub.publish(id, Message::text("x"), None).is_err());
}

#[test]
fn an_unknown_client_costs_nothing_and_is_followed_once_it_is_known() {
    let hub = Hub::new(Limits::default());
    let publisher = Publisher::new(&hub);
    let id = ClientId::random();
    let scope = publisher.scope(id);
    scope.info("to nobody");
    assert_eq!(publisher.stats().dropped, 1);
    let feed = hub.feed(id, Position::Start).unwrap();
    ask_level(&hub, id, Change::Set(Level::Trace));
    scope.info("to somebody");
    scope.trace("in detail");
    assert!(hub.stop(id));
    assert!(!scope.wants(Level::Trace), "it has ended");
    scope.info("to nobody again");
    let texts: Vec<_> = feed
        .filter_map(async |it| match it {
            Update::Message(it) => Some(it.message.text),
            _ => None,
        })
        .collect()
        .now_or_never()
        .unwrap();
    assert_eq!(texts, ["to somebody", "in detail"]);
    assert_eq!(
        (publisher.stats().accepted, publisher.stats().dropped),
        (2, 2)
    );
}

#[tokio::test]
async fn the_current_scope_is_that_of_the_thread_or_of_the_future_that_is_polled() {
    let (hub, id, scope) = scope();
    let (_, other_id, other) = self::scope();
    assert_eq!(current().client_id(), None);
    scope.in_scope(|| {
        assert_eq!(current().client_id(), Some(id));
        other.in_scope(|| assert_eq!(current().client_id(), Some(other_id)));
        Scope::none().in_scope(|| current().error(Costly));
        assert_eq!(current().client_id(), Some(id));
        let elsewhere = thread::spawn(|| current().client_id());
        assert_eq!(elsewhere.join().unwrap(), None);
    });
    let panicked = std::panic::catch_unwind(|| scope.in_scope(|| panic!("a bug")));
    assert!(panicked.is_err() && current().client_id().is_none());
    let bound = scope.bind(async {
        tokio::task::yield_now().await;
        current().info("bound");
        tokio::spawn(async { current().client_id() }).await.unwrap()
    });
    let spawned = tokio::spawn(bound).await.unwrap();
    assert_eq!(spawned, None, "a bare spawn carries nothing on");
    assert_eq!(texts(&hub, id), ["bound"]);
}

#[test]
fn scopes_can_end_during_control_requests_without_a_deadlock() {
    let hub = Hub::new(Limits::default());
    let id = hub.connect().unwrap();
    let publisher = Publisher::new(&hub);
    thread::scope(|threads| {
        for worker in 0..4 {
            let (publisher, hub) = (&publisher, &hub);
            threads.spawn(move || {
                for round in 0..200 {
                    let scope = publisher.scope(id);
                    let operation = scope.operation("work");
                    let level = if round % 2 == 0 {
                        Level::Debug
                    } else {
                        Level::Info
                    };
                    if worker == 0 {
                        ask_level(hub, id, Change::Set(level));
                        ask_cancel(hub, id, None);
                    }
                    operation.scope().debug("x");
                    operation.finish(Outcome::Ok);
                }
            });
        }
    });
    assert_eq!(publisher.stats().dropped, 0);
}
