//! A server that is not reachable for a while, and an application that ends.

use std::time::Duration;

use tokio::time::sleep;

use crate::support::{
    port::Port,
    process::{Running, Serve, opened},
    recipes::{Recipe, Watched, text_of},
    scripted::{Reply, Scripted},
};

const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
const TAKEN: &str =
    r#"{"id":"1-1","accepted":1,"subscribers":1,"level":null,"cancel":false,"operation":null}"#;

pub(super) async fn and_back(recipe: Recipe) {
    let port = Port::keep();
    let Some(app) = recipe.start(&port.url(), &[]).await else {
        return;
    };
    let flood = async |count: u32| {
        let took = app.asked(&format!("/flood/{count}"), ID).await;
        took.text().parse::<u64>().unwrap()
    };
    let answer = app.asked("/refresh/demo", ID).await;
    assert_eq!(answer.text(), "refreshed demo");
    // The first messages bring the process to its full size.
    flood(40_000).await;
    let before = app.memory();
    let micros = flood(40_000).await;
    assert!(micros < 1000, "a message takes {micros} us");
    let more = app.memory().saturating_sub(before);
    eprintln!("a message takes {micros} us, {more} bytes are kept");
    assert!(
        more < 20_000_000,
        "40 MB were logged, {more} bytes are kept"
    );
    let address = port.address.to_string();
    let serve = Running::codechat(["serve", "--listen", &address]);
    let server = Serve::of(serve).await;
    let watch = ["watch", "--server", &server.url, "--id", ID];
    let (mut watcher, _) = opened(Running::codechat(watch)).await;
    let asking = async {
        loop {
            let answer = app.asked("/refresh/again", ID).await;
            assert_eq!(answer.text(), "refreshed again");
            sleep(Duration::from_millis(20)).await;
        }
    };
    let shown = async {
        let mut shown = watcher.line().await;
        while !shown.ends_with("messages dropped by the application\n") {
            shown = watcher.line().await;
        }
        // The rest is as usual.
        while watcher.line().await != "Refreshed again\n" {}
        shown
    };
    let shown = tokio::select! { () = asking => unreachable!(), shown = shown => shown };
    let count: u64 = shown.split(' ').next().unwrap().parse().unwrap();
    assert!(count > 78_000, "{shown}");
}

pub(super) async fn at_the_end(recipe: Recipe) {
    let server = Serve::start(&[]).await;
    let Some(app) = recipe.start(&server.url, &[]).await else {
        return;
    };
    let mut watched = Watched::new(server.http).await;
    server.process.pause().await;
    // The second request's messages wait for the answer to those of the first.
    for _ in 0..2 {
        let answer = app.asked("/refresh/demo", &watched.id).await;
        assert_eq!(answer.text(), "refreshed demo");
    }
    app.process.signal("TERM").await;
    // The application would have ended by then if it did not wait.
    sleep(Duration::from_millis(300)).await;
    server.process.signal("CONT").await;
    for _ in 0..2 {
        let messages = watched.until_the_outcome().await;
        assert_eq!(messages.last().unwrap()["outcome"], "ok", "{messages:?}");
    }
    app.process.end().await;
}

pub(super) async fn full(recipe: Recipe) {
    const COUNT: u64 = 40_000;
    let server = Serve::start(&[]).await;
    let Some(app) = recipe.start(&server.url, &[]).await else {
        return;
    };
    let mut watched = Watched::new(server.http).await;
    let path = format!("/flood/{COUNT}");
    // An unwatched request brings the process to its full size.
    app.asked_with(&path, &[]).await;
    let before = app.memory();
    server.process.pause().await;
    let answer = app.asked(&path, &watched.id).await;
    assert_eq!(answer.status, 200);
    let more = app.memory().saturating_sub(before);
    assert!(
        more < 20_000_000,
        "40 MB were logged, {more} bytes are kept"
    );
    server.process.signal("CONT").await;
    let messages = watched.until_the_outcome().await;
    assert_eq!(messages.last().unwrap()["outcome"], "ok");
    let texts = messages.iter().map(text_of);
    let came = texts.clone().filter(|it| it.starts_with("flood ")).count();
    let dropped = texts.filter(|it| it.ends_with(" messages dropped by the application"));
    let dropped = dropped.map(|it| it.split(' ').next().unwrap().parse::<u64>().unwrap());
    assert_eq!(u64::try_from(came).unwrap() + dropped.sum::<u64>(), COUNT);
}

pub(super) async fn lost_answer(recipe: Recipe) {
    let taken = Reply::answer("202 Accepted", &[], TAKEN);
    let replies = [
        Reply::raw(""),
        taken.clone(),
        taken.clone(),
        taken.clone(),
        taken,
    ];
    let mut server = Scripted::start(replies).await;
    let Some(app) = recipe.start(&server.url, &[]).await else {
        return;
    };
    app.asked("/refresh/demo", ID).await;
    let (first, second) = (server.asked().await, server.asked().await);
    assert_eq!(first.line, "POST /api/v1/sse/debug");
    assert_eq!(first.body, second.body);
    let key = first.header("idempotency-key");
    assert!(key.is_some_and(|it| !it.is_empty()), "{first:?}");
    assert_eq!(key, second.header("idempotency-key"));
    let mut body = first.body;
    while !body.contains(r#""outcome""#) {
        let next = server.asked().await;
        assert_ne!(
            next.header("idempotency-key"),
            second.header("idempotency-key")
        );
        body = next.body;
    }
    let mut lines = body.lines().map(serde_json::from_str);
    let last: serde_json::Value = lines.next_back().unwrap().unwrap();
    assert!(text_of(&last).starts_with("200 in "), "{last}");
}
