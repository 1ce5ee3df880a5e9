//! `codechat send --if-watched` without a client: everything works as it would without codechat.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;

use anyhow::Context;

use super::Args;
use super::queue::READ_BYTES;
use crate::cli::exit::Exit;
use crate::client::publish::PublishError;
use crate::process::{self, StartError};
use crate::terminal::{stderr, streams};

/// Returns whether an error says that the client does not exist.
pub(super) fn is_nobody_there(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<PublishError>()
        .is_some_and(PublishError::is_nobody_there)
}

/// Does the rest without a client: copies stdin, or runs the command.
pub(super) fn finish(args: &Args) -> anyhow::Result<Exit> {
    if args.has_message() {
        Ok(Exit::Done)
    } else if args.command.is_empty() {
        read_stdin(args.tee)
    } else {
        Ok(run(&args.command))
    }
}

/// Reads stdin to its end, so that its writer is not ended by a broken pipe, and copies it if wanted.
fn read_stdin(tee: bool) -> anyhow::Result<Exit> {
    if io::stdin().is_terminal() {
        return Ok(Exit::Done);
    }
    let (mut stdin, mut stdout) = (streams::stdin(), streams::stdout());
    let mut buffer = vec![0; READ_BYTES];
    let mut copies = tee;
    loop {
        let read = stdin.read(&mut buffer).context("read stdin")?;
        if read == 0 {
            return Ok(Exit::Done);
        }
        if copies {
            let written = stdout.write_all(&buffer[..read]);
            copies = written.and_then(|()| stdout.flush()).is_ok();
        }
    }
}

/// Replaces this process by the command. Returns only if that cannot be run.
pub(super) fn run(words: &[OsString]) -> Exit {
    let mut command = process::command(words).expect("a command has at least a name");
    let command = command.as_std_mut();
    let error = command.exec();
    let error = StartError::new(command.get_program(), error);
    stderr::line(&error.to_string());
    Exit::Child(error.exit_code())
}
