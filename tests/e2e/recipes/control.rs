//! Control requests of a watcher.

use serde_json::Value;

use crate::support::{
    http::Http,
    process::Serve,
    recipes::{Recipe, Watched, text_of},
};

async fn ask(server: Http, id: &str, what: &str) {
    let target = format!("/api/v1/sse/debug/control/{id}");
    let answer = server.post(&target, &[], what).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

/// Returns the number in a text.
fn number_of(message: &Value) -> u64 {
    let mut words = text_of(message).split(' ');
    words.find_map(|it| it.parse().ok()).unwrap()
}

pub(super) async fn detail(recipe: Recipe) {
    let server = Serve::start(&[]).await;
    let Some(app) = recipe.start(&server.url, &[]).await else {
        return;
    };
    let mut one = Watched::new(server.http).await;
    let mut other = Watched::new(server.http).await;
    let ids = [one.id.clone(), other.id.clone()];
    let requests = async {
        let (a, b) = tokio::join!(
            app.asked("/ticks/a", &ids[0]),
            app.asked("/ticks/b", &ids[1]),
        );
        assert_eq!((a.status, b.status), (200, 200));
    };
    let watching = async {
        one.until("tick 2 of a").await;
        let mut seen = other.until("tick 2 of b").await;
        ask(server.http, &ids[0], r#"{"level":"debug"}"#).await;
        let detail = one.until("detail ").await;
        let first = detail.last().unwrap();
        assert_eq!(first["level"], "debug");
        // Any of its loggers may write it.
        let number = number_of(first);
        let next = one.until("detail ").await;
        assert_eq!(number_of(next.last().unwrap()), number + 1);
        // Both requests have run for a while when the level is withdrawn.
        seen.extend(other.until("tick ").await);
        ask(server.http, &ids[0], r#"{"level":"warn"}"#).await;
        // A request that begins while another one has asked for less, and one that asks for more again.
        ask(server.http, &ids[0], r#"{"level":"debug"}"#).await;
        one.until("detail ").await;
        for gate in ["a", "b"] {
            let opened = app.asked_with(&format!("/open/{gate}"), &[]).await;
            assert_eq!(opened.status, 200);
        }
        seen.extend(other.until_the_outcome().await);
        let rest = one.until_the_outcome().await;
        (rest, seen)
    };
    let ((), (of_one, of_other)) = tokio::join!(requests, watching);
    let is_of = |gate: &str, it: &Value| {
        let text = text_of(it);
        text.starts_with("GET ") || text.starts_with("200 in ") || text.ends_with(gate)
    };
    assert!(of_one.iter().all(|it| is_of(" of a", it)), "{of_one:?}");
    for message in &of_other {
        assert!(is_of(" of b", message), "{message}");
        assert!(!text_of(message).contains("detail"), "{message}");
    }
    // Nobody asks for detail any more, and the application's own log does not get it either.
    app.asked("/refresh/end", &ids[1]).await;
    let after = other.until_the_outcome().await;
    assert!(!after.iter().any(|it| text_of(it).contains("Detail")));
    let (own, _) = app.stopped().await;
    assert!(own.contains("tick 2 of a\n"), "{own}");
    assert!(own.contains("Refreshed end\n"), "{own}");
    assert!(!own.contains("etail"), "{own}");
}

pub(super) async fn cancel(recipe: Recipe) {
    let server = Serve::start(&[]).await;
    let Some(app) = recipe.start(&server.url, &[]).await else {
        return;
    };
    for (gate, what) in [
        ("a", r#"{"cancel":true}"#),
        ("b", r#"{"cancel":true,"operation":"GET /ticks/b"}"#),
    ] {
        // A client of its own: the application may learn that the other one has ended only after its watcher does.
        let mut watched = Watched::new(server.http).await;
        let id = watched.id.clone();
        let path = format!("/ticks/{gate}");
        let request = app.asked(&path, &id);
        let watching = async {
            watched.until("tick 2").await;
            let of_another = r#"{"cancel":true,"operation":"another"}"#;
            ask(server.http, &id, of_another).await;
            // The answer to one of these informed the application.
            for _ in 0..20 {
                watched.until("tick").await;
            }
            ask(server.http, &id, what).await;
            watched.until_the_outcome().await
        };
        let (answer, messages) = tokio::join!(request, watching);
        assert_eq!(answer.status, 503);
        let last = messages.last().unwrap();
        assert_eq!(last["outcome"], "cancelled", "{last}");
        assert!(text_of(last).starts_with("503 in "), "{last}");
    }
}
