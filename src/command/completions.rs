//! `codechat completions` and `codechat man`: what is generated from the command line's definition.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, Exit};

/// Print the completion script for a shell
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell to complete in
    shell: Shell,
}

/// Prints the completion script.
///
/// # Errors
/// Where stdout cannot be written; a closed pipe is none.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    print(&script(args.shell))
}

/// Prints the manual page.
///
/// # Errors
/// Where stdout cannot be written; a closed pipe is none.
pub fn man() -> anyhow::Result<Exit> {
    print(&manual()?)
}

/// The completion script for a shell, as it stands in `completions/`.
#[must_use]
pub fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "codechat", &mut script);
    script
}

/// The manual page: the program's own, then a section for each verb.
fn manual() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let mut program = Cli::command();
    program.build();
    clap_mangen::Man::new(program.clone()).render(&mut page)?;
    for verb in program
        .get_subcommands()
        .filter(|it| it.get_name() != "help")
    {
        let man = clap_mangen::Man::new(verb.clone());
        writeln!(
            page,
            ".SH \"{}\"",
            verb.get_bin_name().unwrap_or_default().to_uppercase()
        )?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
    }
    Ok(page)
}

fn print(bytes: &[u8]) -> anyhow::Result<Exit> {
    match io::stdout().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Exit::Done),
    }
}
