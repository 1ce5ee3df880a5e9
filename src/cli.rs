//! The command line: the verbs, what they share, and the exit codes.

mod parse;

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, Command as Definition, CommandFactory, Parser, Subcommand};
use tokio::runtime;

use crate::{
    client::{Client, ClientOptions, ServerUrl},
    command::{completions, send, serve, watch},
    signals::Signal,
    terminal::stderr,
    token::Token,
};

pub use parse::parse;

/// See what your long-running request is doing, live, in your terminal
#[derive(Debug, Parser)]
#[command(
    name = "codechat",
    version,
    max_term_width = 100,
    after_help = BEGIN
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Watch(watch::Args),
    Send(send::Args),
    Serve(serve::Args),
    Completions(completions::Args),
    /// Print the manual page; to view it: codechat man | man -l -
    Man,
}

/// How to begin, for help and the manual page.
pub(crate) const BEGIN: &str = "\
To begin, run `codechat watch`; it tells a client ID, and starts a server where none runs.
Then, in another terminal: codechat send --id ID 'hello'";

/// The definition of the command line: what help, completions and the manual page are made from.
///
/// Help names the environment variables but not what they hold, so that it reads the same everywhere.
#[must_use]
pub fn definition() -> Definition {
    each_argument(Cli::command(), |arg| boolish(arg.hide_env_values(true)))
}

/// In the environment, 1 and 0 are as good as true and false.
pub(crate) fn boolish(arg: Arg) -> Arg {
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        arg.value_parser(boolean)
    } else {
        arg
    }
}

fn boolean(text: &str) -> Result<bool, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("must be 1 or 0, true or false, yes or no, on or off"),
    }
}

/// Takes the environment variable from an argument where it is empty.
pub(crate) fn without_empty_env(arg: Arg) -> Arg {
    let is_empty = arg
        .get_env()
        .and_then(std::env::var_os)
        .is_some_and(|value| value.is_empty());
    if is_empty { arg.env(None) } else { arg }
}

fn each_argument(definition: Definition, change: impl Fn(Arg) -> Arg + Copy) -> Definition {
    definition
        .mut_args(change)
        .mut_subcommands(|verb| verb.mut_args(change))
}

/// A length of time, for clap.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_hours(24 * 365);
    match humantime::parse_duration(text) {
        Ok(duration) if duration > LONGEST => Err("must be a year at the most".into()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("a duration is a number and a unit, as in 500ms, 2s or 15m".into()),
    }
}

/// A length of time above 0, for clap: as an interval or a patience, 0 would mean never or always.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be above 0, as in 500ms, 2s or 15m".into()),
        duration => Ok(duration),
    }
}

/// Which server to speak with.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerArgs {
    #[arg(
        long,
        value_name = "URL",
        env = "CODECHAT_SERVER",
        help = "The server's address [default: http://127.0.0.1:2428]"
    )]
    server: Option<ServerUrl>,

    #[command(flatten)]
    token: TokenArgs,
}

impl ServerArgs {
    /// Whether the user named one.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.server.is_some()
    }

    /// The token that was given, if any.
    ///
    /// # Errors
    /// Those of [`TokenArgs::read`].
    pub fn token(&self) -> anyhow::Result<Option<Token>> {
        self.token.read()
    }

    /// A client of that server, or of the default one.
    ///
    /// # Errors
    /// Where the HTTP library does not start.
    pub fn client(&self, options: ClientOptions) -> anyhow::Result<Client> {
        let server = match &self.server {
            Some(server) => server.clone(),
            None => format!("http://{}", serve::DEFAULT_LISTEN).parse()?,
        };
        Ok(Client::new(server, options)?)
    }
}

/// The token, which is never on the command line: every user of the machine can read that.
#[derive(Clone, Debug, clap::Args)]
pub struct TokenArgs {
    #[arg(
        long,
        value_name = "PATH",
        env = "CODECHAT_TOKEN_FILE",
        help = "A file with the server's token [default: the token in the variable CODECHAT_TOKEN, if any]"
    )]
    token_file: Option<PathBuf>,
}

