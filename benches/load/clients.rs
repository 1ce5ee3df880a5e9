//! `clients`: what one publish costs the server, for the exact requests of the documented publishers, beside the
//! reference in the same run: CPU time of a request, and whether the ratio is within its bound.
//!
//! Sixteen connections send at once, each to a client ID of its own that nobody reads. Both servers run all the time,
//! and are measured in turns. A row shows the middle ratio of the rounds.

use std::rc::Rc;

use anyhow::ensure;
use tokio::task::JoinSet;

use crate::{
    Scale,
    http::Connection,
    process::{Machine, Server, Subject},
    publishing::all,
    table::{float, number},
};

const CONNECTIONS: u64 = 16;
/// Requests of one measurement.
const REQUESTS: u64 = 4_800;
const TOKEN: &str = "secret";

/// A publisher as it was captured. In its head, `{id}` is the client ID, `{key}` a fresh idempotency key, `{length}`
/// the body's length; the line `{token}` is left out if there is no token.
struct Publisher {
    name: &'static str,
    head: &'static [&'static str],
    body: &'static str,
    /// Whether it writes its body separately.
    has_two_parts: bool,
}

/// Captured with curl 7.88, Python 3.11, requests 2.34, Node 20.20, Java 17, Go 1.27, and the files in `examples/`.
const PUBLISHERS: [Publisher; 13] = [
    Publisher {
        name: "POST /debug/ID alone",
        head: &[
            "POST /api/v1/sse/debug/{id} HTTP/1.1",
            "Host: 127.0.0.1:2428",
            "{token}",
            "Content-Length: {length}",
        ],
        body: TEXT,
        has_two_parts: false,
    },
    Publisher {
        name: "curl -d URL/ID",
        head: &[
            "POST /api/v1/sse/debug/{id} HTTP/1.1",
            "Host: 127.0.0.1:2428",
            "User-Agent: curl/7.88.1",
            "Accept: */*",
            "{token}",
            "Content-Length: {length}",
            "Content-Type: application/x-www-form-urlencoded",
        ],
        body: TEXT,
        has_two_parts: false,
    },
    Publisher {
        name: "curl, Sse-Client-ID",
        head: &[
            "POST /api/v1/sse/debug HTTP/1.1",
            "Host: 127.0.0.1:2428",
            "User-Agent: curl/7.88.1",
            "Accept: */*",
            "Sse-Client-ID: {id}",
            "{token}",
            "Content-Length: {length}",
            "Content-Type: application/x-www-form-urlencoded",
        ],
        body: TEXT,
        has_two_parts: false,
    },
    Publisher {
        name: "examples/python",
        head: &[
            "POST /api/v1/sse/debug HTTP/1.1",
            "Host: 127.0.0.1:2428",
            "Accept-Encoding: identity",
            "Content-Length: {length}",
            "Sse-Client-ID: {id}",
            "Content-Type: application/x-ndjson",
            "Idempotency-Key: {key}",
            "{token}",
        ],
        body: LINES,
        has_two_parts: false,
    },
    Publisher {
        name: "urllib",
        head: &[
            "POST /api/v1/sse/debug HTTP/1.1",
            "Accept-Encoding: identity",
            "Content-Type: application/x-www-form-urlencoded",
            "Content-Length: {length}",
            "Host: 127.0.0.1:2428",
            "User-Agent: Python-urllib/3.11",
            "Sse-Client-Id: {id}",
            "{token}",
            "Connection: close",
        ],
        body: TEXT,
        has_two_parts: false,
    },
    Publisher {
        name: "requests, json=",
        head: &[
            "POST /api/v1/sse/debug HTTP/1.1",
            "Host: 127.0.0.1:2428",
            "User-Agent: python-requests/2.34.2",
            "Accept-Encoding: gzip, deflate",
            "Accept: */*",
            "Connection: keep-alive",
            "Sse-Client-ID: {id}",
            "{token}",
            "Content-Length: {length}",
            "Content-Type: application/json",
        ],
        body: OBJECT,
        has_two_parts: true,
    },
    Publisher {
        name: "examples/node",
        head: &[
            "POST /api/v1/sse/debug HTTP/1.1",
            "host: 127.0.0.1:2428",
            "connection: keep-alive",
            "Sse-Client-ID: {id}",
            "Content-Type: application/x-ndjson",
            "Idempotency-Key: {key}",
            "{token}",
            "accept: */*",
            "accept-language: *",
            "sec-fetch-mode: cors",
            "user-agent: node",
            "accept-encoding: gzip, deflate",
            "content-length: {length}",
        ],
        body: OBJECT,
        has_two_parts: false,
    },
    Publisher {
        name: "node fetch, text",
        head: &[
            "POST /api/v1/sse/debug HTTP/1.1",
            "host: 127.0.0.1:2428",
            "connection: keep-alive",
            "Sse-Client-ID: {id}",
            "content-type: text/plain;charset=UTF-8",
            "{token}",
            "accept: */*",
            "accept-language: *",
            "sec-fetch-mode: cors",
            "user-agent: node",
            "accept-encoding: gzip, deflate",
            "content-length: {length}",
        ],
        body: TEXT,
        has_two_parts: false,
    },
    Publisher {
        name: "examples/go",
        head: &[
            "POST /api/v1/sse/debug HTTP/1.1",
            "Host: 127.0.0.1:2428",
            "User-Agent: Go-http-client/1.1",
            "Content-Length: {length}",
            "{token}",
            "Content-Type: application/x-ndjson",
            "Idempotency-Key: {key}",
            "Sse-Client-Id: {id}",
            "Accept-Encoding: gzip",
        ],
        body: OBJECT,
        has_two_parts: false,
    },
    Publisher {
        name: "examples/java",
        head: &[
            "POST /api/v1/sse/debug HTTP/1.1",
            "Sse-Client-ID: {id}",
            "Content-Type: application/x-ndjson",
            "Idempotency-Key: {key}",
            "{token}",
            "User-Agent: Java/17.0.15",
            "Host: 127.0.0.1:2428",
            "Accept: text/html, image/gif, image/jpeg, */*; q=0.2",
            "Connection: keep-alive",
            "Content-Length: {length}",
        ],
        body: OBJECT,
        has_two_parts: true,
    },
    Publisher {
        name: "java.net.http, text",
        head: &[
            "POST /api/v1/sse/debug HTTP/1.1",
            "Connection: Upgrade, HTTP2-Settings",
            "Content-Length: {length}",
            "Host: 127.0.0.1:2428",
            "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
            "Upgrade: h2c",
            "User-Agent: Java-http-client/17.0.15",
            "{token}",
            "Sse-Client-ID: {id}",
        ],
        body: TEXT,
        has_two_parts: true,
    },
    Publisher {
        name: "codechat send, message",
        head: &[
            "POST /api/v1/sse/debug/{id} HTTP/1.1",
            "user-agent: codechat/0.1.0",
            "accept-encoding: identity",
            "{token}",
            "sse-client-id: {id}",
            "accept: application/json",
            "content-type: application/json",
            "idempotency-key: {key}",
            "host: 127.0.0.1:2428",
            "content-length: {length}",
        ],
        body: OBJECT,
        has_two_parts: false,
    },
    Publisher {
        name: "codechat send, lines",
        head: &[
            "POST /api/v1/sse/debug/{id} HTTP/1.1",
            "user-agent: codechat/0.1.0",
            "accept-encoding: identity",
            "{token}",
            "sse-client-id: {id}",
            "accept: application/json",
            "content-type: application/x-ndjson",
            "idempotency-key: {key}",
            "host: 127.0.0.1:2428",
            "content-length: {length}",
        ],
        body: STRINGS,
        has_two_parts: false,
    },
];

