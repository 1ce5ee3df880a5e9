//! The messages that a watcher gets from a request.

use serde_json::{Value, json};

use crate::support::{
    process::{Running, Serve},
    program::are_here,
    recipes::{Recipe, Watched, text_of},
    scripted::Scripted,
};

/// Returns the texts of messages, without those of the framework itself.
fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(text_of).collect()
}

pub(super) async fn in_order(recipe: Recipe) {
    if !are_here(&["curl"]) {
        return;
    }
    let server = Serve::start(&[]).await;
    let Some(app) = recipe.start(&server.url, &[]).await else {
        return;
    };
    let watch = async |path: &str| {
        let url = format!("{}{path}", app.url);
        let words = ["watch", "--server", &server.url, "--until-done", "--"];
        let curl = ["curl", "-sS", "-H", "Sse-Client-ID: {id}", &url];
        Running::codechat([&words[..], &curl].concat()).end().await
    };
    let ended = watch("/refresh/demo").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "refreshed demo");
    let mut shown = ended
        .stderr
        .lines()
        .filter(|it| !it.starts_with("codechat: "));
    for line in [
        "-- Starting server communication... --",
        "GET /refresh/demo",
        "Refreshing demo",
        "File 1 of demo",
        "File 2 of demo",
        "File 3 of demo",
        "Refreshed demo",
    ] {
        assert_eq!(shown.next(), Some(line), "{ended:?}");
    }
    let last = shown.next().unwrap();
    assert!(last.starts_with("200 in "), "{ended:?}");
    let ended = watch("/broken").await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("before it breaks\n"), "{ended:?}");
}

pub(super) async fn one_operation(recipe: Recipe) {
    let server = Serve::start(&[]).await;
    let Some(app) = recipe.start(&server.url, &[]).await else {
        return;
    };
    let mut watched = Watched::new(server.http).await;
    for (path, status, outcome, said) in [
        ("/refresh/demo", 200, "ok", "Refreshed demo"),
        ("/broken", 500, "failed", "disk full"),
        ("/pool", 200, "ok", "in the pool"),
        ("/streamed", 200, "ok", "piece c"),
        ("/absent?secret=1", 404, "failed", "404 in "),
        ("/refresh/caf%C3%A9%09", 200, "ok", "Refreshed café"),
    ] {
        let answer = app.asked(path, &watched.id.to_uppercase()).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        // Its thread serves other requests next.
        for _ in 0..4 {
            app.asked_with("/refresh/unwatched", &[]).await;
        }
        let messages = watched.until_the_outcome().await;
        let operation = format!("GET {}", path.split('?').next().unwrap());
        assert_eq!(text_of(&messages[0]), operation, "{messages:?}");
        for message in &messages {
            assert_eq!(message["operation"], operation, "{messages:?}");
        }
        assert_eq!(messages.last().unwrap()["outcome"], outcome, "{path}");
        let others = texts(&messages).join("\n").contains("unwatched");
        assert!(!others, "{messages:?}");
        let said = texts(&messages).iter().any(|it| it.contains(said));
        assert!(said, "{messages:?}");
        if path == "/refresh/demo" {
            assert_eq!(
                texts(&messages[1..6]),
                [
                    "Refreshing demo",
                    "File 1 of demo",
                    "File 2 of demo",
                    "File 3 of demo",
                    "Refreshed demo",
                ]
            );
            assert_eq!(messages[1]["level"], "info");
            assert_eq!(messages[5]["level"], "warn");
            let progress = json!({"current": 2, "total": 3});
            assert_eq!(messages[3]["progress"], progress, "{messages:?}");
        }
    }
}

pub(super) async fn no_id(recipe: Recipe) {
    const ID: &str = "Sse-Client-ID: 3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
    const OTHER: &str = "Sse-Client-ID: 0b9d1c52-7e0f-4f0c-9d6a-3c1e5b7a9f24";
    let mut server = Scripted::start([]).await;
    let Some(app) = recipe.start(&server.url, &[]).await else {
        return;
    };
    for headers in [
        &[][..],
        &["Sse-Client-ID:"],
        &["Sse-Client-ID: nobody"],
        // An ID of version 1, and one of no variant.
        &["Sse-Client-ID: 3f2b8c1e-5d47-1a9b-8e60-1c2d3e4f5a6b"],
        &["Sse-Client-ID: 3f2b8c1e-5d47-4a9b-ce60-1c2d3e4f5a6b"],
        &["Sse-Client-ID: 3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b/../x"],
        &[ID, OTHER],
    ] {
        let answer = app.asked_with("/refresh/demo", headers).await;
        assert_eq!(answer.status, 200, "{headers:?}: {answer:?}");
        assert_eq!(answer.text(), "refreshed demo");
    }
    app.stopped().await;
    assert_eq!(server.connections().await, 0);
}
