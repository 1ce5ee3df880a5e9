//! The program: parse, run, print the error chain, exit with a code.

use std::process::ExitCode;

use codechat::internal::cli::{self, Exit};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
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
    match cli::run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            codechat::internal::terminal::stderr::line(&format!("{error:#}"));
            Exit::Error.into()
        }
    }
}
