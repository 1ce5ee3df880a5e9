//! A feed reports every attempt, resumes where it stopped, repeats nothing, and ends when the stream does.

use std::time::Duration;

use codechat::internal::{
    client::{
        Client, ClientOptions,
        subscribe::{FeedError, SubscribeOptions, Update},
    },
    event::{ClientId, Format, Gap},
};
use futures_util::StreamExt;

use crate::support::{
    feed::{client, failure, feed, is_retrying, next, texts, until, updates_of},
    port::Port,
    scripted::{Reply, Scripted},
    soon,
};

const MESSAGE: &str = "id: 1\ndata: a\n\n";

fn delays(updates: &[Update]) -> Vec<(u32, Duration)> {
    let delay = |update: &Update| match update {
        Update::Retrying { attempt, delay, .. } => Some((*attempt, *delay)),
        _ => None,
    };
    updates.iter().filter_map(delay).collect()
}

#[tokio::test]
async fn a_request_has_the_options_the_id_and_the_token() {
    let mut server = Scripted::start([]).await;
    let id = ClientId::random();
    let options = SubscribeOptions::new().format(Format::Json).tail(5);
    let _feed = client(&format!("{}/base/", server.url)).subscribe(id, options);
    let request = server.asked().await;
    let line = format!("GET /base/api/v1/sse/debug/{id}?format=json&tail=5");
    assert_eq!(request.line, line);
    assert_eq!(request.header("accept"), Some("text/event-stream"));
    assert_eq!(
        request.header("sse-client-id"),
        Some(id.to_string().as_str())
    );
    assert_eq!(request.header("authorization"), Some("Bearer secret"));
    assert_eq!(request.header("last-event-id"), None);
}

#[tokio::test]
async fn a_lost_stream_is_resumed_after_the_last_id_without_the_tail() {
    let stream = "id: ü7\ndata: a\n\nid: 8\n\nid: 9\ndata: never finished\n";
    let mut server = Scripted::start([Reply::stream(stream), Reply::stream("data: b\n\n")]).await;
    let options = SubscribeOptions::new().tail(3);
    let mut feed = feed(&server.url, options);
    until(&mut feed, is_retrying).await;
    let updates = until(&mut feed, is_retrying).await;
    let Update::Message(message) = &updates[1] else {
        panic!("{updates:?}");
    };
    assert_eq!(
        message.id, "8",
        "an event without an ID does not forget the last one"
    );
    assert!(server.asked().await.line.ends_with("?tail=3"));
    for _ in 0..2 {
        let request = server.asked().await;
        assert!(!request.line.contains('?'), "{}", request.line);
        assert_eq!(request.header("last-event-id"), Some("8"));
    }
}

#[tokio::test]
async fn a_cursor_in_any_script_is_sent_unless_it_cannot_be_a_header() {
    for (id, sent) in [("ü", Some("ü")), ("\u{1}", None)] {
        let mut server = Scripted::start([]).await;
        let options = SubscribeOptions::new().last_event_id(id);
        let _feed = feed(&server.url, options);
        assert_eq!(server.asked().await.header("last-event-id"), sent);
    }
}

#[tokio::test]
async fn back_off_grows_and_is_reset_by_the_first_event() {
    let empty = || Reply::stream(": nothing\n\n");
    let updates = updates_of(
        [empty(), empty(), Reply::stream(MESSAGE)],
        SubscribeOptions::default(),
    )
    .await;
    let tries = delays(&updates);
    assert_eq!(tries.iter().map(|it| it.0).collect::<Vec<_>>(), [1, 2, 1]);
    for (attempt, delay) in tries {
        let delay = delay.as_millis();
        let most = if attempt == 1 { 375 } else { 500 };
        assert!((250..=most).contains(&delay), "{attempt}: {delay}");
    }
    assert!(updates.contains(&Update::Heartbeat));
}

#[tokio::test]
async fn a_streams_retry_is_a_floor_even_without_data() {
    let updates = updates_of(
        [Reply::stream("retry: 2000\n")],
        SubscribeOptions::default(),
    )
    .await;
    let [(1, delay)] = delays(&updates)[..] else {
        panic!("{updates:?}");
    };
    assert!((2000..=2125).contains(&delay.as_millis()), "{delay:?}");
}

