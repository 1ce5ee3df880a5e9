//! The program: parse, run, print the error chain, exit with a code.

use std::process::ExitCode;

use codechat::internal::cli::{self, Exit};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(told) => {
            cli::tell(&told);
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
