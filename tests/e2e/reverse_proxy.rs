//! Behind nginx as Debian sets it up, with a plain `proxy_pass`: events come at once, heartbeats keep
//! a stream open, resuming works, and a watcher that goes is noticed.

use std::{fs, net::TcpStream, time::Duration};

use codechat::internal::message::Message;
use tokio::process::Child;

use crate::support::{
    becomes,
    http::{Http, stream_of},
    port::Port,
    process::{Scratch, clean},
    program,
    server::Server,
};

/// What Debian's `nginx.conf` sets, and how long nginx waits for an upstream that says nothing: made
/// shorter, so that the test need not take the minute that is the default.
fn configuration(port: u16, server: &Server) -> String {
    let address = server.address;
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log;
        events {{ worker_connections 768; }}
        http {{
            sendfile on; tcp_nopush on; types_hash_max_size 2048; gzip on; access_log off;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            server {{
                listen 127.0.0.1:{port};
                location / {{ proxy_pass http://{address}; proxy_read_timeout 1s; }}
            }}
        }}"
    )
}

struct Nginx {
    http: Http,
    _process: Child,
    _files: Scratch,
    _port: Port,
}

impl Nginx {
    /// `None` where there is none.
    async fn before(server: &Server) -> Option<Self> {
        let program = program::find("nginx")?;
        let (files, port) = (Scratch::new(), Port::keep());
        let address = port.address;
        let file = files.path("nginx.conf");
        fs::write(&file, configuration(address.port(), server)).unwrap();
        let mut nginx = clean(program);
        nginx.arg("-p").arg(files.path("")).arg("-c").arg(file);
        let mut process = nginx.spawn().unwrap();
        let listens = becomes(|| {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "nginx ended: {ended:?}");
            TcpStream::connect(address).is_ok()
        });
        assert!(listens.await, "nginx does not listen");
        Some(Self {
            http: Http { address },
            _process: process,
            _files: files,
            _port: port,
        })
    }
}

/// A server that says something often enough for this nginx.
async fn server(plain_streams: bool) -> Server {
    Server::with(|_, options| {
        options.heartbeat = Duration::from_millis(200);
        options.plain_streams = plain_streams;
    })
    .await
}

#[tokio::test]
async fn events_come_at_once_and_heartbeats_keep_the_stream_open() {
    for plain_streams in [false, true] {
        let server = server(plain_streams).await;
        let Some(nginx) = Nginx::before(&server).await else {
            return;
        };
        let id = nginx.http.connect().await;
        let mut stream = nginx.http.watch(&id).await;
        for text in ["one", "two", "", "line\nline"] {
            let message = Message::text(text);
            server
                .hub
                .publish(id.parse().unwrap(), message, None)
                .unwrap();
            assert_eq!(stream.event().await.data, text);
        }
        nginx.http.publish(&id, "through it").await;
        assert_eq!(stream.event().await.data, "through it");
        // For longer than nginx waits for a silent server.
        for _ in 0..10 {
            assert_eq!(stream.block().await.as_deref(), Some(":\n\n"));
        }
        nginx.http.publish(&id, "still open").await;
        assert_eq!(stream.event().await.data, "still open");
        nginx.http.stop(&id).await;
        assert_eq!(stream.event().await.name, "end");
        stream.ended().await;
    }
}

#[tokio::test]
async fn a_stream_resumes_and_a_watcher_that_goes_is_noticed() {
    let server = server(false).await;
    let Some(nginx) = Nginx::before(&server).await else {
        return;
    };
    let id = nginx.http.connect().await;
    let mut stream = nginx.http.watch(&id).await;
    let seen = nginx.http.publish(&id, "seen").await;
    assert_eq!(stream.event().await.id, seen);
    drop(stream);
    server.stats(|it| it.subscribers == 0).await;
    nginx.http.publish(&id, "missed").await;
    nginx.http.publish(&id, "missed too").await;
    let cursor = format!("Last-Event-ID: {seen}");
    let mut stream = nginx.http.stream(&stream_of(&id), &[&cursor]).await;
    assert_eq!(stream.block().await.as_deref(), Some(": resumed\n\n"));
    assert_eq!(stream.data(2).await, ["missed", "missed too"]);
}

#[tokio::test]
async fn a_server_without_heartbeats_would_be_cut() {
    let server = Server::start().await;
    let Some(nginx) = Nginx::before(&server).await else {
        return;
    };
    let id = nginx.http.connect().await;
    let stream = nginx.http.watch(&id).await;
    // This is what the heartbeats are for: nginx gives up a server that says nothing.
    server.stats(|it| it.subscribers == 0).await;
    drop(stream);
}
