//! The program: parse, run, print the error chain, exit with a code.

use std::process::ExitCode;

use clap::Parser;
use codechat::cli::{Cli, Exit};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Help on a closed pipe is nobody's error.
            let _ = told.print();
            return if told.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            }
            .into();
        }
    };
    match codechat::cli::run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("codechat: {error:#}");
            Exit::Error.into()
        }
    }
}
