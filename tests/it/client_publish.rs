//! Everything published is accepted once, whatever happens to the connection.

use std::time::Duration;

use codechat::internal::{
    client::{
        ClientError, Token,
        give_up::GiveUp,
        publish::{HttpPublisher, PublishError, Retry},
    },
    event::ClientId,
    message::Message,
    wire::answer::Published,
};

use tokio::{sync::watch, time::Instant};

use crate::support::{
    PATIENCE,
    feed::client,
    port::Port,
    scripted::{Reply, Scripted},
    server::Server,
    soon,
};

const JSON: &[&str] = &["Content-Type: application/json"];

fn accepted() -> Reply {
    let body = r#"{"id":"2-9","accepted":2,"subscribers":1,"level":"debug","cancel":true,"operation":null}"#;
    Reply::answer("202 Accepted", JSON, body)
}

/// Sends two lines; returns the result, and the attempts that failed.
async fn send(publisher: &mut HttpPublisher) -> (Result<Published, PublishError>, Vec<Retry>) {
    let mut tries = Vec::new();
    let body = b"\"a\"\n\"b\"\n".as_slice().into();
    let sent = soon(publisher.send(body, 2, |it| tries.push(it))).await;
    (sent, tries)
}

fn with(server: &Scripted, patience: GiveUp) -> HttpPublisher {
    HttpPublisher::new(client(&server.url), ClientId::random(), patience)
}

fn publisher(server: &Scripted) -> HttpPublisher {
    with(server, GiveUp::of(PATIENCE))
}

