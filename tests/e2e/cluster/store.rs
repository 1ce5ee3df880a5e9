//! Errors and warnings about a store, and the permissions, TLS files and passwords that it needs.

use crate::support::{
    cluster::Cluster,
    http::stream_of,
    port::Port,
    process::{Running, Scratch, Serve},
    redis::Redis,
    soon, tls,
};

/// Returns the exit code and the message of a `serve` that ends with these flags.
async fn refused(more: &[&str]) -> (Option<i32>, String) {
    let args = [
        &["serve", "--listen", "127.0.0.1:0", "--store-patience", "1s"],
        more,
    ]
    .concat();
    let ended = Running::codechat(args).end().await;
    let last = ended
        .stderr
        .lines()
        .filter(|it| it.starts_with("codechat: ") || it.starts_with("error: "));
    (ended.code, last.collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn an_invalid_store_url_is_refused_with_a_hint() {
    for (url, said) in [
        ("localhost:6379", "redis://[USER@]HOST"),
        ("redis://team:secret@localhost", "--store-password-file"),
        ("redis+sentinel://localhost/main", "is not supported"),
    ] {
        let (code, text) = refused(&["--store", url]).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(said) && !text.contains("secret"), "{text}");
    }
    let (code, text) = refused(&["--store", "redis+unix:///nowhere/socket"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("/nowhere/socket") && text.contains("No such file"),
        "{text}"
    );
}

#[tokio::test]
async fn a_password_is_read_from_a_file_and_a_wrong_one_is_reported() {
    let Some(redis) = Redis::with(&["--requirepass", "right"]) else {
        return;
    };
    let scratch = crate::support::process::Scratch::new();
    let (right, wrong) = (scratch.path("right"), scratch.path("wrong"));
    std::fs::write(&right, "right\n").unwrap();
    std::fs::write(&wrong, "wrong\n").unwrap();
    let store = ["--store", &redis.url()].map(str::to_owned);
    let flags = |file: &std::path::Path| {
        let file = file.to_str().unwrap().to_owned();
        [&store[..], &["--store-password-file".into(), file]].concat()
    };
    let wrong = flags(&wrong);
    let wrong: Vec<_> = wrong.iter().map(String::as_str).collect();
    let (code, text) = refused(&wrong).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("refuses") && text.contains("assword"),
        "{text}"
    );
    let right = flags(&right);
    let right: Vec<_> = right.iter().map(String::as_str).collect();
    let server = Serve::start(&right).await;
    let id = server.http.connect().await;
    server.http.publish(&id, "x").await;
}

#[tokio::test]
async fn a_server_with_other_limits_logs_which_ones_differ() {
    let Some(mut cluster) = Cluster::start(1, &["--log-messages", "10"]).await else {
        return;
    };
    let url = cluster.redis.url();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--store", &url];
    let mut unlike = Running::codechat([&serve[..], &["--idle-timeout", "1h"]].concat());
    for (limit, here, elsewhere) in [
        ("--idle-timeout", "3600s", "900s"),
        ("--log-messages", "1024", "10"),
    ] {
        let line = unlike.says(limit).await;
        for part in [
            format!("here=\"{here}\""),
            format!("elsewhere=\"{elsewhere}\""),
        ] {
            assert!(line.contains("WARN") && line.contains(&part), "{line}");
        }
    }
    // A server that takes the place of another is compared with the running ones, not with its predecessor.
    unlike.signal("KILL").await;
    unlike.end().await;
    cluster.replace(0).await;
    let debug = ["--log", "debug", "--log-messages", "10"];
    let mut like = Running::codechat([&serve[..], &debug].concat());
    let said = like.says("compared the limits of the servers").await;
    assert!(said.contains("differing=0"), "{said}");
}

#[tokio::test]
async fn a_store_that_may_evict_messages_causes_a_warning() {
    let bounds = ["--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru"];
    let Some(redis) = Redis::with(&bounds) else {
        return;
    };
    let url = redis.url();
    let mut server = Running::codechat(["serve", "--listen", "127.0.0.1:0", "--store", &url]);
    let line = server.says("maxmemory-policy").await;
    assert!(
        line.contains("WARN") && line.contains("volatile-lru"),
        "{line}"
    );
}

/// Returns the documented rule for the store's user, with a password.
fn documented_rule() -> String {
    const DOCUMENT: &str = include_str!("../../../docs/deployment.md");
    let rule = DOCUMENT.lines().find(|it| it.starts_with("ACL SETUSER"));
    rule.unwrap().replace("PASSWORD", "right")
}

#[tokio::test]
async fn the_documented_rule_for_the_stores_user_suffices_and_a_missing_command_is_named() {
    let port = Port::keep();
    let number = port.address.port().to_string();
    let Some(redis) = Redis::with(&["--bind", "127.0.0.1", "--port", &number]) else {
        return;
    };
    let scratch = Scratch::new();
    let password = scratch.path("password");
    std::fs::write(&password, "right").unwrap();
    let url = format!("redis://codechat@127.0.0.1:{number}");
    let file = password.to_str().unwrap();
    let flags = ["--store", &url, "--store-password-file", file];
    let rule = documented_rule();
    assert_eq!(redis.ask(&rule), "+OK");

    let serve = Serve::start(&flags).await;
    let http = serve.http;
    let id = http.connect().await;
    let mut stream = http.watch(&id).await;
    http.publish(&id, "1").await;
    let key = ["Idempotency-Key: a"];
    let keyed = http.post(&stream_of(&id), &key, "2").await;
    assert_eq!(keyed.status, 202);
    let mut publisher = http.publisher(&id, &["Idempotency-Key: b"]).await;
    publisher.say_chunk("\"3\"\n").await;
    publisher.say_chunk("").await;
    assert_eq!(publisher.answer().await.json()["accepted"], 1);
    assert_eq!(super::texts(&mut stream, 1, 3).await, ["1", "2", "3"]);
    let control = format!("/api/v1/sse/debug/control/{id}");
    let mut listening = http.stream(&format!("{control}?operation=a"), &[]).await;
    assert_eq!(listening.event().await.json()["subscribers"], 1);
    let json = ["Content-Type: application/json"];
    let asked = http.post(&control, &json, r#"{"level":"debug"}"#).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    http.stop(&id).await;
    assert_eq!(stream.event().await.name, "end");
    soon(async { while http.get("/readyz").await.status != 200 {} }).await;
    serve.process.signal("TERM").await;
    let ended = serve.process.end().await;
    assert_eq!(ended.code, Some(0));
    assert!(!ended.stderr.contains("the store"), "{}", ended.stderr);

    for (lacking, named) in [
        ("-lpop", "lpop"),
        ("-evalsha", "evalsha"),
        ("-subscribe", "subscribe"),
    ] {
        assert_eq!(redis.ask(&format!("{rule} {lacking}")), "+OK");
        let (code, text) = refused(&flags).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(named) && !text.contains("right"), "{text}");
    }
}

/// Returns the path of a file in `tests/support/tls`, as flags take it.
fn tls_file(name: &str) -> String {
    tls::file(name).to_str().unwrap().to_owned()
}

/// Starts a store that speaks TLS at this port, and requires a certificate from clients.
fn redis_with_tls(port: &str) -> Option<Redis> {
    let [cert, key, client] = ["cert.pem", "key.pem", "client.pem"].map(tls_file);
    let settings = [
        ["--tls-port", port],
        ["--tls-cert-file", &cert],
        ["--tls-key-file", &key],
        // The certificates of the clients.
        ["--tls-ca-cert-file", &client],
        ["--tls-auth-clients", "yes"],
    ];
    Redis::with(&settings.concat())
}

#[tokio::test]
async fn a_store_is_reached_over_tls_by_its_name_and_its_address() {
    let port = Port::keep();
    let number = port.address.port().to_string();
    let Some(redis) = redis_with_tls(&number) else {
        return;
    };
    let [ca, client, key] = ["ca.pem", "client.pem", "client-key.pem"].map(tls_file);
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("rediss://{host}:{number}");
        let shown = ["--store-cert", &client, "--store-key", &key];
        let flags = [&["--store", &url, "--store-ca", &ca], &shown[..]].concat();
        let server = Serve::start(&flags).await;
        let id = server.http.connect().await;
        let mut stream = server.http.watch(&id).await;
        // The notices and the requests reconnect over TLS too.
        assert_eq!(redis.ask("CLIENT KILL TYPE pubsub"), ":1");
        server.http.publish(&id, "1").await;
        assert_eq!(super::texts(&mut stream, 1, 1).await, ["1"]);
        let ended = server.process;
        ended.signal("TERM").await;
        assert!(!ended.end().await.stderr.contains("not encrypted"));
    }
}

