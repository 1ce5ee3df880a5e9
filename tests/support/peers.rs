//! Event stream servers of other projects, each with a small application for the tests: their sources are in `peers`,
//! `.ci/peers` installs their libraries.
//!
//! Each has `/ticks`, on which a POST to `/say` publishes an event, `/quiet`, and, except for nchan, `/end`, which ends
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
/// Debian's module, as listed in `.ci/programs`.
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// Returns a text as the value of a query parameter.
fn encoded(text: &str) -> String {
    let bytes: Vec<_> = text.bytes().map(|it| format!("%{it:02X}")).collect();
    bytes.concat()
}

/// Returns two URLs of a server, one for each way in which a client reads: directly from this machine, and, with an
/// address that is not recognised as this machine's, through the HTTP library. (Connections to the unspecified address
/// reach this machine.)
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
    /// Starts sse-starlette under uvicorn, with `ping` seconds between pings. Returns `None` if it is not installed.
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

    /// Starts better-sse without pings. Returns `None` if it is not installed.
    pub(crate) async fn better_sse() -> Option<Self> {
        Self::node("better-sse.cjs").await
    }

    /// Starts express with its compression. Returns `None` if it is not installed.
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

    /// Waits until the next stream is opened; returns the peer's description of it.
    pub(crate) async fn opened(&mut self) -> String {
        let line = self.process.line().await;
        let words = line.trim_end_matches('\n').strip_prefix("opened ");
        words.unwrap_or_else(|| panic!("{line:?}")).to_owned()
    }

    /// Publishes an event on `/ticks`, to all who have opened it.
    pub(crate) async fn say(&self, id: &str, event: &str, data: &str) {
        let target = format!("/say?id={}&event={}", encoded(id), encoded(event));
        let answer = self.http.post(&target, &[], data).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// Kills it; returns the streams that were opened and not yet waited for.
    pub(crate) async fn kill(self) -> String {
        self.process.signal("KILL").await;
        self.process.end().await.stdout
    }
}

/// nginx with nchan, which keeps published events and continues after the ID that a client has seen. On `/quiet` it
/// pings with events without data, every two seconds.
pub(crate) struct Nchan {
    pub(crate) nginx: Nginx,
}

impl Nchan {
    /// Starts it. Returns `None` if it is not installed.
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

    /// Publishes an event on `/ticks` or `/quiet`; returns the ID that nchan gives it.
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
