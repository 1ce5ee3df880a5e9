//! Wrong behaviour of a server results in an error that says what is wrong, where, and what to do; or in the messages
//! with a note.

use std::io::Write;
use std::time::Duration;

use codechat::internal::client::subscribe::{FeedError, SubscribeOptions, Update};
use codechat::{Client, ClientId, ClientOptions};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::feed::{failure, feed, texts, until};
use crate::support::port::Port;
use crate::support::scripted::{Reply, Scripted};
use crate::support::server::Server;
use crate::support::soon;
use crate::support::tls::tls;

fn client(url: &str) -> Client {
    Client::new(url.parse().unwrap(), ClientOptions::default()).unwrap()
}

/// Returns the errors of a request for an ID, and of one for a stream.
async fn errors(url: &str) -> [String; 2] {
    let connected = soon(client(url).connect()).await.unwrap_err();
    let streamed = failure(&mut feed(url, SubscribeOptions::default())).await;
    [connected.to_string(), streamed.to_string()]
}

#[tokio::test]
async fn tls_against_a_plain_server_names_the_address_for_plain_http() {
    let server = Server::start().await;
    let url = format!("https://{}", server.address);
    for error in errors(&url).await {
        let expected = format!(
            "{url} speaks plain HTTP, not TLS; write http://{}",
            server.address
        );
        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn plain_http_against_tls_names_the_address_for_tls() {
    let server = Server::with(|_, options| options.tls = Some(tls())).await;
    let port = server.address.port();
    // The second is not recognised as local, so that the HTTP library is used.
    for host in ["127.0.0.1", "0.0.0.0"] {
        for error in errors(&format!("http://{host}:{port}")).await {
            let expected = format!(
                "http://{host}:{port} does not answer in plain HTTP; if it speaks TLS, write https://{host}:{port}"
            );
            assert_eq!(error, expected);
        }
    }
    let words = "Client sent an HTTP request to an HTTPS server.\n";
    let other = Scripted::start([Reply::answer("400 Bad Request", &[], words)]).await;
    let error = soon(client(&other.url).connect()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("this port takes TLS, not plain HTTP"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_an_error_at_the_first_try() {
    let mut server = Scripted::start([]).await;
    let connecting = tokio::spawn({
        let client = client(&server.url);
        async move { client.connect().await }
    });
    server.asked().await;
    let options = ClientOptions::new().heartbeat(Duration::from_secs(5));
    let patient = Client::new(server.url.parse().unwrap(), options).unwrap();
    let mut feed = patient.subscribe(ClientId::random(), SubscribeOptions::default());
    server.asked().await;
    tokio::time::pause();
    let connected = soon(connecting).await.unwrap().unwrap_err();
    let streamed = failure(&mut feed).await;
    let expected_after = |seconds| {
        format!(
            "{} accepts the connection, but does not answer within {seconds} s",
            server.url
        )
    };
    assert_eq!(connected.to_string(), expected_after(10));
    assert_eq!(streamed.to_string(), expected_after(12), "2.5 heartbeats");
}

#[tokio::test]
async fn an_error_after_a_redirect_names_both_addresses() {
    let nobody = Port::keep();
    let there = format!("{}/there", nobody.url());
    let redirect = || {
        Reply::answer(
            "307 Temporary Redirect",
            &[&format!("Location: {there}")],
            "",
        )
    };
    let server = Scripted::start([redirect(), redirect()]).await;
    for error in errors(&server.url).await {
        let expected = format!("nothing answers at {there}, to which {}/", server.url);
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.ends_with(" redirects: connection refused"), "{error}");
    }

    let other = Scripted::start([
        Reply::answer("404 Not Found", &[], "no such thing"),
        Reply::answer("200 OK", &["Content-Type: text/plain"], "hello"),
        Reply::answer("200 OK", &["Content-Type: text/plain"], "hello"),
    ])
    .await;
    let location = format!("Location: {}/there", other.url);
    let redirects = [(); 3].map(|()| Reply::answer("302 Found", &[&location], ""));
    let server = Scripted::start(redirects).await;
    let place = format!("{}/there, to which {}/", other.url, server.url);
    let refused = soon(client(&server.url).connect()).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains(&format!("no such thing, from {place}")),
        "{refused}"
    );
    for error in errors(&server.url).await {
        assert!(error.starts_with(&place), "{error}");
    }
}

#[tokio::test]
async fn an_unknown_content_coding_is_an_error_that_names_it() {
    let coded = |coding: &str| {
        Reply::stream_with(
            &format!("Content-Encoding: {coding}\r\n"),
            "data: plain\n\n",
        )
    };
    let server = Scripted::start([coded("br"), coded("gzip")]).await;
    for expected in [
        "the stream cannot be read: the stream has the content coding br, which is not supported; identity, gzip and deflate are",
        "the stream cannot be read: the stream's gzip data is invalid after 0 bytes",
    ] {
        let error = failure(&mut feed(&server.url, SubscribeOptions::default())).await;
        assert!(matches!(error, FeedError::Unreadable(_)));
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_compressed_stream_is_shown_event_by_event_with_one_note() {
    let gzip = |text: &str| {
        let mut coder = GzEncoder::new(Vec::new(), Compression::default());
        coder.write_all(text.as_bytes()).unwrap();
        coder.flush().unwrap();
        std::mem::take(coder.get_mut())
    };
    // The answer does not end here: an event is shown with its last byte, and the connection stays open.
    let coded = |text: &str| Reply::stream_with("Content-Encoding: gzip\r\n", gzip(text));
    let cut = coded("id: 1-1\ndata: one\n\n");
    let open = coded("id: 2-1\ndata: two\n\n").hold();
    let mut server = Scripted::start([cut, open]).await;
    let mut feed = feed(&server.url, SubscribeOptions::default());
    let is_two = |it: &Update| matches!(it, Update::Message(it) if it.message.text == "two");
    let updates = until(&mut feed, is_two).await;
    assert_eq!(texts(&updates), ["one", "two"]);
    let notes: Vec<_> = updates
        .iter()
        .filter(|it| matches!(it, Update::Note(_)))
        .collect();
    let [Update::Note(note)] = notes[..] else {
        panic!("{notes:?}");
    };
    assert!(note.contains("compressed (gzip)"), "{note}");
    let asked = server.asked().await;
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
}
