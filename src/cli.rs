//! The command line: the subcommands, what they share, and the exit codes.

pub(crate) mod args;
pub(crate) mod exit;
mod parse;
pub(crate) mod shell;
pub(crate) mod values;

use std::io::{self, Write};

use anyhow::Context;
use clap::{Arg, Command as Definition, CommandFactory, Parser, Subcommand};
use tokio::runtime;

use self::values::boolish;
use crate::command::{completions, send, serve, watch};
use crate::terminal::safe_text::Colour;
use crate::terminal::stderr::colour;
use crate::terminal::streams;

pub use exit::Exit;
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
    Watch(Box<watch::Args>),
    Send(send::Args),
    Serve(serve::Args),
    Completions(completions::Args),
    /// Print the manual page; to view it: codechat man | man -l -
    Man,
}

/// The first steps, for help and the manual page.
const BEGIN: &str = "\
To begin, run `codechat watch`; it prints a client ID, and starts a server if none runs.
Then, in another terminal: codechat send --id ID 'hello'";

/// Returns the definition of the command line, from which help, completions and the manual page are made.
///
/// Help names the environment variables but not their values, so that it is the same everywhere.
#[must_use]
pub fn definition() -> Definition {
    each_argument(Cli::command(), |arg| boolish(arg.hide_env_values(true)))
}

/// Shortens the help for `-h`: one line per flag.
fn brief(definition: Definition) -> Definition {
    each_argument(definition, |arg| {
        let takes_values = arg.get_action().takes_values();
        arg.hide_env(true).hide_possible_values(takes_values)
    })
}

fn each_argument(definition: Definition, change: impl Fn(Arg) -> Arg + Copy) -> Definition {
    definition
        .mut_args(change)
        .mut_subcommands(|verb| verb.mut_args(change))
}

/// Prints help or an error about the command line. Ignores a closed pipe.
pub fn tell(message: &clap::Error) {
    let (mut stdout, mut stderr) = (streams::stdout(), streams::stderr());
    let (stream, colour): (&mut dyn Write, _) = if message.use_stderr() {
        (&mut stderr, colour(&io::stderr()))
    } else {
        (&mut stdout, colour(&io::stdout()))
    };
    let text = message.render();
    let text = match colour {
        Colour::Keep => text.ansi().to_string(),
        Colour::Strip => text.to_string(),
    };
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.flush();
}

/// Runs a subcommand.
///
/// # Errors
/// Any error that ended it; the text says what to do.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Watch(args) => block_on(one_thread(), watch::run(*args)),
        Command::Send(args) => block_on(one_thread(), send::run(args)),
        Command::Serve(args) => block_on(runtime::Builder::new_multi_thread(), serve::run(args)),
        Command::Completions(args) => completions::run(&args, definition()),
        Command::Man => completions::man(definition()),
    }
}

/// Returns a runtime with one thread: a watcher and a publisher do one thing after the other, and passing work between
/// threads would only cost time.
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
    // A pending read of stdin must not keep the program from ending.
    runtime.shutdown_background();
    result
}