#[tokio::test]
async fn a_retry_beyond_the_bounds_is_clamped() {
    for (retry, least, most) in [("0", 250, 375), ("99999999999999999999", 30_000, 30_000)] {
        let stream = format!("retry: {retry}\ndata: a\n\n");
        let updates = updates_of([Reply::stream(stream)], SubscribeOptions::default()).await;
        let delay = delays(&updates)[0].1.as_millis();
        assert!((least..=most).contains(&delay), "{retry}: {delay}");
    }
}

#[tokio::test]
async fn status_204_ends_the_stream() {
    let over = Reply::answer("204 No Content", &[], "");
    let server = Scripted::start([Reply::stream(MESSAGE), over]).await;
    let mut feed = feed(&server.url, SubscribeOptions::default());
    let updates = until(&mut feed, |it| *it == Update::Gone).await;
    assert_eq!(texts(&updates), ["a"]);
    assert!(soon(feed.next()).await.is_none());
}

#[tokio::test]
async fn an_answer_that_is_not_a_stream_is_quoted() {
    let page = format!("<html>\r\n<h1>It works!</h1>{}", "x".repeat(10_000));
    let reply = Reply::answer("200 OK", &["Content-Type: text/html"], &page);
    let server = Scripted::start([reply]).await;
    let error = failure(&mut feed(&server.url, SubscribeOptions::default()))
        .await
        .to_string();
    assert!(
        error.contains("text/html instead of an event stream"),
        "{error}"
    );
    assert!(error.contains("<html> <h1>It works!</h1>xx"), "{error}");
    assert!(error.len() < 500, "{error}");
}

#[tokio::test]
async fn a_refusal_ends_the_feed_with_its_detail() {
    for status in [400, 401, 403, 404, 410] {
        let reply = Reply::problem(&format!("{status} No"), &[], "because of this");
        let server = Scripted::start([reply]).await;
        let error = failure(&mut feed(&server.url, SubscribeOptions::default())).await;
        assert!(error.to_string().contains("because of this"), "{error}");
        let FeedError::Client(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error.status(), Some(status));
    }
}

#[tokio::test]
async fn a_busy_server_is_retried_after_the_time_that_it_gives() {
    let busy = Reply::problem(
        "503 Service Unavailable",
        &["Retry-After: 2"],
        "shutting down",
    );
    let limited = Reply::problem("429 Too Many Requests", &["Retry-After: 1"], "too many");
    for (reply, least) in [(busy, 2000), (limited, 1000)] {
        let updates = updates_of([reply], SubscribeOptions::default()).await;
        let [Update::Retrying { delay, reason, .. }] = &updates[..] else {
            panic!("{updates:?}");
        };
        assert_eq!(delay.as_millis(), least);
        assert!(reason.contains("shutting down") || reason.contains("too many"));
    }
}

