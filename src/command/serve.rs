//! `codechat serve`: binds, prints its address, and serves until a signal.

mod access;
mod log;
mod store;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytesize::ByteSize;
use clap::{CommandFactory, FromArgMatches, Parser};
use tokio::net::TcpListener;

use self::access::AccessArgs;
use self::store::StoreArgs;
use crate::channels::Channels;
use crate::cli::exit::Exit;
use crate::cli::values::{self, default_address, duration, interval};
use crate::frames::FRAMES;
use crate::hub::{Hub, Limits, LogLimits};
use crate::server::{self, ServerOptions};
use crate::signals::Signals;
use crate::store::Store;
use crate::terminal::stderr;
use crate::token::Token;
use crate::wire::Route;

/// Run a server until a signal ends it
///
/// It keeps each client's newest messages in memory, writes nothing to disk, and prints on stderr where
/// it listens. SIGINT, SIGTERM or SIGHUP ends it: every stream gets a last message, and the program ends within
/// --grace with exit code 0. A second signal ends it at once.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Where to listen; repeatable
    ///
    /// A port alone means 127.0.0.1, and port 0 picks a free one. Addresses beyond loopback require a token, or
    /// --no-auth.
    #[arg(
        long, value_name = "ADDR:PORT", env = "CODECHAT_LISTEN", value_delimiter = ',',
        default_values_t = [default_address()], value_parser = parse_address
    )]
    listen: Vec<SocketAddr>,

    /// How long clients may take at shutdown to read the end of their streams before they are cut
    #[arg(long, value_name = "DUR", env = "CODECHAT_GRACE", default_value = "5s", value_parser = duration, hide_short_help = true)]
    grace: Duration,

    #[arg(
        long, value_name = "LEVEL", env = "CODECHAT_LOG", value_parser = log::parse_filter,
        help = "What to log: off, a level, or a filter [default: RUST_LOG, or info]",
        long_help = "What to log: off, error, warn, info, debug, trace, or a filter such as codechat=debug \
                [default: what RUST_LOG says, or info]"
    )]
    log: Option<String>,

    /// How to write the log
    #[arg(
        long,
        value_name = "FORMAT",
        env = "CODECHAT_LOG_FORMAT",
        default_value = "text",
        hide_short_help = true
    )]
    log_format: log::Format,

    #[command(flatten)]
    store: StoreArgs,

    // Last, since their help headings would apply to all flags that follow.
    #[command(flatten)]
    settings: Settings,
}

/// The settings of a server, whether it has a command line or only an environment.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    limits: LimitArgs,
}

const EXAMPLES: &str = "\
Examples:
  codechat serve
  codechat serve --listen 127.0.0.1:0 --log debug
  codechat serve --listen 127.0.0.1:2428 --listen '[::1]:2428' --idle-timeout 1h

Durations are a number and a unit, as in 500ms, 2s, 15m. Sizes are as in 64KiB, 1MiB, 1GiB.";

