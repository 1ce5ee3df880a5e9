//! `codechat completions` and `codechat man`: generated from the command line's definition.

use std::io::{self, Write};

use clap_complete::Shell;

use crate::cli::exit::Exit;
use crate::terminal::streams;
use crate::watch::pane::keys;

/// Print the completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The shell to complete in
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  codechat completions bash > ~/.local/share/bash-completion/completions/codechat
  codechat completions zsh > ~/.zfunc/_codechat        # where ~/.zfunc is in $fpath
  codechat completions fish > ~/.config/fish/completions/codechat.fish";

/// Prints the completion script.
///
/// # Errors
/// If stdout cannot be written; a closed pipe is not an error.
pub fn run(args: &Args, program: clap::Command) -> anyhow::Result<Exit> {
    print(&script(args.shell, program))
}

/// Prints the manual page.
///
/// # Errors
/// If stdout cannot be written; a closed pipe is not an error.
pub fn man(program: clap::Command) -> anyhow::Result<Exit> {
    print(&manual(program)?)
}

/// Returns the completion script for a shell, as in `completions/`.
#[must_use]
pub fn script(shell: Shell, mut program: clap::Command) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, "codechat", &mut script);
    script
}

/// Returns the manual page: the program, then a section for each subcommand.
///
/// It is one page, so that it can be read without being installed: clap would refer to a page for each subcommand.
///
/// # Errors
/// None in practice: it is written to memory.
pub fn manual(mut program: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    program.build();
    let man = clap_mangen::Man::new(program.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    writeln!(page, ".SH SYNOPSIS")?;
    let verbs = || {
        let all = program.get_subcommands();
        all.filter(|verb| verb.get_name() != "help").cloned()
    };
    for mut verb in verbs() {
        let usage = verb.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        writeln!(page, ".br\n{}", roff(usage))?;
    }
    let begin = program.get_after_help().map(ToString::to_string);
    writeln!(
        page,
        ".SH DESCRIPTION\n{}",
        roff(&begin.unwrap_or_default())
    )?;
    for verb in verbs() {
        let has_keys = verb.get_name() == "watch";
        verb_sections(verb, &mut page)?;
        if has_keys {
            keys_section(&mut page)?;
        }
    }
    Ok(page)
}

/// Writes the pane's keys, from their table.
fn keys_section(page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(
        page,
        ".SS KEYS\nOn a terminal, messages are shown in a pane, which has these keys."
    )?;
    for line in keys::TABLE {
        let (label, does) = (roff(&line.label()), roff(line.does));
        writeln!(page, ".TP\n\\fB{label}\\fR\n{does}")?;
    }
    Ok(())
}

fn verb_sections(verb: clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    let name = verb.get_bin_name().unwrap_or_default().to_uppercase();
    let examples = verb.get_after_long_help().map(ToString::to_string);
    let man = clap_mangen::Man::new(verb);
    let mut body = Vec::new();
    man.render_description_section(&mut body)?;
    man.render_options_section(&mut body)?;
    writeln!(page, ".SH \"{name}\"")?;
    for line in String::from_utf8_lossy(&body).lines() {
        match line.strip_prefix(".SH ") {
            // The subcommand's heading serves as the description's.
            Some("DESCRIPTION") => {}
            Some(section) => writeln!(page, ".SS {section}")?,
            None => writeln!(page, "{line}")?,
        }
    }
    if let Some(examples) = examples {
        let examples = examples.trim_start_matches("Examples:\n");
        writeln!(page, ".SS EXAMPLES\n.nf\n{}\n.fi", roff(examples))?;
    }
    Ok(())
}

/// Escapes a text for roff.
fn roff(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('^', "\\(ha")
        .replace('\'', "\\(aq");
    let lines = escaped.lines().map(|line| {
        let is_request = line.starts_with(['.', '\'']);
        format!("{}{line}", if is_request { "\\&" } else { "" })
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn print(bytes: &[u8]) -> anyhow::Result<Exit> {
    let mut stdout = streams::stdout();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Exit::Done),
    }
}