#[tokio::test]
async fn a_broken_connection_is_reported() {
    let broken = Reply::stream_with("Content-Length: 500\r\n", MESSAGE);
    for reply in [broken, Reply::raw("")] {
        let updates = updates_of([reply], SubscribeOptions::default()).await;
        let Some(Update::Retrying { reason, .. }) = updates.last() else {
            panic!("{updates:?}");
        };
        assert!(
            !reason.is_empty() && !reason.contains("http://"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_silent_connection_counts_as_dead() {
    let mut server =
        Scripted::start([Reply::stream(MESSAGE).hold(), Reply::default().hold()]).await;
    let options = ClientOptions::new().heartbeat(Duration::from_millis(40));
    let client = Client::new(server.url.parse().unwrap(), options).unwrap();
    let mut feed = client.subscribe(ClientId::random(), SubscribeOptions::default());
    for expected in ["nothing came for 0.1 s", "no answer in 10 s"] {
        server.asked().await;
        if expected.starts_with("no answer") {
            tokio::time::pause();
        }
        let updates = until(&mut feed, is_retrying).await;
        let Some(Update::Retrying { reason, .. }) = updates.last() else {
            unreachable!();
        };
        assert_eq!(**reason, *expected);
    }
}

#[tokio::test]
async fn an_unreachable_server_is_an_error_or_waited_for() {
    let nobody = Port::keep();
    let url = nobody.url();
    let error = failure(&mut feed(&url, SubscribeOptions::default())).await;
    let FeedError::Client(error) = error else {
        panic!("{error}");
    };
    assert!(error.is_not_there(), "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("nothing answers at {url}: connection refused")),
        "{text}"
    );
    let patient = SubscribeOptions::new().wait(true);
    let mut feed = feed(&url, patient);
    for expected in 1..=2 {
        let Update::Retrying {
            attempt, reason, ..
        } = next(&mut feed).await
        else {
            panic!("not a try");
        };
        assert_eq!((attempt, &*reason), (expected, "connection refused"));
    }
}

#[tokio::test]
async fn secrets_follow_a_redirect_to_the_same_origin_only() {
    let mut other = Scripted::start([Reply::stream(MESSAGE)]).await;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let here = Reply::answer(status, &["Location: /there?x=1"], "");
        let away = Reply::answer(status, &[&format!("Location: {}/away", other.url)], "");
        let mut server = Scripted::start([here, away]).await;
        let _feed = feed(&server.url, SubscribeOptions::default());
        server.asked().await;
        let same = server.asked().await;
        assert_eq!(same.line, "GET /there?x=1");
        assert!(same.header("authorization").is_some());
        assert!(same.header("sse-client-id").is_some());
        let cross = other.asked().await;
        assert_eq!(cross.line, "GET /away");
        assert_eq!(cross.header("authorization"), None);
        assert_eq!(cross.header("sse-client-id"), None);
        assert_eq!(cross.header("accept"), Some("text/event-stream"));
    }
}

#[tokio::test]
async fn a_redirect_loop_is_an_error() {
    let circle = (0..11).map(|_| Reply::answer("302 Found", &["Location: /"], ""));
    let server = Scripted::start(circle).await;
    let mut feed = feed(&server.url, SubscribeOptions::default());
    let error = failure(&mut feed).await.to_string();
    assert!(error.ends_with("redirects more than 10 times"), "{error}");
}

#[tokio::test]
async fn dropping_a_feed_closes_its_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let feed = feed(&url, SubscribeOptions::default());
    let (mut socket, _) = soon(listener.accept()).await.unwrap();
    drop(feed);
    let mut sink = tokio::io::sink();
    let reading = tokio::io::copy(&mut socket, &mut sink);
    // It may close in several ways.
    let _ = soon(reading).await;
}

#[tokio::test]
async fn events_of_a_foreign_server_are_messages_whatever_their_names() {
    let body = "event: debug\ndata: Starting server communication...\n\n\
        event: gap\ndata: one\n\nevent: end\ndata: two\n\ndata:three\n\n\
        event: debug\ndata: Server shutting down...\n\n";
    let server = Scripted::start([Reply::stream(body).hold()]).await;
    let mut feed = feed(&server.url, SubscribeOptions::default());
    let is_last = |it: &Update| matches!(it, Update::Message(it) if it.message.text.starts_with("Server shut"));
    let updates = until(&mut feed, is_last).await;
    let messages = updates.iter().filter_map(|it| match it {
        Update::Message(it) => Some((&*it.event, it.message.text.as_str(), it.message.system)),
        _ => None,
    });
    assert_eq!(
        messages.collect::<Vec<_>>(),
        [
            ("debug", "Starting server communication...", true),
            ("gap", "one", false),
            ("end", "two", false),
            ("message", "three", false),
            ("debug", "Server shutting down...", true),
        ]
    );
}

#[tokio::test]
async fn a_foreign_stream_may_be_quiet_for_any_time() {
    let server = Scripted::start([Reply::stream(MESSAGE).hold()]).await;
    let mut feed = feed(&server.url, SubscribeOptions::default());
    let is_message = |it: &Update| matches!(it, Update::Message(_));
    until(&mut feed, is_message).await;
    tokio::time::pause();
    let quiet = tokio::time::timeout(Duration::from_hours(1), feed.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test]
async fn a_missing_answer_is_reported() {
    let mut server = Scripted::start([]).await;
    let mut feed = feed(&server.url, SubscribeOptions::default());
    server.asked().await;
    tokio::time::pause();
    assert_eq!(next(&mut feed).await, Update::Note("no answer yet".into()));
}

#[tokio::test]
async fn a_cut_of_a_stream_without_ids_is_a_possible_gap() {
    let cut = || Reply::stream("data: one\n\n");
    let server = Scripted::start([cut(), cut().hold()]).await;
    let mut feed = feed(&server.url, SubscribeOptions::default());
    let is_gap = |it: &Update| matches!(it, Update::Gap(_));
    let updates = until(&mut feed, is_gap).await;
    assert_eq!(updates.last(), Some(&Update::Gap(Gap::Possible)));
    let reason = updates.iter().find_map(|it| match it {
        Update::Retrying { reason, .. } => Some(&**reason),
        _ => None,
    });
    assert_eq!(reason, Some("the server ended the stream after 0 s"));
}