/// The limits of a server.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// End a client that has not been used for this time
    ///
    /// Opening a stream and delivering a message count as use.
    #[arg(long, value_name = "DUR", env = "CODECHAT_IDLE_TIMEOUT", default_value = "15m", value_parser = interval)]
    idle_timeout: Duration,

    /// Send a comment on a stream that was quiet for this time
    ///
    /// It shows both ends that the connection is alive.
    #[arg(long, value_name = "DUR", env = "CODECHAT_HEARTBEAT", default_value = "15s", value_parser = interval)]
    heartbeat: Duration,

    /// Close a subscriber that takes no bytes for this time
    ///
    /// The time counts only while bytes are waiting for it.
    #[arg(long, value_name = "DUR", env = "CODECHAT_STALL_TIMEOUT", default_value = "5s", value_parser = interval)]
    stall_timeout: Duration,

    /// Time limit for the head of a request, and for a connection without a request
    #[arg(long, value_name = "DUR", env = "CODECHAT_HEADER_TIMEOUT", default_value = "10s", value_parser = interval, hide_short_help = true)]
    header_timeout: Duration,

    /// Time limit for the body of a request that is not a stream
    #[arg(long, value_name = "DUR", env = "CODECHAT_BODY_TIMEOUT", default_value = "30s", value_parser = interval, hide_short_help = true)]
    body_timeout: Duration,

    /// How many of a client's newest messages to keep
    #[arg(long, value_name = "N", env = "CODECHAT_LOG_MESSAGES", default_value = "1024", value_parser = parse_count)]
    log_messages: usize,

    /// How many bytes of a client's messages to keep
    #[arg(
        long,
        value_name = "SIZE",
        env = "CODECHAT_LOG_BYTES",
        default_value = "1MiB",
        value_parser = parse_size
    )]
    log_bytes: ByteSize,

    /// Longest text of one message, in UTF-8
    #[arg(
        long,
        value_name = "SIZE",
        env = "CODECHAT_MAX_MESSAGE",
        default_value = "64KiB",
        value_parser = parse_size
    )]
    max_message: ByteSize,

    /// How many clients there may be
    #[arg(long, value_name = "N", env = "CODECHAT_MAX_CLIENTS", default_value = "100000", value_parser = parse_count)]
    max_clients: usize,

    /// How many subscribers one client may have
    #[arg(long, value_name = "N", env = "CODECHAT_MAX_SUBSCRIBERS", default_value = "64", value_parser = parse_count)]
    max_subscribers: usize,

    /// Memory of all logs together
    #[arg(
        long,
        value_name = "SIZE",
        env = "CODECHAT_MAX_MEMORY",
        default_value = "1GiB",
        value_parser = parse_size
    )]
    max_memory: ByteSize,

    /// Leave every request and every stream to the HTTP library, for comparison with the shortcuts
    #[arg(long, env = "CODECHAT_PLAIN_STREAMS", hide = true)]
    plain_streams: bool,
}

impl Settings {
    /// Returns the settings from the environment, or the defaults: for a server without a command line.
    ///
    /// # Errors
    /// If a variable is malformed.
    pub fn from_environment() -> anyhow::Result<Self> {
        #[derive(Parser)]
        struct Environment {
            #[command(flatten)]
            settings: Settings,
        }
        let definition = Environment::command()
            .mut_args(values::boolish)
            .mut_args(values::with_set_env);
        let settings = definition
            .try_get_matches_from(["codechat"])
            .and_then(|matches| Environment::from_arg_matches(&matches))
            .map(|it| it.settings);
        settings.map_err(|error| {
            // The rest of clap's text has hints about a command line, which does not exist here.
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            anyhow!("in the environment: {}", line.trim_start_matches("error: "))
        })
    }

    /// Returns the limits of the hub.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let limits = &self.limits;
        let log = LogLimits {
            messages: limits.log_messages,
            bytes: bytes(limits.log_bytes),
        };
        Limits {
            log,
            clients: limits.max_clients,
            subscribers: limits.max_subscribers,
            memory: bytes(limits.max_memory),
            idle_timeout: limits.idle_timeout,
        }
    }

    /// Returns the options of the server.
    #[must_use]
    pub fn options(&self, grace: Duration, token: Option<Token>) -> ServerOptions {
        let limits = &self.limits;
        ServerOptions {
            heartbeat: limits.heartbeat,
            stall_timeout: limits.stall_timeout,
            header_timeout: limits.header_timeout,
            body_timeout: limits.body_timeout,
            grace,
            max_message: bytes(limits.max_message),
            plain_requests: limits.plain_streams,
            plain_streams: limits.plain_streams,
            access: self.access.access(token),
            tls: None,
            is_watchers: false,
        }
    }
}