const TEXT: &str = "Refreshing repository demo";
const OBJECT: &str = r#"{"message":"Refreshing repository demo","level":"info"}"#;
const LINES: &str = r#"{"message": "Refreshing repository demo", "level": "info"}
{"message": "Refresh finished", "level": "info"}"#;
const STRINGS: &str = "\"Refreshing repository demo\"\n\"Refresh finished\"\n";

/// How long a connection is used, and the bound of the ratio then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Kept,
    Closed,
}

impl Mode {
    fn bound(self) -> f64 {
        match self {
            Self::Kept => 0.75,
            Self::Closed => 1.0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Closed => "close",
        }
    }
}

impl Publisher {
    fn closes(&self) -> bool {
        self.head.contains(&"Connection: close")
    }

    /// Returns a request, in the parts in which it is written.
    fn request(&self, id: &str, token: Option<&str>, mode: Mode, number: u64) -> Vec<Vec<u8>> {
        let mut head = String::new();
        for line in self.head {
            let is_connection = line.to_ascii_lowercase().starts_with("connection:");
            match (*line, token) {
                ("{token}", None) => {}
                ("{token}", Some(token)) => {
                    head.extend(["Authorization: Bearer ", token, "\r\n"]);
                }
                _ if mode == Mode::Closed && is_connection => {}
                (line, _) => head.extend([line, "\r\n"]),
            }
        }
        if mode == Mode::Closed {
            head.push_str("Connection: close\r\n");
        }
        let key = format!("{number:08x}-e89b-42d3-a456-426614174000");
        let head = head
            .replace("{id}", id)
            .replace("{key}", &key)
            .replace("{length}", &self.body.len().to_string());
        let (head, body) = (head + "\r\n", self.body.to_owned());
        if self.has_two_parts {
            vec![head.into(), body.into()]
        } else {
            vec![(head + &body).into()]
        }
    }
}

