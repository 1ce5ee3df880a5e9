//! `codechat watch URL`: any event stream, requested with curl's flags.

mod body;
mod header;

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use reqwest::Method;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::task;

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

/// Upper bound of a file with headers, in bytes.
const HEADERS_MAX: u64 = 1 << 20;
/// Upper bound of a file with a body, in bytes.
const BODY_MAX: u64 = 64 << 20;

/// Flags that have no meaning if a URL names the stream.
pub(crate) const NOT_OF_A_URL: [&str; 10] = [
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

/// How to request the stream that a URL names, and how to read its events.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Request of a URL")]
pub(super) struct StreamArgs {
    /// A header of the request, as curl takes it
    ///
    /// 'NAME:' leaves it out, 'NAME;' sends it empty, @FILE reads one header per line, @- from stdin.
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    header: Vec<HeaderArg>,

    #[command(flatten)]
    body: BodyArgs,

    /// A user name and a password; secrets are safer in a file, given with -H @FILE
    #[arg(short, long, value_name = "USER:PASSWORD", value_parser = parse_user, hide_short_help = true)]
    user: Option<User>,

    /// The method [default: GET, or POST with data]; only a GET is sent again when the stream ends
    #[arg(short = 'X', long, value_name = "METHOD", value_parser = parse_method, hide_short_help = true)]
    request: Option<Method>,

    /// Trust the certificates in this PEM file, and no others
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    cacert: Option<PathBuf>,

    /// Do not verify the server's certificate
    #[arg(short = 'k', long, hide_short_help = true)]
    insecure: bool,

    /// Continue after the event with this ID
    #[arg(long, value_name = "ID", value_parser = parse_event_id, hide_short_help = true)]
    last_event_id: Option<String>,

    /// End with the response: exit code 0 if it ended properly, 1 if it was cut
    #[arg(long, hide_short_help = true)]
    once: bool,

    /// Show only events with this name; repeatable
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(super) event: Vec<String>,

    /// Where the text is in an event's JSON, as in /choices/0/delta/content; repeatable, the first that is there
    /// counts
    #[arg(long, value_name = "POINTER", hide_short_help = true)]
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

fn parse_event_id(text: &str) -> Result<String, &'static str> {
    if text.contains(char::is_control) {
        return Err("control characters cannot be sent in a header");
    }
    Ok(text.into())
}

fn parse_method(text: &str) -> Result<Method, String> {
    match text.parse::<Method>() {
        Ok(Method::HEAD | Method::CONNECT) => Err("its answer is not a stream".into()),
        Ok(method) => Ok(method),
        Err(_) => Err("a method is one word, such as POST".into()),
    }
}

impl StreamArgs {
    /// Returns whether the request may be repeated to resume the stream.
    fn is_repeated(&self) -> bool {
        match &self.request {
            Some(method) => method == Method::GET,
            None => self.body.is_empty(),
        }
    }

    /// Returns a given flag that has no meaning without a URL.
    pub(super) fn of_a_url(&self) -> Option<&'static str> {
        let given = [
            (!self.header.is_empty(), "--header"),
            (!self.body.is_empty(), "--data"),
            (self.user.is_some(), "--user"),
            (self.request.is_some(), "--request"),
            (self.cacert.is_some(), "--cacert"),
            (self.insecure, "--insecure"),
            (self.last_event_id.is_some(), "--last-event-id"),
            (self.once, "--once"),
        ];
        let given = given.into_iter().find(|(is_given, _)| *is_given);
        given.map(|(_, flag)| flag)
    }

    /// Returns whether stdin would be read twice.
    pub(super) fn reads_stdin_twice(&self) -> bool {
        let headers = self.header.iter().filter(|it| it.is_stdin()).count();
        headers + self.body.reads_of_stdin() > 1
    }

    /// Returns the request for the stream at `url`. Reads the files that the flags name.
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
            stderr::line("warning: the server's certificate is not verified (-k)");
        }
        let roots = match &self.cacert {
            Some(path) => {
                let shown = path.display();
                let pem = read_at_most(Box::new(open(path, "certificates")?), HEADERS_MAX)
                    .with_context(|| format!("read certificates from {shown}"))?;
                let certificates: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(&pem).collect();
                let certificates = certificates.unwrap_or_default();
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

/// A stream that a URL names, and its description.
pub(super) struct UrlSource {
    pub(super) url: StreamUrl,
    pub(super) method: Method,
    pub(super) is_unverified: bool,
    pub(super) stream: UrlStream,
}

impl UrlSource {
    /// Prepares the stream at `url`.
    pub(super) async fn new(url: StreamUrl, args: &Args) -> anyhow::Result<Self> {
        let flags = args.stream.clone();
        let is_unverified = flags.insecure;
        // Reading a pipe waits for its writer, during which signals must still be handled.
        let read = task::spawn_blocking(move || {
            let request = flags.request(url.clone())?;
            anyhow::Ok((url, request, flags.tls()?))
        });
        let (url, request, tls) = read.await??;
        Ok(Self {
            url,
            method: request.method().clone(),
            is_unverified,
            stream: UrlStream::new(request, &tls, args.heartbeat)?,
        })
    }

    /// Returns the options for reading it.
    pub(super) fn options(args: &Args) -> StreamOptions {
        StreamOptions {
            wait: args.wait,
            last_event_id: args.stream.last_event_id.clone(),
            once: args.stream.once,
            reconnect: Reconnect::default(),
        }
    }
}

/// Prints how to resume later, if the stream has not ended.
pub(super) fn print_resume_hint(args: &Args, model: &Model) {
    let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
    if let Some(id) = model.last_event_id()
        && args.stream.is_repeated()
        && is_terminal
        && !id.contains(char::is_control)
    {
        stderr::line_apart(&format!("continue with --last-event-id {}", quoted(id)));
    }
}

/// Opens a file that a flag names.
fn open(path: &std::path::Path, what: &str) -> anyhow::Result<File> {
    File::open(path).map_err(|error| {
        let (path, reason) = (path.display(), file_error::reason(&error));
        anyhow!("read {what} from {path}: {reason}")
    })
}

/// Reads all of a source; fails if it is longer than `most` bytes.
fn read_at_most(source: Box<dyn Read>, most: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        bail!("it is over the limit of {} MiB", most >> 20);
    }
    Ok(bytes)
}
