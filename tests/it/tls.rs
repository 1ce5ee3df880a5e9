//! HTTPS, with HTTP/1.1 and HTTP/2.

use std::{sync::Arc, time::Duration};

use codechat::internal::server::ServerOptions;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    http::{Connection, stream_of},
    server::Server,
    soon,
    tls::{file, tls},
};

async fn start(change: impl FnOnce(&mut ServerOptions)) -> Server {
    Server::with(|_, options| {
        options.tls = Some(tls());
        change(options);
    })
    .await
}

/// Creates a client that uses only this version of HTTP.
fn client(version: reqwest::Version) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = std::fs::read(file("ca.pem")).unwrap();
    let authority = reqwest::Certificate::from_pem(&authority).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([authority])
        .no_proxy();
    let client = if version == reqwest::Version::HTTP_2 {
        client.http2_prior_knowledge()
    } else {
        client.http1_only()
    };
    client.build().unwrap()
}

async fn read_until(stream: &mut reqwest::Response, what: &str) -> String {
    let mut text = String::new();
    while !text.contains(what) {
        let chunk = soon(stream.chunk()).await.unwrap();
        let chunk = chunk.unwrap_or_else(|| panic!("it ended after {text}"));
        text += std::str::from_utf8(&chunk).unwrap();
    }
    text
}

#[tokio::test]
async fn every_route_works_over_https_in_both_http_versions() {
    for version in [reqwest::Version::HTTP_11, reqwest::Version::HTTP_2] {
        let mut server = start(|_| {}).await;
        let client = client(version);
        let url = |path: &str| format!("https://localhost:{}{path}", server.address.port());
        let connect = client
            .get(url("/api/v1/sse/connect"))
            .header("Accept", "text/plain");
        let connected = soon(connect.send()).await.unwrap();
        assert_eq!(connected.version(), version);
        let id = soon(connected.text()).await.unwrap().trim().to_owned();
        let mut stream = soon(client.get(url(&stream_of(&id))).send()).await.unwrap();
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        read_until(&mut stream, "Starting server communication...\n\n").await;
        let text = "x".repeat(50_000);
        let posted = client.post(url(&stream_of(&id))).body(text.clone()).send();
        assert_eq!(soon(posted).await.unwrap().status(), 202);
        assert!(read_until(&mut stream, "\n\n").await.contains(&text));

        // Every request is subject to the same checks as over plain HTTP.
        let elsewhere = client
            .get(url("/healthz"))
            .header("Origin", "https://evil.example");
        assert_eq!(soon(elsewhere.send()).await.unwrap().status(), 403);
        let own = client.get(url("/healthz")).header("Origin", url(""));
        assert_eq!(soon(own.send()).await.unwrap().status(), 200);
        let rebound = client.get(url("/healthz")).header("Host", "evil.example");
        assert_eq!(soon(rebound.send()).await.unwrap().status(), 403);

        server.shut_down();
        read_until(&mut stream, "Server shutting down...\n\n").await;
        assert_eq!(soon(stream.text()).await.unwrap(), "");
        drop(client);
        server.down().await;
    }
}

#[tokio::test]
async fn an_http_2_reader_that_takes_nothing_is_removed_from_its_channel() {
    let server = start(|options| options.stall_timeout = Duration::from_millis(200)).await;
    let client = client(reqwest::Version::HTTP_2);
    let id = server.hub.connect().unwrap();
    let url = format!(
        "https://localhost:{}{}",
        server.address.port(),
        stream_of(&id.to_string())
    );
    let mut idle = soon(client.get(&url).send()).await.unwrap();
    read_until(&mut idle, "Starting").await;
    // Beside it, a quiet stream that is read.
    let other = server.hub.connect().unwrap();
    let other_url = url.replace(&id.to_string(), &other.to_string());
    let mut quiet = soon(client.get(&other_url).send()).await.unwrap();
    read_until(&mut quiet, "Starting").await;
    // Nobody reads it any more, although the connection works: other answers on it arrive.
    let publish = async || {
        let posted = client.post(&url).body("x".repeat(60_000)).send();
        assert_eq!(soon(posted).await.unwrap().status(), 202);
    };
    let mut sent = 0;
    while server.hub.stats().subscribers > 1 {
        publish().await;
        sent += 1;
        assert!(sent < 5_000, "it is never closed");
    }
    publish().await;
    let posted = client.post(&other_url).body("still there").send();
    assert_eq!(soon(posted).await.unwrap().status(), 202);
    read_until(&mut quiet, "still there").await;
    // If it is read again, it has what was sent, and then the end.
    while let Ok(chunk) = soon(idle.chunk()).await {
        assert!(chunk.is_some(), "that is no end of a stream");
    }
}

