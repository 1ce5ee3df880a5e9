//! Access to the server, which hostile web pages do not get.

use codechat::internal::server::{Access, AllowedHost, AllowedOrigin};

use crate::support::{
    http::{Answer, Connection, stream_of},
    server::Server,
};

const CONNECT: &str = "/api/v1/sse/connect";

async fn start(hosts: &[&str], origins: &[&str]) -> Server {
    let mut access = Access::open();
    access.hosts = hosts.iter().map(|it| it.parse().unwrap()).collect();
    access.origins = origins.iter().map(|it| it.parse().unwrap()).collect();
    Server::with(|_, options| options.access = access).await
}

/// Returns the answer to exactly these lines as a request's head.
async fn raw(server: &Server, lines: &[&str]) -> Answer {
    let mut connection = Connection::open(server.address).await;
    connection
        .say(format!("{}\r\n\r\n", lines.join("\r\n")))
        .await;
    connection.answer().await
}

async fn with_host(server: &Server, host: &str) -> Answer {
    raw(
        server,
        &[&format!("GET {CONNECT} HTTP/1.1"), &format!("Host: {host}")],
    )
    .await
}

#[tokio::test]
async fn a_host_is_one_of_the_servers_own_with_any_port() {
    let server = start(&["chat.example.org", "192.168.7.5", "fd00::1"], &[]).await;
    for host in [
        "localhost",
        "localhost:1",
        "LocalHost.",
        "127.0.0.1",
        "127.8.9.1:80",
        "[::1]",
        "[::1]:2428",
        "[::ffff:127.0.0.1]",
        "chat.example.org",
        "Chat.Example.Org:443",
        "192.168.7.5:2428",
        "[fd00::1]:1",
    ] {
        let answer = with_host(&server, host).await;
        assert_eq!(answer.status, 200, "{host}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_name_that_was_rebound_to_this_address_is_403_on_every_route() {
    let server = start(&["chat.example.org"], &[]).await;
    for host in [
        "evil.example",
        "evil.example:2428",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "xchat.example.org",
        "192.168.7.5",
        "0.0.0.0",
        "[::2]",
        "::1",
        "",
        "127.0.0.1:80:80",
        "127.1",
        "localhost@evil.example",
        "127.0.0.1:x",
        "2130706433",
    ] {
        let detail = with_host(&server, host).await.detail(403);
        assert!(detail.contains("--allowed-host"), "{host}: {detail}");
    }
    let id = server.connect().await;
    let before = server.hub.stats();
    for route in routes(&id) {
        let answer = raw(
            &server,
            &[
                &format!("{route} HTTP/1.1"),
                "Host: evil.example",
                "Content-Length: 0",
            ],
        )
        .await;
        answer.detail(403);
    }
    assert_eq!(server.hub.stats(), before);
    server.publish(&id, "it goes on").await;
}

fn routes(id: &str) -> Vec<String> {
    vec![
        format!("GET {CONNECT}"),
        format!("GET {}", stream_of(id)),
        format!("POST {}", stream_of(id)),
        format!("DELETE {}", stream_of(id)),
        format!("GET /api/v1/sse/debug/stop/{id}"),
        "POST /api/v1/sse/debug".into(),
        "POST /api/v1/sse/broadcast".into(),
        "GET /healthz".into(),
        "GET /".into(),
        "GET /viewer/0/main.js".into(),
        "GET /nothing".into(),
        "OPTIONS *".into(),
    ]
}

#[tokio::test]
async fn a_targets_authority_and_the_host_header_are_both_checked() {
    let server = start(&[], &[]).await;
    let ask = async |target: &str, host: &str| {
        raw(
            &server,
            &[&format!("GET {target} HTTP/1.1"), &format!("Host: {host}")],
        )
        .await
    };
    assert_eq!(
        ask("http://localhost/healthz", "localhost").await.status,
        200
    );
    ask("http://evil.example/healthz", "localhost")
        .await
        .detail(403);
    ask("http://localhost/healthz", "evil.example")
        .await
        .detail(403);
}

#[tokio::test]
async fn a_request_must_name_exactly_one_host() {
    let server = start(&[], &[]).await;
    let request = format!("GET {CONNECT} HTTP/1.1");
    raw(&server, &[&request]).await.detail(400);
    raw(&server, &[&request, "Host: localhost", "Host: localhost"])
        .await
        .detail(400);
    raw(
        &server,
        &[&request, "Host: localhost", "Host: evil.example"],
    )
    .await
    .detail(400);
    // HTTP/1.0 does not require it, and no browser is that old.
    let old = raw(&server, &["GET /healthz HTTP/1.0"]).await;
    assert_eq!(old.status, 200);
}

#[tokio::test]
async fn a_page_of_another_origin_gets_nothing_and_changes_nothing() {
    let server = start(&[], &["http://localhost:3000"]).await;
    let id = server.connect().await;
    let own = server.address;
    let foreign = [
        "https://evil.example".to_owned(),
        "null".into(),
        "http://127.0.0.1".into(),
        format!("http://localhost:{}", own.port()),
        format!("http://127.0.0.1:{}", own.port().wrapping_add(1)),
        format!("ftp://{own}"),
        "http://localhost:3000.evil.example".into(),
        "http://localhost:30000".into(),
        String::new(),
    ];
    let before = server.hub.stats();
    for origin in &foreign {
        let origin = format!("Origin: {origin}");
        for route in routes(&id) {
            let (method, target) = route.split_once(' ').unwrap();
            let answer = server.request(method, target, &[&origin], "").await;
            answer.detail(403);
            assert_eq!(answer.head.header("access-control-allow-origin"), None);
        }
    }
    let preflight = [
        "Origin: https://evil.example",
        "Access-Control-Request-Method: POST",
    ];
    let answer = server
        .request("OPTIONS", &stream_of(&id), &preflight, "")
        .await;
    assert!(
        answer
            .detail(403)
            .contains("--cors-origin https://evil.example")
    );
    let twice = [
        "Origin: http://localhost:3000",
        "Origin: https://evil.example",
    ];
    server.request("GET", CONNECT, &twice, "").await.detail(400);
    assert_eq!(server.hub.stats(), before);
}

#[tokio::test]
async fn a_foreign_page_that_embeds_the_address_cannot_create_or_stop_a_client() {
    let server = start(&[], &[]).await;
    let id = server.connect().await;
    let stop = format!("/api/v1/sse/debug/stop/{id}");
    for site in ["cross-site", "same-site"] {
        for target in [CONNECT, &stop] {
            let headers = [
                &format!("Sec-Fetch-Site: {site}"),
                "Sec-Fetch-Mode: no-cors",
                "Sec-Fetch-Dest: image",
            ];
            server
                .request("GET", target, &headers, "")
                .await
                .detail(403);
        }
    }
    server.publish(&id, "it goes on").await;
    for (site, dest) in [
        ("none", "document"),
        ("same-origin", "empty"),
        ("cross-site", "document"),
    ] {
        let headers = [
            &*format!("Sec-Fetch-Site: {site}"),
            &format!("Sec-Fetch-Dest: {dest}"),
        ];
        let answer = server.request("GET", "/healthz", &headers, "").await;
        assert_eq!(answer.status, 200, "{site} {dest}");
    }
}

#[tokio::test]
async fn the_servers_own_pages_need_no_permission() {
    let server = start(&["chat.example.org"], &[]).await;
    for (host, origin) in [
        (
            server.address.to_string(),
            format!("http://{}", server.address),
        ),
        ("localhost".into(), "http://localhost".into()),
        ("localhost:80".into(), "http://localhost".into()),
        ("chat.example.org".into(), "https://chat.example.org".into()),
        ("[::1]:2428".into(), "http://[::1]:2428".into()),
    ] {
        let lines = [
            &format!("GET {CONNECT} HTTP/1.1"),
            &format!("Host: {host}"),
            &format!("Origin: {origin}"),
        ];
        let answer = raw(&server, &lines.map(String::as_str)).await;
        assert_eq!(answer.status, 200, "{host} {origin}");
        assert_eq!(answer.head.header("access-control-allow-origin"), None);
        assert_eq!(answer.head.header("vary"), None);
    }
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_read_the_answers() {
    let server = start(&[], &["https://app.example.org", "HTTP://localhost:3000/"]).await;
    let id = server.connect().await;
    for origin in ["https://app.example.org", "http://localhost:3000"] {
        let field = format!("Origin: {origin}");
        let allows = |head: &crate::support::http::Head| {
            assert_eq!(head.header("access-control-allow-origin"), Some(origin));
            assert_eq!(
                head.header("access-control-expose-headers"),
                Some("Sse-Client-ID, Sse-Client-Past, Sse-Format, Sse-Server-Owner")
            );
            assert_eq!(head.header("access-control-allow-credentials"), None);
            assert_eq!(head.header("vary"), Some("Origin"));
        };
        let preflight = [
            field.as_str(),
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Headers: sse-client-id,content-type",
            "Access-Control-Request-Private-Network: true",
        ];
        let answer = server
            .request("OPTIONS", &stream_of(&id), &preflight, "")
            .await;
        assert_eq!(answer.status, 204);
        allows(&answer.head);
        let methods = answer.head.header("access-control-allow-methods");
        assert_eq!(methods, Some("GET, POST, PUT, DELETE"));
        let allowed = answer.head.header("access-control-allow-headers").unwrap();
        for name in [
            "Sse-Client-ID",
            "Content-Type",
            "Authorization",
            "Last-Event-ID",
            "Idempotency-Key",
            "Cache-Control",
        ] {
            assert!(allowed.split(", ").any(|it| it == name), "{name}");
        }
        assert_eq!(
            answer.head.header("access-control-allow-private-network"),
            Some("true")
        );

        let answer = server.post(&stream_of(&id), &[&field], "hello").await;
        assert_eq!(answer.status, 202);
        allows(&answer.head);
        // It may read errors and streams too.
        let answer = server.post(&stream_of(&id), &[&field], "").await;
        answer.detail(400);
        allows(&answer.head);
        let stream = server.stream(&stream_of(&id), &[&field]).await;
        allows(&stream.head);
        let plain = Server::with(|_, options| {
            options.plain_streams = true;
            options.access.origins = vec![origin.parse().unwrap()];
        });
        let plain = plain.await;
        allows(&plain.stream(&stream_of(&id), &[&field]).await.head);
    }
    let nobody = server.get("/healthz").await;
    assert_eq!(nobody.head.header("access-control-allow-origin"), None);
    assert_eq!(nobody.head.header("vary"), Some("Origin"));
}

#[test]
fn hosts_and_origins_are_accepted_in_their_usual_forms() {
    for good in ["a", "A.b-c.example", "10.0.0.1", "::1", "[fd00::1]", "a:80"] {
        assert!(good.parse::<AllowedHost>().is_ok(), "{good}");
    }
    for bad in ["", "*", "http://a", "a/b", "a b", "[::1", "a:b"] {
        assert!(bad.parse::<AllowedHost>().is_err(), "{bad}");
    }
    let origin = |text: &str| text.parse::<AllowedOrigin>();
    assert_eq!(origin("https://a:443/"), origin("HTTPS://A"));
    assert_ne!(origin("https://a:80"), origin("https://a"));
    for bad in [
        "",
        "*",
        "null",
        "a",
        "https://",
        "https://a/b",
        "https://a?b",
        "://a",
    ] {
        assert!(origin(bad).is_err(), "{bad}");
    }
}
