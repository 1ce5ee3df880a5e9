//! Servers of event streams that others wrote, each with a small application for the tests: its sources are in `peers`,
//! `.ci/peers` installs its libraries.
//!
//! Each has `/ticks`, on which a POST to `/say` publishes an event, `/quiet`, and, but for nchan, `/end`, which ends
//! after three events.

use std::process::Stdio;

use tokio::process::Command;

use super::{
    http::Http,
    libraries::Libraries,
    nginx::Nginx,
    process::{Running, clean},
    program,
};

const LIBRARIES: Libraries = Libraries("peers");
/// Debian's, as `.ci/programs` has it.
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// A text as the value of a query.
fn encoded(text: &str) -> String {
    let bytes: Vec<_> = text.bytes().map(|it| format!("%{it:02X}")).collect();
    bytes.concat()
}

/// The two ways of a client to a server: as it reads from this machine, and, by a form of the address that is not known as
/// this machine's, through the HTTP library. (Whoever connects to the unspecified address comes to this machine.)
pub(crate) fn both_ways(url: &str) -> [String; 2] {
    [url.to_owned(), url.replace("127.0.0.1", "0.0.0.0")]
}

/// A server in a process of its own.
pub(crate) struct Peer {
    pub(crate) http: Http,
    pub(crate) url: String,
    pub(crate) process: Running,
}

impl Peer {
    /// sse-starlette under uvicorn, with so many seconds between two pings. `None` if it is not here.
    pub(crate) async fn sse_starlette(ping: &str) -> Option<Self> {
        if !LIBRARIES.are_here("requirements.txt") {
            return None;
        }
        let mut python = clean(LIBRARIES.installed().join("python/bin/python3"));
        python
            .arg(LIBRARIES.sources().join("sse-starlette.py"))
            .arg(ping);
        Some(Self::start(&mut python).await)
    }

    /// better-sse without pings. `None` if it is not here.
    pub(crate) async fn better_sse() -> Option<Self> {
        Self::node("better-sse.cjs").await
    }

    /// express with its compression. `None` if it is not here.
    pub(crate) async fn compression() -> Option<Self> {
        Self::node("compression.cjs").await
    }

    async fn node(source: &str) -> Option<Self> {
        let program = program::find("node")?;
        if !LIBRARIES.are_here("package-lock.json") {
            return None;
        }
        let mut node = clean(program);
        node.env("NODE_PATH", LIBRARIES.installed().join("node/node_modules"));
        node.arg(LIBRARIES.sources().join(source));
        Some(Self::start(&mut node).await)
    }

    async fn start(command: &mut Command) -> Self {
        let mut process = Running::start(command.stdout(Stdio::piped()));
        let line = process.line().await;
        let port = line.trim().strip_prefix("listening on ").unwrap();
        let address = format!("127.0.0.1:{port}");
        Self {
            http: Http {
                address: address.parse().unwrap(),
            },
            url: format!("http://{address}"),
            process,
        }
    }

    /// Waits for the next stream that is opened; the words that the peer says of it.
    pub(crate) async fn opened(&mut self) -> String {
        let line = self.process.line().await;
        let words = line.trim_end_matches('\n').strip_prefix("opened ");
        words.unwrap_or_else(|| panic!("{line:?}")).to_owned()
    }

    /// Publishes an event on `/ticks`, to all that have opened it.
    pub(crate) async fn say(&self, id: &str, event: &str, data: &str) {
        let target = format!("/say?id={}&event={}", encoded(id), encoded(event));
        let answer = self.http.post(&target, &[], data).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// Kills it; the streams that were opened and not yet waited for.
    pub(crate) async fn kill(self) -> String {
        self.process.signal("KILL").await;
        self.process.end().await.stdout
    }
}

/// nginx with nchan, which keeps what is published and goes on after the ID that a client has seen. On `/quiet` it
/// pings by events without data, every two seconds.
pub(crate) struct Nchan {
    pub(crate) nginx: Nginx,
}

impl Nchan {
    /// `None` if it is not here.
    pub(crate) async fn start() -> Option<Self> {
        if !program::are_here(&["nginx", NCHAN]) {
            return None;
        }
        let locations = "
            location = /say { nchan_publisher; nchan_channel_id $arg_to; }
            location = /ticks { nchan_subscriber eventsource; nchan_channel_id ticks; }
            location = /quiet {
                nchan_subscriber eventsource; nchan_channel_id quiet;
                nchan_eventsource_ping_interval 2; nchan_eventsource_ping_comment '';
            }";
        let module = format!("load_module {NCHAN};");
        let nginx = Nginx::with_main(&module, locations).await?;
        Some(Self { nginx })
    }

    /// Publishes an event on `/ticks` or `/quiet`; the ID that nchan gives it.
    pub(crate) async fn say(&self, stream: &str, event: &str, data: &str) -> String {
        let target = format!("/say?to={stream}");
        let event = format!("X-EventSource-Event: {event}");
        let answer = self.nginx.http.post(&target, &[&event], data).await;
        assert!(matches!(answer.status, 201 | 202), "{answer:?}");
        let (_, id) = answer.text().split_once("last message id: ").unwrap();
        id.to_owned()
    }

    /// Ends the streams on `/ticks`.
    pub(crate) async fn end(&self) {
        let http = self.nginx.http;
        let answer = http.request("DELETE", "/say?to=ticks", &[], "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}