/// Runs the server until a signal.
///
/// # Errors
/// If it cannot listen, or is not allowed to.
pub async fn run(args: Args) -> anyhow::Result<Exit> {
    let _log = log::start(args.log.as_deref(), args.log_format)?;
    // Each stream is an open file; the usual soft limit of 1,024 is far below what a server can serve.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let mut signals = Signals::new().context("receive signals")?;
    let token = args.settings.access.token(&args.listen)?;
    let tls = args.settings.access.tls()?;
    let limits = args.settings.limits();
    let channels = match args.store.options(args.settings.limits.stall_timeout)? {
        None => Channels::from(Hub::new(limits)),
        Some(options) => tokio::select! {
            connected = Store::connect(options, limits, FRAMES) => connected?.into(),
            _ = signals.recv() => return Ok(Exit::Done),
        },
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut listeners = Vec::new();
    for address in &args.listen {
        listeners.push(listen(*address).await?);
    }
    for listener in &listeners {
        let address = listener.local_addr().context("ask for the address")?;
        let token = args.settings.access.token_for_a_command();
        stderr::line(&invitation(scheme, address, token));
    }
    if let Some(listener) = listeners.first() {
        let address = near(listener.local_addr().context("ask for the address")?);
        let page = Route::Viewer.path();
        stderr::line(&format!("in a browser: {scheme}://{address}{page}"));
    }

    if tls.is_none()
        && let Some(address) = access::beyond_loopback(&args.listen)
    {
        tracing::warn!(%address, "connections from other machines are not encrypted; to fix this, use --tls-cert and --tls-key, or a TLS proxy");
    }
    let (second, begun) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
    let shutdown = async { begun.notified().await };
    let watch_signals = async {
        let signal = signals.recv().await;
        tracing::info!(?signal, "shutting down; a second signal ends at once");
        begun.notify_one();
        signals.recv().await;
        second.notify_one();
        std::future::pending::<()>().await;
    };
    let options = ServerOptions {
        tls,
        ..args.settings.options(args.grace, token)
    };
    let serving = server::serve(listeners, channels.clone(), options, shutdown);
    tokio::select! {
        () = serving => channels.leave().await,
        () = second.notified() => tracing::warn!("ending at once"),
        () = watch_signals => {}
    }
    Ok(Exit::Done)
}

/// Binds an address.
///
/// # Errors
/// If it is in use, or not this machine's; the text says what to do.
async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::AddrInUse => {
                "; is codechat running there already? Name another with --listen 127.0.0.1:PORT"
            }
            ErrorKind::AddrNotAvailable => "; it is not an address of this machine",
            ErrorKind::PermissionDenied => "; try a port above 1023",
            _ => "",
        };
        anyhow!("listen on {address}: {error}{hint}")
    })
}

/// Returns the address by which this machine itself reaches a server that listens there.
fn near(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

/// Returns the line that says where the server listens, and what to run next.
fn invitation(scheme: &str, address: SocketAddr, (before, after): (String, String)) -> String {
    let near = near(address);
    let server = if near == default_address() && scheme == "http" {
        String::new()
    } else {
        format!(" --server {scheme}://{near}")
    };
    format!(
        "listening on {scheme}://{address}; in another terminal, run: {before}codechat watch{server}{after}"
    )
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let port = lower.strip_prefix("localhost:");
    let port = port.or(lower.strip_prefix(':')).unwrap_or(&lower);
    // `parse` accepts a sign too.
    let address = if port.bytes().all(|it| it.is_ascii_digit()) {
        let port = port.parse().ok();
        port.map(|port| (Ipv4Addr::LOCALHOST, port).into())
    } else {
        text.parse().ok()
    };
    address.ok_or_else(|| {
        "an address is an IP address and a port, as in 127.0.0.1:2428 or [::1]:2428; a port alone means 127.0.0.1".into()
    })
}

fn parse_size(text: &str) -> Result<ByteSize, String> {
    match text.parse() {
        Ok(ByteSize(0)) => Err("must be above 0, as in 64KiB or 1MiB".into()),
        Ok(size) => Ok(size),
        Err(_) => Err("a size is a number and a unit, as in 64KiB or 1MiB".into()),
    }
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be 1 or more".into()),
        Ok(count) => Ok(count),
        Err(_) => Err("must be a whole number, 1 or more".into()),
    }
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}