#[tokio::test]
async fn a_body_is_repeated_under_its_key_until_it_is_acknowledged() {
    let gone = || Reply::raw("");
    let away = Reply::problem("404 Not Found", &[], "no such client");
    let busy = Reply::problem("503 Service Unavailable", &[], "shutting down");
    let mut server = Scripted::start([gone(), away, gone(), busy, accepted(), accepted()]).await;
    let mut publisher = publisher(&server);
    let (sent, tries) = send(&mut publisher).await;
    let sent = sent.unwrap();
    assert_eq!(
        (sent.accepted, sent.level.as_deref(), sent.cancel),
        (2, Some("debug"), true)
    );
    assert_eq!(
        tries.iter().map(|it| it.attempt).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert!(tries[1].reason.contains("no such client"), "{tries:?}");
    let first = server.asked().await;
    let key = first.header("idempotency-key").unwrap();
    assert_eq!(first.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(first.header("authorization"), Some("Bearer secret"));
    for _ in 1..5 {
        let repeat = server.asked().await;
        assert_eq!(repeat.body, "\"a\"\n\"b\"\n");
        assert_eq!(repeat.header("idempotency-key"), Some(key));
    }
    send(&mut publisher).await.0.unwrap();
    assert_ne!(server.asked().await.header("idempotency-key"), Some(key));
}

#[tokio::test]
async fn an_unknown_client_is_an_error_if_no_connection_was_lost() {
    let away = Reply::problem("404 Not Found", &[], "no such client");
    let server = Scripted::start([away]).await;
    let (sent, tries) = send(&mut publisher(&server)).await;
    assert!(
        matches!(sent, Err(PublishError::Refused { status: 404, .. })),
        "{sent:?}"
    );
    assert_eq!(tries, []);
}

#[tokio::test]
async fn a_refusal_says_how_many_lines_were_accepted() {
    let body = r#"{"detail":"line 2 is no message","accepted":1}"#;
    let headers = ["Content-Type: application/problem+json"];
    let server = Scripted::start([Reply::answer("400 Bad Request", &headers, body)]).await;
    let (sent, _) = send(&mut publisher(&server)).await;
    assert_eq!(
        sent.unwrap_err().to_string(),
        "the server accepted 1 of 2 lines and refused the rest (400): line 2 is no message"
    );
}

#[tokio::test]
async fn a_server_that_was_never_reached_is_an_error_at_once() {
    let nobody = Port::keep();
    let client = client(&nobody.url());
    let (sent, tries) = send(&mut HttpPublisher::new(
        client,
        ClientId::random(),
        GiveUp::of(PATIENCE),
    ))
    .await;
    let Err(PublishError::Client(error)) = sent else {
        panic!("{sent:?}");
    };
    assert!(error.is_not_there(), "{error}");
    assert_eq!(tries, []);
}

#[tokio::test]
async fn retries_are_unlimited_during_the_input_and_limited_after_its_end() {
    let input = watch::Sender::new(None);
    let patience = GiveUp::new(input.subscribe(), Duration::from_millis(1));
    let server = Scripted::start([(); 5].map(|()| Reply::raw(""))).await;
    let mut tries = 0;
    let mut publisher = with(&server, patience);
    let sending = publisher.send("\"a\"\n".into(), 1, |_| {
        tries += 1;
        if tries == 3 {
            input.send_replace(Some(Instant::now()));
        }
    });
    let error = soon(sending).await.unwrap_err();
    assert!(matches!(error, PublishError::GivenUp { .. }), "{error}");
    let expected = "the server accepted nothing for 1ms: ";
    assert!(error.to_string().starts_with(expected), "{error}");
    assert_eq!(tries, 3);
}

#[tokio::test]
async fn a_request_that_is_held_back_is_waited_for_while_the_server_is_healthy() {
    let held = Reply::default().hold();
    let mut server = Scripted::start([held, Reply::answer("200 OK", &[], "ok")]).await;
    let patience = GiveUp::of(Duration::from_millis(1));
    let (sent, tries) = send(&mut with(&server, patience)).await;
    assert!(
        matches!(sent, Err(PublishError::GivenUp { .. })),
        "{sent:?}"
    );
    assert_eq!(tries, []);
    assert!(server.asked().await.line.starts_with("POST /api/"));
    for _ in 0..2 {
        assert_eq!(server.asked().await.line, "GET /healthz");
    }
}

#[tokio::test]
async fn one_message_is_repeated_once_after_a_lost_connection() {
    let mut server = Scripted::start([Reply::raw(""), accepted()]).await;
    let id = ClientId::random();
    let client = client(&server.url);
    let published = soon(client.publish(id, &Message::text("a"), "k1")).await;
    assert_eq!(published.unwrap().accepted, 2);
    for _ in 0..2 {
        let request = server.asked().await;
        assert_eq!(request.line, format!("POST /api/v1/sse/debug/{id}"));
        assert_eq!(request.header("idempotency-key"), Some("k1"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.body, r#"{"message":"a"}"#);
    }
    let server = Scripted::start([Reply::raw(""), Reply::raw("")]).await;
    let lost = crate::support::feed::client(&server.url);
    let lost = soon(lost.publish(id, &Message::text("a"), "k2")).await;
    assert!(matches!(lost, Err(ClientError::Lost { .. })), "{lost:?}");
}

#[tokio::test]
async fn a_message_and_a_broadcast_are_repeated_under_their_keys() {
    let all = Reply::answer("202 Accepted", JSON, r#"{"clients":3}"#);
    let busy = Reply::problem("503 Service Unavailable", &[], "shutting down");
    let replies = [
        Reply::raw(""),
        busy.clone(),
        accepted(),
        Reply::raw(""),
        busy,
        all,
    ];
    let mut server = Scripted::start(replies).await;
    let mut tries = 0;
    let message = Message::text("a");
    let sent = soon(publisher(&server).publish(&message, |_| tries += 1)).await;
    assert_eq!((sent.unwrap().accepted, tries), (2, 2));
    let mut broadcaster = HttpPublisher::to_all(client(&server.url), GiveUp::of(PATIENCE));
    let sent = soon(broadcaster.broadcast(&message, |_| tries += 1)).await;
    assert_eq!((sent.unwrap().clients, tries), (3, 4));
    let mut keys = Vec::new();
    for target in ["/api/v1/sse/debug/", "/api/v1/sse/"] {
        for _ in 0..3 {
            let request = server.asked().await;
            assert!(
                request.line.starts_with(&format!("POST {target}")),
                "{request:?}"
            );
            assert_eq!(request.header("content-type"), Some("application/json"));
            assert_eq!(request.body, r#"{"message":"a"}"#);
            keys.push(request.header("idempotency-key").unwrap().to_owned());
        }
    }
    keys.dedup();
    assert_eq!(keys.len(), 2);
}

#[tokio::test]
async fn a_broadcast_that_is_repeated_adds_nothing_twice() {
    let server = Server::start().await;
    let id = server.connect().await;
    let key = ["Idempotency-Key: once"];
    for _ in 0..2 {
        let answer = server.post("/api/v1/sse/broadcast", &key, "to all").await;
        assert_eq!(answer.json()["clients"], 1);
    }
    server.publish(&id, "next").await;
    let mut stream = server.watch(&id).await;
    for text in ["to all", "next"] {
        assert_eq!(stream.event().await.data, text);
    }
}

#[tokio::test]
async fn an_id_is_issued_and_stopped() {
    let id = ClientId::random();
    let body = format!(
        r#"{{"clientId":"{id}","streamUrl":"s","publishUrl":"p","stopUrl":"t","idleTimeoutSeconds":900}}"#
    );
    let stopped = Reply::answer("200 OK", &[], "Debug message stream stopped.");
    let mut server = Scripted::start([Reply::answer("200 OK", JSON, &body), stopped]).await;
    let client = client(&server.url);
    let (issued, connected) = soon(client.connect()).await.unwrap();
    assert_eq!((issued, connected.idle_timeout_seconds), (id, Some(900)));
    soon(client.stop(id)).await.unwrap();
    assert_eq!(server.asked().await.line, "GET /api/v1/sse/connect");
    assert_eq!(
        server.asked().await.line,
        format!("POST /api/v1/sse/debug/stop/{id}")
    );
}

#[tokio::test]
async fn another_kind_of_server_is_recognised() {
    let page = Reply::answer("200 OK", &["Content-Type: text/html"], "<html>hi");
    let server = Scripted::start([page, Reply::answer("404 Not Found", &[], "nope\r\n")]).await;
    let client = client(&server.url);
    let error = soon(client.connect()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("not as a codechat server does: text/html"),
        "{text}"
    );
    let error = soon(client.broadcast(&Message::text("a")))
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(404));
    assert_eq!(error.to_string(), "the server refused (404): nope");
}

#[tokio::test]
async fn a_web_server_that_accepts_no_messages_is_an_error_at_once() {
    let page = "<html><head><title>Unsupported\nmethod</title></head>";
    let html = &["Content-Type: text/html;charset=utf-8"];
    let server = Scripted::start([Reply::answer("501 Unsupported", html, page)]).await;
    let (sent, tries) = send(&mut publisher(&server)).await;
    assert_eq!(tries, []);
    let expected =
        "takes no messages: in the original protocol only the server's own code publishes";
    let error = sent.unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[tokio::test]
async fn a_body_follows_redirects_to_the_same_origin_only() {
    let here = Reply::answer("307 Temporary", &["Location: /there"], "");
    let away = Reply::answer("308 Permanent", &["Location: http://example.invalid/"], "");
    let moved = Reply::answer("301 Moved", &["Location: /there"], "");
    let mut server = Scripted::start([here, away, moved]).await;
    let client = client(&server.url);
    let error = soon(client.broadcast(&Message::text("a")))
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(308));
    let expected =
        "it redirects to http://example.invalid/; name that server (--server or CODECHAT_SERVER)";
    assert!(error.to_string().contains(expected), "{error}");
    server.asked().await;
    assert_eq!(server.asked().await.line, "POST /there");
    let error = soon(client.broadcast(&Message::text("a")))
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(301));
}

#[test]
fn a_token_is_not_shown() {
    assert_eq!(format!("{:?}", Token::new("secret\n")), "Token(…)");
    let client = client("http://127.0.0.1:1");
    assert!(!format!("{client:?}").contains("secret"));
}
