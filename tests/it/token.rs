//! A server with a token admits those who have it, and does not reveal it.

use codechat::internal::{client::Token, server::Access};

use crate::support::{http::stream_of, server::Server};

const SECRET: &str = "hvs.Wq8-T0p_s3cret~42";
const RIGHT: &str = "Authorization: Bearer hvs.Wq8-T0p_s3cret~42";
const CONNECT: &str = "/api/v1/sse/connect";

async fn start() -> Server {
    Server::with(|_, options| {
        let origin = "http://localhost:3000".parse().unwrap();
        options.access = Access::token(Token::new(SECRET)).origin(origin);
    })
    .await
}

/// Gets a client ID from a server that requires its token.
async fn connect(server: &Server) -> String {
    let answer = server.request("GET", CONNECT, &[RIGHT], "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["clientId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_route_that_reads_or_publishes_requires_the_token() {
    let server = start().await;
    let id = connect(&server).await;
    let by_header = format!("Sse-Client-ID: {id}");
    let routes = [
        ("GET", CONNECT.to_owned(), 200),
        ("POST", stream_of(&id), 202),
        ("POST", "/api/v1/sse/debug".into(), 202),
        ("POST", "/api/v1/sse/broadcast".into(), 202),
    ];
    let before = server.hub.stats();
    for (method, target, _) in &routes {
        for wrong in [
            "X-Nothing: at all",
            "Authorization: Bearer wrong",
            "Authorization: Bearer",
            "Authorization: Bearer ",
            "Authorization: Basic aHZzLldxOC1UMHBfczNjcmV0fjQyOg==",
            &format!("Authorization: {SECRET}"),
            &format!("{RIGHT}x"),
            &RIGHT[..RIGHT.len() - 1],
            &RIGHT.to_uppercase(),
            &format!("{RIGHT}\r\nAuthorization: Bearer wrong"),
            &format!("Authorization: Bearer wrong\r\n{RIGHT}"),
            &format!("Cookie: token={SECRET}"),
        ] {
            let headers = [wrong, &by_header];
            let answer = server.request(method, target, &headers, "hello").await;
            let detail = answer.detail(401);
            assert!(detail.contains("--token-file"), "{detail}");
            assert!(!answer.text().contains(SECRET), "{wrong}");
            assert_eq!(answer.head.header("www-authenticate"), Some("Bearer"));
        }
        let query = format!("{target}?token={SECRET}&access_token={SECRET}");
        let answer = server.request(method, &query, &[&by_header], "hello").await;
        answer.detail(401);
    }
    assert_eq!(server.hub.stats(), before);
    for (method, target, status) in &routes {
        for right in [RIGHT.to_owned(), RIGHT.replace("Bearer ", "bearer  ")] {
            let headers = [&*right, &by_header];
            // An ID that is not in the path is not part of these requests.
            let headers = if target == CONNECT {
                &headers[..1]
            } else {
                &headers
            };
            let answer = server.request(method, target, headers, "hello").await;
            assert_eq!(answer.status, *status, "{target}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn control_requests_and_control_streams_require_the_token() {
    let server = start().await;
    let id = connect(&server).await;
    let control = format!("/api/v1/sse/debug/control/{id}");
    let request = r#"{"cancel":true}"#;
    server.get(&control).await.detail(401);
    server.post(&control, &[], request).await.detail(401);
    let asked = server.post(&control, &[RIGHT], request).await;
    assert_eq!(asked.status, 202);
    let mut stream = server.stream(&control, &[RIGHT]).await;
    assert_eq!(stream.event().await.json()["cancel"], true);
}

#[tokio::test]
async fn a_streaming_publisher_without_the_token_publishes_nothing() {
    let server = start().await;
    let id = connect(&server).await;
    let mut publisher = server.publisher(&id, &[]).await;
    publisher.say_chunk("\"a\"\n").await;
    publisher.say_chunk("").await;
    publisher.answer().await.detail(401);
    let mut stream = server.watch(&id).await;
    let answer = server.post(&stream_of(&id), &[RIGHT], "first").await;
    assert_eq!(answer.status, 202);
    assert_eq!(stream.event().await.data, "first");
}

#[tokio::test]
async fn reading_a_known_stream_and_stopping_one_need_only_the_id() {
    let server = start().await;
    let id = connect(&server).await;
    let mut stream = server.watch(&id).await;
    let address = stream_of(&id);
    drop(
        server
            .stream(&address, &["Authorization: Bearer wrong"])
            .await,
    );
    server.stop(&id).await;
    assert_eq!(stream.event().await.name, "end");

    // With a cursor, the browser learns that the stream is over; without one, a new stream would begin.
    let resumed = server.request("GET", &address, &["Last-Event-ID: 0-1"], "");
    assert_eq!(resumed.await.status, 204);
    server.get(&stream_of(&id)).await.detail(401);
    let again = server.stream(&stream_of(&id), &[RIGHT]).await;
    assert_eq!(again.head.status, 200);

    let unknown = stream_of("3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b");
    let before = server.hub.stats();
    server.get(&unknown).await.detail(401);
    let cursor = ["Last-Event-ID: 1-1732262400123"];
    server
        .request("GET", &unknown, &cursor, "")
        .await
        .detail(401);
    assert_eq!(server.hub.stats(), before);
    assert_eq!(server.stream(&unknown, &[RIGHT]).await.head.status, 200);

    for open in ["/healthz", "/readyz", "/nothing", "/", "/viewer/0/main.js"] {
        assert_ne!(server.get(open).await.status, 401);
    }
    let preflight = [
        "Origin: http://localhost:3000",
        "Access-Control-Request-Method: POST",
    ];
    let answer = server.request("OPTIONS", CONNECT, &preflight, "").await;
    assert_eq!(answer.status, 204);
    let answer = server.request("GET", CONNECT, &preflight[..1], "").await;
    answer.detail(401);
    let allowed = answer.head.header("access-control-allow-origin");
    assert_eq!(
        allowed,
        Some("http://localhost:3000"),
        "the page may read why"
    );
}