/// Measures all, and prints it.
pub(crate) fn run(machine: &Machine, scale: Scale) -> anyhow::Result<()> {
    println!(
        "{:<26} {:>6} {:>6} {:>12} {:>12} {:>7} {:>8} {:>7}",
        "publisher", "conn.", "token", "codechat µs", "reference", "ratio", "bound", "within"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = tokio::task::LocalSet::new();
    runtime.block_on(tasks.run_until(async {
        for token in [None, Some(TOKEN)] {
            let servers = [
                Server::start_with_token(machine, Subject::Codechat, 64, token)?,
                Server::start_with_token(machine, Subject::Reference, 64, token)?,
            ];
            for publisher in &PUBLISHERS {
                for mode in [Mode::Kept, Mode::Closed] {
                    if mode == Mode::Closed || !publisher.closes() {
                        compare(&servers, publisher, token, mode, scale).await?;
                    }
                }
            }
        }
        Ok(())
    }))
}

/// Measures the servers in turns, and prints the row.
async fn compare(
    servers: &[Server; 2],
    publisher: &'static Publisher,
    token: Option<&'static str>,
    mode: Mode,
    scale: Scale,
) -> anyhow::Result<()> {
    let rounds = if scale.is_quick() { 3 } else { 5 };
    let requests = scale.of(REQUESTS) / CONNECTIONS * CONNECTIONS;
    let mut measured = Vec::new();
    for _ in 0..rounds {
        let mut costs = [0.0; 2];
        for (server, cost) in servers.iter().zip(&mut costs) {
            let before = server.cpu()?;
            send(server, publisher, token, mode, requests).await?;
            let took = server.cpu()?.saturating_sub(before);
            *cost = took.as_secs_f64() * 1e6 / float(requests);
        }
        measured.push(costs);
    }
    let ratio = |[ours, reference]: [f64; 2]| ours / reference;
    measured.sort_by(|a, b| ratio(*a).total_cmp(&ratio(*b)));
    let middle = measured[measured.len() / 2];
    let value = ratio(middle);
    println!(
        "{:<26} {:>6} {:>6} {:>12} {:>12} {:>7} {:>8} {:>7}",
        publisher.name,
        mode.name(),
        token.map_or("no", |_| "yes"),
        number(middle[0]),
        number(middle[1]),
        number(value),
        format!("≤ {}", mode.bound()),
        if value <= mode.bound() { "yes" } else { "NO" },
    );
    Ok(())
}

async fn send(
    server: &Server,
    publisher: &'static Publisher,
    token: Option<&'static str>,
    mode: Mode,
    requests: u64,
) -> anyhow::Result<()> {
    let address = server.address;
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(address).await?;
        let id: Rc<str> = connection.connect_with(token).await?.into();
        tasks.spawn_local(async move {
            for number in 0..requests / CONNECTIONS {
                if mode == Mode::Closed {
                    connection = Connection::open(address).await?;
                }
                let request = publisher.request(&id, token, mode, number);
                let answer = connection.ask_in_parts(&request).await?;
                let status = answer.status;
                ensure!(
                    status == 202,
                    "{} was answered with {status}",
                    publisher.name
                );
            }
            anyhow::Ok(())
        });
    }
    all(tasks).await
}