impl TokenArgs {
    /// The token that was given, if any. Says so where everybody can read its file.
    ///
    /// # Errors
    /// Where the file cannot be read, or what was given is no token.
    pub fn read(&self) -> anyhow::Result<Option<Token>> {
        const VARIABLE: &str = "CODECHAT_TOKEN";
        const TOKEN_BYTES: u64 = 4096;
        let (token, place) = if let Some(path) = &self.token_file {
            let place = path.display().to_string();
            let mut bytes = Vec::new();
            File::open(path)
                .and_then(|file| file.take(TOKEN_BYTES + 1).read_to_end(&mut bytes))
                .with_context(|| format!("read the token from {place}"))?;
            if bytes.len() as u64 > TOKEN_BYTES {
                bail!(
                    "the token in {place} is over the limit of {TOKEN_BYTES} bytes; is that the right file?"
                );
            }
            warn_where_exposed(path);
            // Not UTF-8 is not ASCII either, which is told below.
            (Token::new(String::from_utf8_lossy(&bytes)), place)
        } else if let Some(value) = std::env::var_os(VARIABLE).filter(|it| !it.is_empty()) {
            (Token::new(value.to_string_lossy()), VARIABLE.to_owned())
        } else {
            return Ok(None);
        };
        if token.is_empty() {
            bail!("the token in {place} is empty; write one there, as in: openssl rand -hex 32");
        }
        if !token.is_sendable() {
            bail!("the token in {place} must be one word of visible ASCII characters");
        }
        Ok(Some(token))
    }
}

/// A secret in a file that others can read is none.
#[cfg(unix)]
fn warn_where_exposed(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS_READ_OR_WRITE: u32 = 0o006;
    let exposed = fs::metadata(path)
        .is_ok_and(|it| it.is_file() && it.permissions().mode() & OTHERS_READ_OR_WRITE != 0);
    if exposed {
        let path = path.display();
        stderr::line(&format!(
            "warning: every user of this machine can read or change the token in {path}; to mend it: chmod 600 {path}"
        ));
    }
}

#[cfg(not(unix))]
fn warn_where_exposed(_: &Path) {}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As it should.
    Done,
    /// An error, told on stderr.
    Error,
    /// The command line was wrong.
    Usage,
    /// The operation failed or was cancelled, or `--fail-on` matched.
    Failed,
    /// `--timeout` ran out.
    TimedOut,
    /// By SIGINT.
    Interrupted,
    /// By SIGTERM, or because the terminal is gone.
    Terminated,
    /// As the command that was run ended: see [`crate::process::exit_code`].
    Child(u8),
}

impl From<Signal> for Exit {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate | Signal::Hangup => Self::Terminated,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Error => 1,
            Exit::Usage => 2,
            Exit::Failed => 3,
            Exit::TimedOut => 4,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
            Exit::Child(code) => code,
        })
    }
}

/// Runs the verb that was asked for.
///
/// # Errors
/// Whatever kept it from doing its work; the text says what to do.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Watch(args) => block_on(one_thread(), watch::run(args)),
        Command::Send(args) => block_on(one_thread(), send::run(args)),
        Command::Serve(args) => block_on(runtime::Builder::new_multi_thread(), serve::run(args)),
        Command::Completions(args) => completions::run(&args),
        Command::Man => completions::man(),
    }
}

/// A watcher and a publisher do one thing after the other; handing it from thread to thread would
/// only cost them.
fn one_thread() -> runtime::Builder {
    runtime::Builder::new_current_thread()
}

fn block_on<T>(
    mut runtime: runtime::Builder,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let runtime = runtime
        .enable_all()
        .build()
        .context("start the asynchronous runtime")?;
    let result = runtime.block_on(work);
    // A read of stdin that is still waiting must not keep the program from ending.
    runtime.shutdown_background();
    result
}
