//! The command line: the verbs, what they share, and the exit codes.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::{
    client::{Client, Options, ServerUrl},
    command::{completions, send, serve, watch},
};

/// See what your long-running request is doing, live, in your terminal
#[derive(Debug, Parser)]
#[command(name = "codechat", version, max_term_width = 100)]
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
    /// Print the manual page (view it with: codechat man | man -l -)
    Man,
}

/// Which server to speak with.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerArgs {
    #[arg(
        long,
        value_name = "URL",
        env = "CODECHAT_SERVER",
        help = "The server to speak with [default: http://127.0.0.1:2428]"
    )]
    server: Option<ServerUrl>,
}

impl ServerArgs {
    /// Whether the user named one.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.server.is_some()
    }

    /// A client of that server, or of the default one.
    ///
    /// # Errors
    /// Where the HTTP library does not start.
    pub fn client(&self) -> anyhow::Result<Client> {
        let server = match &self.server {
            Some(server) => server.clone(),
            None => format!("http://{}", serve::DEFAULT_LISTEN).parse()?,
        };
        Ok(Client::new(server, Options::default())?)
    }
}

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
        })
    }
}

/// Runs the verb that was asked for.
///
/// # Errors
/// Whatever kept it from doing its work; the text says what to do.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Watch(args) => block_on(watch::run(args)),
        Command::Send(args) => block_on(send::run(args)),
        Command::Serve(args) => block_on(serve::run(args)),
        Command::Completions(args) => completions::run(&args),
        Command::Man => completions::man(),
    }
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Runtime::new().context("start the asynchronous runtime")?;
    let result = runtime.block_on(work);
    // A read of stdin that is still waiting must not keep the program from ending.
    runtime.shutdown_background();
    result
}
