//! The API as part of an application's own server.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use codechat::{
    Access, Client, ClientOptions, Hub, Level, Limits, Message, RouterOptions, SubscribeOptions,
    Token, Update,
};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::support::{feed::next, http::Http, soon};

fn open(hub: &Hub) -> Router {
    codechat::router(hub, RouterOptions::new(Access::open()))
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    address
}

async fn status(router: &Router, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = Request::get(path);
    if !headers.iter().any(|it| it.0 == "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn every_route_works_under_any_prefix() {
    for prefix in ["", "/tools/codechat"] {
        let hub = Hub::new(Limits::default());
        let app = match prefix {
            "" => Router::new().merge(open(&hub)),
            prefix => Router::new().nest(prefix, open(&hub)),
        };
        let app = app.route("/", get(async || "the application"));
        let http = Http {
            address: serve(app).await,
        };
        let server = format!("http://{}{prefix}", http.address);
        let client = Client::new(server.parse().unwrap(), ClientOptions::default()).unwrap();
        let (id, connected) = client.connect().await.unwrap();
        let url = connected.stream_url.unwrap();
        assert_eq!(url, format!("{prefix}/api/v1/sse/debug/{id}"));
        let mut feed = client.subscribe(id, SubscribeOptions::default());
        assert!(matches!(next(&mut feed).await, Update::Connected { .. }));
        let message = Message::text("hello").level(Level::Warn);
        client.publish(id, &message, "key").await.unwrap();
        let mut received = next(&mut feed).await;
        if let Update::Message(greeting) = &received
            && greeting.message.system
        {
            received = next(&mut feed).await;
        }
        let Update::Message(received) = received else {
            panic!("{received:?}")
        };
        assert_eq!(received.message.text, "hello");
        let ndjson = ["Content-Type: application/x-ndjson"];
        let answer = http.post(&url, &ndjson, "\"one\"\n\"two\"\n").await;
        assert_eq!(answer.json()["accepted"], 2);
        client.stop(id).await.unwrap();
        assert_eq!(http.get("/").await.text(), "the application");
    }
}

#[tokio::test]
async fn the_router_handles_no_path_but_its_own() {
    let hub = Hub::new(Limits::default());
    let others = ["/", "/healthz", "/readyz", "/metrics", "/elsewhere"];
    let app = Router::new()
        .route("/metrics", get(async || StatusCode::IM_A_TEAPOT))
        .fallback(async || StatusCode::IM_A_TEAPOT)
        .merge(open(&hub));
    for path in others {
        assert_eq!(
            status(&app, path, &[]).await,
            StatusCode::IM_A_TEAPOT,
            "{path}"
        );
    }
    let unknown = ["/api/v1/sse/elsewhere", "/api/v1/sse/debug/a/b/c"];
    for path in unknown {
        assert_eq!(
            status(&app, path, &[]).await,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let refused = status(&app, "/api/v1/sse/broadcast", &[]).await;
    assert_eq!(refused, StatusCode::METHOD_NOT_ALLOWED);
    let options = RouterOptions::new(Access::open()).page().health().metrics();
    let app = codechat::router(&hub, options);
    for path in &others[..4] {
        assert_eq!(status(&app, path, &[]).await, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_router_refuses_whatever_the_server_refuses() {
    let hub = Hub::new(Limits::default());
    let access = Access::token(Token::new("secret")).host("app.example.org".parse().unwrap());
    let app = codechat::router(&hub, RouterOptions::new(access));
    let connect = "/api/v1/sse/connect";
    let bearer = ("authorization", "Bearer secret");
    for (headers, expected) in [
        (vec![bearer], StatusCode::OK),
        (vec![], StatusCode::UNAUTHORIZED),
        (vec![bearer, ("host", "app.example.org")], StatusCode::OK),
        (
            vec![bearer, ("host", "rebound.example.com")],
            StatusCode::FORBIDDEN,
        ),
        (
            vec![bearer, ("origin", "https://evil.example.com")],
            StatusCode::FORBIDDEN,
        ),
    ] {
        assert_eq!(
            status(&app, connect, &headers).await,
            expected,
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn closing_the_hub_ends_streams_and_then_the_server() {
    let hub = Hub::new(Limits::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let signal = hub.close_on(async { drop(stopped.await) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = Http {
        address: listener.local_addr().unwrap(),
    };
    let app = open(&hub);
    let server = async move {
        axum::serve(listener, app)
            .with_graceful_shutdown(signal)
            .await
    };
    let server = tokio::spawn(server);
    let mut stream = http.watch(&http.connect().await).await;
    stop.send(()).unwrap();
    assert_eq!(stream.data(1).await, ["Server shutting down..."]);
    stream.ended().await;
    soon(server).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_no_bytes_is_closed() {
    let hub = Hub::new(Limits::default());
    let id = hub.connect().unwrap();
    let request = Request::get(format!("/api/v1/sse/debug/{id}")).header("host", "localhost");
    let request = request.body(Body::empty()).unwrap();
    let response = open(&hub).oneshot(request).await.unwrap();
    let mut frames = response.into_body().into_data_stream();
    assert!(frames.next().await.is_some(), "the greeting");
    // Its client reads as fast as it can.
    let waits = tokio::time::timeout(Duration::from_secs(12), frames.next()).await;
    assert!(waits.is_err());
    assert_eq!(hub.stats().subscribers, 1);
    hub.publish(id, Message::text("x"), None).unwrap();
    assert!(frames.next().await.is_some());
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(hub.stats().subscribers, 0);
    assert!(frames.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_first_request_starts_the_sweep_which_ends_with_the_hub() {
    let hub = Hub::new(Limits::default());
    let app = open(&hub);
    assert_eq!(
        status(&app, "/api/v1/sse/connect", &[]).await,
        StatusCode::OK
    );
    assert_eq!(hub.stats().channels, 1);
    tokio::time::sleep(2 * hub.limits().idle_timeout).await;
    assert_eq!(hub.stats().channels, 0);
    hub.close();
    let body = Request::get("/api/v1/sse/connect").header("host", "localhost");
    let refused = app
        .oneshot(body.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.into_body().collect().await.is_ok());
}