#[tokio::test]
async fn an_untrusted_store_or_the_wrong_scheme_is_refused_with_a_hint() {
    let (plain, encrypted) = (Port::keep(), Port::keep());
    let [plain, encrypted] = [plain, encrypted].map(|it| it.address.port().to_string());
    let Some(_store) = redis_with_tls(&encrypted) else {
        return;
    };
    let _plain = Redis::with(&["--bind", "127.0.0.1", "--port", &plain]).unwrap();
    let [ca, client, key] = ["ca.pem", "client.pem", "client-key.pem"].map(tls_file);
    let url = format!("rediss://localhost:{encrypted}");
    let store = ["--store", &url];
    let trust = ["--store-ca", &ca];
    let shown = ["--store-cert", &client, "--store-key", &key];
    let other_way = [
        format!("redis://localhost:{encrypted}"),
        format!("rediss://localhost:{plain}"),
    ];
    for (flags, said) in [
        (
            vec![&store[..], &shown],
            "UnknownIssuer; give the authority",
        ),
        (vec![&store, &trust], "with --store-cert and --store-key"),
        (vec![&store, &["--store-ca", &key]], "store's CA file"),
        (
            vec![&store, &["--store-ca", "/nowhere/ca.pem"]],
            "cannot read the store's CA file /nowhere/ca.pem: no such file",
        ),
        (
            vec![
                &store,
                &["--store-cert", &client, "--store-key", "/nowhere/key"],
            ],
            "cannot read the store's client key file /nowhere/key: no such file",
        ),
        (
            vec![
                &store,
                &["--store-cert", &client, "--store-key", &tls_file("key.pem")],
            ],
            "do not go together",
        ),
        (vec![&["--store", &other_way[0]]], "rediss://… rather"),
        (
            vec![&["--store", &other_way[1]], &trust],
            "redis://… rather",
        ),
        (
            vec![&["--store", "redis://localhost"], &trust],
            "give --store as rediss://",
        ),
    ] {
        let (code, text) = refused(&flags.concat()).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(said) && text.lines().count() == 1, "{text}");
    }
    for (flags, said) in [
        (vec!["--store-ca", &ca], "--store <URL>"),
        (shown.to_vec(), "--store <URL>"),
        ([&store[..], &shown[..2]].concat(), "--store-key <PATH>"),
    ] {
        let ended = Running::codechat([&["serve"], &flags[..]].concat())
            .end()
            .await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(said), "{ended:?}");
    }
}
