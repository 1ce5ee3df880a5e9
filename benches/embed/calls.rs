//! Single calls in memory: a request, an event.

use std::{convert::Infallible, hint::black_box, io};

use axum::{Router, body::Body, http::Request, routing::get};
use codechat::{Change, ControlRequest, Hub, Level, Limits, Publisher, Scope, ScopeLayer};
use criterion::Criterion;
use tokio::runtime;
use tower::Service;
use tracing::{Dispatch, debug, dispatcher::with_default, info};
use tracing_subscriber::{filter::LevelFilter, fmt, prelude::*, registry};

/// Measures one request in memory: in an application without the layer, with it, and with a client that is watched.
pub(crate) fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("request");
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let hub = Hub::new(Limits::default());
    let id = hub.connect().unwrap().to_string();
    let plain = Router::new().route("/{name}", get(async || "done"));
    let watched = plain.clone().layer(ScopeLayer::new(Publisher::new(&hub)));
    for (name, router, header) in [
        ("without codechat", &plain, None),
        ("without a header", &watched, None),
        ("watched", &watched, Some(&id)),
    ] {
        let mut router = router.clone();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut request = Request::get("/demo");
                if let Some(id) = header {
                    request = request.header("Sse-Client-ID", id);
                }
                let request = request.body(Body::empty()).unwrap();
                let response: Result<_, Infallible> = runtime.block_on(router.call(request));
                drop(black_box(response));
            });
        });
    }
}

/// Returns an application's log, with codechat's layer or without.
pub(crate) fn log(with_layer: bool) -> Dispatch {
    let fmt = fmt::layer()
        .with_writer(io::sink)
        .with_filter(LevelFilter::INFO);
    let layer = with_layer.then(codechat::tracing_layer);
    Dispatch::new(registry().with(layer).with(fmt))
}

/// Measures one event, which the log accepts (`info`) or not (`debug`).
pub(crate) fn events(c: &mut Criterion) {
    let mut group = c.benchmark_group("event");
    let mut measure = |name: &str, log: &Dispatch, scope: &Scope| {
        with_default(log, || {
            scope.in_scope(|| {
                tracing_core::callsite::rebuild_interest_cache();
                group.bench_function(format!("debug, {name}"), |it| {
                    it.iter(|| {
                        debug!(n = 1, "x");
                    });
                });
                group.bench_function(format!("info, {name}"), |it| {
                    it.iter(|| {
                        info!(n = 1, "x");
                    });
                });
            });
        });
    };
    measure("without codechat", &log(false), &Scope::none());
    let log = log(true);
    measure("no request is watched", &log, &Scope::none());
    let hub = Hub::new(Limits::default());
    let scope = Publisher::new(&hub).scope(hub.connect().unwrap());
    measure("another is watched", &log, &Scope::none());
    measure("this is watched", &log, &scope);
    let level = Change::Set(Level::Debug);
    let request = ControlRequest::new().level(level);
    hub.request_control(scope.client_id().unwrap(), request)
        .unwrap();
    measure("another is watched in detail", &log, &Scope::none());
    measure("this is watched in detail", &log, &scope);
}
