//! No server can fill a client's memory: answers are read up to a limit.

use std::time::Duration;

use codechat::internal::client::{
    give_up::GiveUp,
    publish::{HttpPublisher, PublishError},
};
use codechat::{Client, ClientError, ClientOptions, Message};

use crate::support::scripted::{Reply, Scripted};
use crate::support::soon;

/// Returns a JSON answer that begins correctly, and never seems to end: the connection stays open.
fn endless() -> Reply {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let body = format!("{{\"clientId\":\"{}", "x".repeat(1 << 20));
    Reply::raw(format!("{head}{body}")).hold()
}

fn client(server: &Scripted) -> Client {
    Client::new(server.url.parse().unwrap(), ClientOptions::default()).unwrap()
}

fn assert_too_long(error: &ClientError) {
    let text = error.to_string();
    assert!(text.contains("its answer is longer than 64 KiB"), "{text}");
}

#[tokio::test]
async fn an_endless_answer_to_any_request_is_an_error() {
    let server = Scripted::start([(); 4].map(|()| endless())).await;
    let client = client(&server);
    let id = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b".parse().unwrap();
    let message = Message::text("hello");
    assert_too_long(&soon(client.connect()).await.unwrap_err());
    assert_too_long(&soon(client.publish(id, &message, "key")).await.unwrap_err());
    assert_too_long(&soon(client.broadcast(&message)).await.unwrap_err());

    let mut publisher = HttpPublisher::new(client, id, GiveUp::of(Duration::from_mins(1)));
    let sent = soon(publisher.send("\"hello\"\n".into(), 1, |_| {})).await;
    match sent {
        Err(PublishError::Client(error)) => assert_too_long(&error),
        other => panic!("{other:?}"),
    }
}
