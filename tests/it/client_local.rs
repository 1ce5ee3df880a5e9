//! The direct path to a server on this machine gives the same results as the HTTP library.

use codechat::internal::client::subscribe::{SubscribeOptions, Update};
use futures_util::StreamExt;

use crate::support::{
    feed::{client, texts},
    scripted::{Reply, Scripted},
    soon,
};

const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

/// Returns the updates from a server's only reply, up to the next attempt or the end.
async fn updates_of(url: &str) -> (Vec<Update>, Option<String>) {
    let id = ID.parse().unwrap();
    let mut feed = client(url).subscribe(id, SubscribeOptions::default());
    let mut updates = Vec::new();
    loop {
        match soon(feed.next()).await {
            Some(Ok(Update::Retrying { reason, .. })) => return (updates, Some(reason.into())),
            Some(Ok(Update::Message(mut received))) => {
                // The arrival times differ.
                if let Some(foreign) = &mut received.foreign {
                    foreign.received_at = 0;
                }
                updates.push(Update::Message(received));
            }
            Some(Ok(update)) => updates.push(update),
            // It contains the address, which differs.
            Some(Err(error)) => {
                let text = error.to_string();
                return (updates, Some(text.replace("0.0.0.0", "127.0.0.1")));
            }
            None => return (updates, None),
        }
    }
}

/// Returns the updates from a reply on both paths.
async fn by_both(reply: Reply) -> [(Vec<Update>, Option<String>); 2] {
    let server = Scripted::start([reply.clone(), reply]).await;
    [
        updates_of(&server.url).await,
        updates_of(&server.roundabout_url()).await,
    ]
}

fn stream(fields: &str, body: &str) -> Reply {
    Reply::raw(format!("{HEAD}{fields}\r\n{body}"))
}

#[tokio::test]
async fn every_kind_of_answer_is_read_the_same() {
    let one = "data: a\n\n";
    let whole = [
        stream("", one),
        stream("Content-Length: 9\r\n", one),
        stream(
            "Transfer-Encoding: chunked\r\n",
            "4\r\ndata\r\n5;x=y\r\n: a\n\n\r\n0\r\n\r\n",
        ),
        stream(
            "Transfer-Encoding: chunked\r\n",
            "9\r\ndata: a\n\n\r\n0\r\nX: y\r\n\r\n",
        ),
        Reply::raw(format!(
            "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n{HEAD}\r\n{one}"
        )),
        Reply::raw(format!("{}\r\n{one}", HEAD.replace("1.1", "1.0"))),
    ];
    for (number, reply) in whole.into_iter().enumerate() {
        let [direct, library] = by_both(reply).await;
        assert_eq!(direct, library, "{number}");
        assert_eq!(texts(&direct.0), ["a"], "{number}");
        let closed = "the server ended the stream after 0 s";
        assert_eq!(direct.1.as_deref(), Some(closed), "{number}");
    }
    let others = [
        Reply::raw("HTTP/1.1 204 No Content\r\n\r\n"),
        Reply::answer("200 OK", &["Content-Type: text/html"], "<p>"),
        Reply::problem("404 Not Found", &[], "nobody here"),
        Reply::problem("503 Service Unavailable", &["Retry-After: 1"], "later"),
    ];
    for (number, reply) in others.into_iter().enumerate() {
        let [direct, library] = by_both(reply).await;
        assert_eq!(direct, library, "{number}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_is_not_http_is_a_lost_connection_after_its_messages() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let broken = [
        (stream(chunked, "9\r\ndata: a\n\n\r\n3\r\nda"), 1),
        (stream(chunked, "9\r\ndata: a\n\n\r\n"), 1),
        (stream(chunked, "9\r\ndata: a\n\n\r\nxyz\r\n"), 1),
        (stream("Content-Length: 20\r\n", "data: a\n\n"), 1),
        (stream("Content-Length: none\r\n", "data: a\n\n"), 0),
        (Reply::raw("SSH-2.0-OpenSSH\r\n"), 0),
        (Reply::raw(&HEAD[..20]), 0),
        (Reply::raw(""), 0),
    ];
    for (number, (reply, messages)) in broken.into_iter().enumerate() {
        for (updates, why) in by_both(reply).await {
            assert_eq!(texts(&updates).len(), messages, "{number}: {updates:?}");
            assert!(
                why.as_ref()
                    .is_some_and(|it| !it.contains("ended the stream")),
                "{number}: {why:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_with_an_endless_head_is_refused() {
    let endless = format!("{HEAD}X: {}", "x".repeat(1 << 20));
    let server = Scripted::start([Reply::raw(endless)]).await;
    let (updates, why) = updates_of(&server.url).await;
    assert_eq!(updates, []);
    assert!(why.unwrap().contains("head of the answer is too long"));
}
