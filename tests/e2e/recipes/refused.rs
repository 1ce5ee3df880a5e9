//! A server that refuses messages, and an application whose publishing is turned off.

use std::{fs::Permissions, os::unix::fs::PermissionsExt};

use crate::support::{
    process::{Scratch, Serve},
    recipes::{Recipe, Watched},
    scripted::{Reply, Scripted},
};

const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
const OTHER: &str = "0b9d1c52-7e0f-4f0c-9d6a-3c1e5b7a9f24";

pub(super) async fn off(recipe: Recipe) {
    for (environment, replies, connections) in [
        (&[("CODECHAT_PUBLISH", "off")][..], vec![], 0),
        (
            &[],
            vec![Reply::problem("401 Unauthorized", &[], "no token")],
            1,
        ),
        (
            &[],
            vec![Reply::problem("403 Forbidden", &[], "not you")],
            1,
        ),
    ] {
        let mut server = Scripted::start(replies).await;
        let Some(mut app) = recipe.start(&server.url, environment).await else {
            return;
        };
        for round in 0..3 {
            for id in [ID, OTHER] {
                let answer = app.asked("/refresh/demo", id).await;
                assert_eq!(answer.text(), "refreshed demo");
            }
            if round == 0 && connections > 0 {
                server.asked().await;
                app.process.says("codechat: ").await;
            }
        }
        let (_, said) = app.stopped().await;
        assert!(!said.contains("codechat: "), "{said}");
        assert_eq!(server.connections().await, connections);
    }
}

pub(super) async fn unknown(recipe: Recipe) {
    let gone = Reply::problem("404 Not Found", &[], "who");
    let mut server = Scripted::start([gone.clone(), gone]).await;
    let Some(app) = recipe.start(&server.url, &[]).await else {
        return;
    };
    for id in [ID, OTHER] {
        app.asked("/refresh/demo", id).await;
        assert_eq!(server.asked().await.header("sse-client-id"), Some(id));
    }
    for id in [ID, OTHER] {
        let answer = app.asked("/refresh/demo", id).await;
        assert_eq!(answer.text(), "refreshed demo");
    }
    app.stopped().await;
    assert_eq!(server.connections().await, 2);
}

pub(super) async fn token(recipe: Recipe) {
    let scratch = Scratch::new();
    let file = scratch.path("token");
    std::fs::write(&file, "secret").unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let server = Serve::start(&["--token-file", file.to_str().unwrap()]).await;
    let Some(app) = recipe
        .start(&server.url, &[("CODECHAT_TOKEN", "secret")])
        .await
    else {
        return;
    };
    let bearer = "Authorization: Bearer secret";
    let answer = server
        .http
        .request("GET", "/api/v1/sse/connect", &[bearer], "")
        .await;
    let id = answer.json()["clientId"].as_str().unwrap().to_owned();
    let mut watched = Watched::open(server.http, id.clone(), &[bearer]).await;
    app.asked("/refresh/demo", &id).await;
    assert_eq!(
        watched.until_the_outcome().await.last().unwrap()["outcome"],
        "ok"
    );
}
