//! `codechat watch URL`: any event stream, asked for with curl's flags.

mod body;
mod header;

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use reqwest::{Certificate, Method};

pub(crate) use body::no_such_flag;

use super::Args;
use crate::cli::shell::quoted;
use crate::client::subscribe::{Reconnect, StreamOptions};
use crate::client::{StreamRequest, StreamUrl, TlsOptions, UrlStream};
use crate::file_error;
use crate::terminal::stderr;
use crate::watch::foreign::Pointer;
use crate::watch::model::Model;

use body::BodyArgs;
use header::HeaderArg;

/// The most bytes that are read of a file with headers, and with a body.
const HEADERS_MAX: u64 = 1 << 20;
const BODY_MAX: u64 = 64 << 20;

/// What means nothing where a URL names the stream.
pub(super) const NOT_OF_A_URL: [&str; 10] = [
    "id",
    "server",
    "token_file",
    "tail",
    "print_id",
    "id_file",
    "stay",
    "cancel",
    "ask_level",
    "replay",
];

/// How to ask for the stream that a URL names, and what to read of its events.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Event streams of other servers")]
pub(super) struct StreamArgs {
    /// A header for the request; 'NAME:' leaves one out, 'NAME;' sends it empty, @FILE has one a line (@- stdin)
    #[arg(short = 'H', long, value_name = "NAME: VALUE", requires = "url")]
    header: Vec<HeaderArg>,

    #[command(flatten)]
    body: BodyArgs,

    /// A user name and a password; secrets are safer in a file, given with -H @FILE
    #[arg(short, long, value_name = "USER:PASSWORD", requires = "url", value_parser = parse_user)]
    user: Option<User>,

    /// The method [default: GET, or POST with data]; only a GET is sent again when the stream ends
    #[arg(short = 'X', long, value_name = "METHOD", requires = "url", value_parser = parse_method)]
    request: Option<Method>,

    /// Trust the certificates in this PEM file, and no others
    #[arg(long, value_name = "FILE", requires = "url")]
    cacert: Option<PathBuf>,

    /// Do not verify who the server is
    #[arg(short = 'k', long, requires = "url")]
    insecure: bool,

    /// Go on after the event with this ID
    #[arg(long, value_name = "ID", requires = "url")]
    last_event_id: Option<String>,

    /// End with the response: exit code 0 if it ended properly, 1 if it was cut
    #[arg(long, requires = "url")]
    once: bool,

    /// Show only events with this name; repeatable
    #[arg(long, value_name = "NAME")]
    pub(super) event: Vec<String>,

    /// Where the text stands in an event's JSON, as in /choices/0/delta/content; repeatable, the first that is there
    /// counts
    #[arg(long, value_name = "POINTER")]
    pub(super) message_at: Vec<Pointer>,
}

/// A user name and a password.
#[derive(Clone)]
struct User {
    name: String,
    password: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("User")
    }
}

fn parse_user(text: &str) -> Result<User, String> {
    match text.split_once(':') {
        Some((name, password)) => Ok(User {
            name: name.into(),
            password: password.into(),
        }),
        None => Err(
            "write USER:PASSWORD, or keep the password out of process lists: -H @FILE, where FILE has the line \
             'Authorization: Basic …'"
                .into(),
        ),
    }
}

fn parse_method(text: &str) -> Result<Method, String> {
    match text.parse::<Method>() {
        Ok(Method::HEAD | Method::CONNECT) => Err("it is answered without a stream".into()),
        Ok(method) => Ok(method),
        Err(_) => Err("a method is one word, such as POST".into()),
    }
}

impl StreamArgs {
    /// Whether stdin would be read twice.
    pub(super) fn reads_stdin_twice(&self) -> bool {
        let headers = self.header.iter().filter(|it| it.is_stdin()).count();
        headers + self.body.reads_of_stdin() > 1
    }

    /// What asks for the stream at `url`. Reads the files that the flags name.
    fn request(&self, url: StreamUrl) -> anyhow::Result<StreamRequest> {
        let body = self.body.read()?;
        let method = match (&self.request, &body) {
            (Some(method), _) => method.clone(),
            (None, Some(_)) => Method::POST,
            (None, None) => Method::GET,
        };
        let mut request = StreamRequest::new(method, url);
        if let Some((body, kind)) = body {
            request.set_body(body, kind);
        }
        if let Some(User { name, password }) = &self.user {
            request.set_basic(name.as_bytes(), password.as_bytes());
        }
        let headers = self.header.iter().map(HeaderArg::read);
        let headers: Vec<_> = headers.collect::<anyhow::Result<_>>()?;
        request.set_headers(headers.concat());
        Ok(request)
    }

    fn tls(&self) -> anyhow::Result<TlsOptions> {
        if self.insecure {
            stderr::line("warning: who the server is, is not verified (-k)");
        }
        let roots = match &self.cacert {
            Some(path) => {
                let shown = path.display();
                let pem = read_at_most(Box::new(open(path, "certificates")?), HEADERS_MAX)
                    .with_context(|| format!("read certificates from {shown}"))?;
                let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
                if certificates.is_empty() {
                    bail!("no certificate in {shown}");
                }
                Some(certificates)
            }
            None => None,
        };
        Ok(TlsOptions {
            roots,
            is_unverified: self.insecure,
        })
    }
}

/// A stream that a URL names, and what is told of it.
pub(super) struct UrlSource {
    pub(super) url: StreamUrl,
    pub(super) method: Method,
    pub(super) is_unverified: bool,
    pub(super) stream: UrlStream,
}

impl UrlSource {
    /// The stream at `url`.
    pub(super) fn new(url: StreamUrl, args: &Args) -> anyhow::Result<Self> {
        let request = args.stream.request(url.clone())?;
        Ok(Self {
            url,
            method: request.method().clone(),
            is_unverified: args.stream.insecure,
            stream: UrlStream::new(request, args.stream.tls()?, args.heartbeat)?,
        })
    }

    /// How it is read.
    pub(super) fn options(args: &Args) -> StreamOptions {
        StreamOptions {
            wait: args.wait,
            last_event_id: args.stream.last_event_id.clone(),
            once: args.stream.once,
            reconnect: Reconnect::default(),
        }
    }
}

/// Says how to go on later, to somebody who leaves before the stream has ended.
pub(super) fn tell_how_to_go_on(args: &Args, model: &Model) {
    let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
    if let Some(id) = model.last_event_id()
        && args.url.is_some()
        && is_terminal
    {
        stderr::line_apart(&format!("go on with --last-event-id {}", quoted(id)));
    }
}

/// Opens a file that a flag names.
fn open(path: &std::path::Path, what: &str) -> anyhow::Result<File> {
    File::open(path).map_err(|error| {
        let (path, reason) = (path.display(), file_error::reason(&error));
        anyhow!("read {what} from {path}: {reason}")
    })
}

/// Reads all of a source that has at most so many bytes.
fn read_at_most(source: Box<dyn Read>, most: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        bail!("it is over the limit of {} MiB", most >> 20);
    }
    Ok(bytes)
}