#[tokio::test]
async fn an_http_2_connection_without_requests_is_closed_and_one_with_a_stream_is_not() {
    let server = start(|options| {
        options.header_timeout = Duration::from_millis(100);
        options.heartbeat = Duration::from_millis(200);
    })
    .await;
    let client = client(reqwest::Version::HTTP_2);
    let id = server.hub.connect().unwrap();
    let base = format!("https://localhost:{}", server.address.port());
    let target = format!("{base}{}", stream_of(&id.to_string()));
    let mut stream = soon(client.get(&target).send()).await.unwrap();

    let mut idle = http_2(&server, 100).await;
    let mut said = Vec::new();
    // If it ended with an error, it was closed too.
    let _ = soon(idle.read_to_end(&mut said)).await;
    assert!(said.len() > FRAME_HEAD, "it uses HTTP/2");

    read_until(&mut stream, "Starting").await;
    for _ in 0..3 {
        read_until(&mut stream, ":\n").await;
    }
    let posted = client.post(&target).body("still there").send();
    assert_eq!(soon(posted).await.unwrap().status(), 202);
    read_until(&mut stream, "still there").await;
}

#[tokio::test]
async fn an_http_2_client_that_grants_no_window_is_cut_even_if_it_answers_pings() {
    let server = start(|options| {
        options.stall_timeout = Duration::from_millis(200);
        options.header_timeout = Duration::from_millis(200);
        options.heartbeat = Duration::from_millis(200);
    })
    .await;
    let id = server.hub.connect().unwrap().to_string();
    // With a window of one byte, an answer begins but cannot continue.
    for window in [0, 1] {
        for path in ["/api/v1/sse/connect", &stream_of(&id), "/metrics"] {
            let mut client = http_2(&server, window).await;
            soon(client.write_all(&http_2_get(path))).await.unwrap();
            soon(until_cut(&mut client)).await;
            server.stats(|stats| stats.subscribers == 0).await;
        }
    }
}

/// Reads until the connection ends, and acknowledges every ping.
async fn until_cut(client: &mut Http2) {
    const PING: u8 = 6;
    loop {
        let mut head = [0; FRAME_HEAD];
        if client.read_exact(&mut head).await.is_err() {
            return;
        }
        let [_, high, low, kind, flags, ..] = head;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        if client.read_exact(&mut payload).await.is_err() {
            return;
        }
        if kind == PING && flags == 0 {
            let acknowledged = [&[0, 0, 8, PING, 1, 0, 0, 0, 0], &payload[..]].concat();
            // If it fails, so does the next read.
            let _ = client.write_all(&acknowledged).await;
        }
    }
}

const FRAME_HEAD: usize = 9;

type Http2 = tokio_rustls::client::TlsStream<tokio::net::TcpStream>;

/// Returns a request on the first stream of a connection, as one frame.
fn http_2_get(path: &str) -> Vec<u8> {
    let fields = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
    ];
    let mut block = Vec::new();
    for (name, value) in fields {
        // A literal without indexing, whose lengths fit in a byte (RFC 7541, 6.2.2).
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let length = u8::try_from(block.len()).unwrap();
    [&[0, 0, length, 1, 5, 0, 0, 0, 1], &block[..]].concat()
}

/// Opens a connection with the preface of HTTP/2, this window for each stream, and nothing more.
async fn http_2(server: &Server, window: u8) -> Http2 {
    let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, window];
    let mut roots = rustls::RootCertStore::empty();
    let authority = rustls::pki_types::CertificateDer::from_pem_file(file("ca.pem")).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".into()];
    let socket = Connection::open(server.address).await.socket;
    let name = "localhost".try_into().unwrap();
    let connecting = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, socket);
    let mut connection = soon(connecting).await.unwrap();
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..]].concat();
    soon(connection.write_all(&preface)).await.unwrap();
    soon(connection.flush()).await.unwrap();
    connection
}

#[tokio::test]
async fn a_handshake_has_the_time_limit_of_a_head_and_plain_http_fails() {
    let server = start(|options| options.header_timeout = Duration::from_millis(100)).await;
    Connection::open(server.address).await.closed().await;
    let mut half = Connection::open(server.address).await;
    half.say([0x16, 3, 1]).await;
    half.closed().await;
    let mut plain = Connection::open(server.address).await;
    plain.ask("GET", "/healthz", &[]).await;
    let mut answer = Vec::new();
    let _ = soon(tokio::io::AsyncReadExt::read_to_end(
        &mut plain.socket,
        &mut answer,
    ))
    .await;
    assert!(!answer.starts_with(b"HTTP"));
    let client = client(reqwest::Version::HTTP_11);
    let url = format!("https://127.0.0.1:{}/healthz", server.address.port());
    assert_eq!(soon(client.get(url).send()).await.unwrap().status(), 200);
}
