//! The tower layer: which requests are watched, and when their operations end.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, StatusCode},
    response::Response,
    routing::{any, get},
};
use codechat::{
    Cancel, Change, ClientId, ControlRequest, Hub, Level, Limits, Message, Outcome, Publisher,
    Scope, ScopeLayer, current, headers,
};
use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::BodyExt;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::support;

/// An application and one of its clients.
struct App {
    hub: Hub,
    id: ClientId,
    router: Router,
}

impl App {
    fn new(change: impl FnOnce(ScopeLayer) -> ScopeLayer) -> Self {
        let hub = Hub::new(Limits::default());
        let id = hub.connect().unwrap();
        let work = async |scope: Scope| {
            assert_eq!(scope.client_id(), current().client_id());
            current().info("working");
            headers()
                .get("sse-client-id")
                .map_or_else(String::new, |it| it.to_str().unwrap().into())
        };
        let chunks = || async {
            let chunks = stream::iter(["a", "b"]).map(|chunk| {
                current().info(format_args!("chunk {chunk}"));
                Ok::<_, Infallible>(Bytes::from(chunk))
            });
            Body::from_stream(chunks)
        };
        let router = Router::new()
            .route("/work/{name}", any(work))
            .route("/chunks", get(chunks))
            .route("/refused", get(async || StatusCode::CONFLICT))
            .route(
                "/bug",
                get(async || {
                    panic!("a bug");
                    #[expect(unreachable_code)]
                    ""
                }),
            )
            .route(
                "/endless",
                get(async || {
                    current().info("waiting");
                    std::future::pending::<()>().await;
                }),
            )
            .route(
                "/api/v1/sse/connect",
                get(async || current().client_id().is_none().to_string()),
            )
            .route(
                "/api/v1/sse-export",
                get(async || current().client_id().is_none().to_string()),
            )
            .layer(change(ScopeLayer::new(Publisher::new(&hub))));
        Self { hub, id, router }
    }

    async fn ask(&self, path: &str, headers: &[&str]) -> Response {
        let mut request = Request::get(path);
        for value in headers {
            request = request.header("Sse-Client-ID", *value);
        }
        let request = request.body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn watched(&self, path: &str) -> Response {
        self.ask(path, &[&self.id.to_string()]).await
    }

    fn messages(&self) -> Vec<Message> {
        support::scope::messages(&self.hub, self.id)
    }

    fn outcomes(&self) -> Vec<Outcome> {
        self.messages().iter().filter_map(|it| it.outcome).collect()
    }
}

async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.into()).unwrap()
}

#[tokio::test]
async fn a_request_with_an_id_is_an_operation_from_its_head_to_the_end_of_its_body() {
    let app = App::new(|it| it);
    let response = app.watched("/work/demo").await;
    assert_eq!(app.outcomes(), [], "the body is yet to be read");
    assert_eq!(
        text(response).await,
        app.id.to_string(),
        "the header is passed on"
    );
    let messages = app.messages();
    let operations = messages
        .iter()
        .map(|it| it.operation.as_ref().unwrap().as_str());
    assert!(operations.eq(["GET /work/{name}"; 3]));
    assert_eq!(messages[0].text, "Started GET /work/{name}");
    assert_eq!(messages[1].text, "working");
    assert!(messages[2].text.starts_with("200 in "), "{messages:?}");
    assert_eq!(app.outcomes(), [Outcome::Ok]);
    assert!(current().client_id().is_none());
}

#[tokio::test]
async fn messages_of_a_response_body_belong_to_its_request() {
    let app = App::new(|it| it);
    assert_eq!(text(app.watched("/chunks").await).await, "ab");
    let texts: Vec<_> = app.messages().into_iter().map(|it| it.text).collect();
    assert_eq!(texts[1..3], ["chunk a", "chunk b"]);
    drop(app.watched("/chunks").await);
    assert_eq!(app.outcomes(), [Outcome::Ok, Outcome::Cancelled]);
}

#[tokio::test]
async fn the_outcome_is_that_of_the_request() {
    let app = App::new(|it| it);
    text(app.watched("/refused").await).await;
    let panicked = AssertUnwindSafe(app.watched("/bug")).catch_unwind().await;
    assert!(panicked.is_err());
    assert!(
        app.watched("/endless").now_or_never().is_none(),
        "its caller disconnects"
    );
    let expected = [Outcome::Failed, Outcome::Failed, Outcome::Cancelled];
    assert_eq!(app.outcomes(), expected);
    let head = Request::head("/work/demo").header("Sse-Client-ID", app.id.to_string());
    let head = head.body(Body::empty()).unwrap();
    drop(app.router.clone().oneshot(head).await.unwrap());
    assert_eq!(app.outcomes().last(), Some(&Outcome::Ok));
}

#[tokio::test]
async fn a_request_that_was_asked_to_stop_is_cancelled() {
    let stop = Arc::new(Notify::new());
    let hub = Hub::new(Limits::default());
    let id = hub.connect().unwrap();
    let begun = Arc::clone(&stop);
    let work = async move || {
        begun.notify_one();
        current().cancelled().cancelled().await;
        StatusCode::SERVICE_UNAVAILABLE
    };
    let router = Router::new()
        .route("/", get(work))
        .layer(ScopeLayer::new(Publisher::new(&hub)));
    let request = Request::get("/").header("Sse-Client-ID", id.to_string());
    let answer = tokio::spawn(router.oneshot(request.body(Body::empty()).unwrap()));
    stop.notified().await;
    let cancel = Change::Set(Cancel::default());
    let request = ControlRequest::new().cancel(cancel);
    hub.request_control(id, request).unwrap();
    let answer = crate::support::soon(answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    text(answer).await;
    let app = App {
        hub,
        id,
        router: Router::new(),
    };
    assert_eq!(app.outcomes(), [Outcome::Cancelled]);
}

#[tokio::test]
async fn requests_without_a_valid_id_and_codechats_own_pass_unchanged() {
    let app = App::new(|it| it);
    let id = app.id.to_string();
    for headers in [
        &[][..],
        &[""],
        &["nonsense"],
        &[&id, &id],
        &[&format!("{id}x")],
    ] {
        assert_eq!(
            text(app.ask("/work/demo", headers).await).await,
            "",
            "{headers:?}"
        );
    }
    assert_eq!(text(app.watched("/api/v1/sse/connect").await).await, "true");
    assert_eq!(app.hub.stats().published, 0);
    let unknown = ClientId::random().to_string();
    let answer = app.ask("/work/demo", &[&unknown]).await;
    assert_eq!(text(answer).await, unknown, "it is served like any other");
    assert_eq!(
        (app.hub.stats().published, app.hub.stats().channels),
        (0, 1)
    );
    let own = app.watched("/api/v1/sse-export").await;
    assert_eq!(text(own).await, "false", "it is the application's own path");
}

#[tokio::test]
async fn the_options_choose_which_requests_are_watched_and_how() {
    let app = App::new(|it| it.allow(|parts| parts.uri.path() != "/work/secret"));
    text(app.watched("/work/secret").await).await;
    assert_eq!(app.hub.stats().published, 0);
    let app = App::new(|it| it.operations(false).level(Level::Warn));
    text(app.watched("/work/demo").await).await;
    assert_eq!(app.hub.stats().published, 0, "info is not sent");
    let app = App::new(|it| it.operations(false));
    text(app.watched("/work/demo").await).await;
    let messages = app.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].operation, None);
}
