//! Reading the command line together with the environment.
//!
//! A flag wins: a variable that does not go with what is on the command line is as good as absent, since
//! it may stand there for other runs. What is wrong in a variable is told with the variable's name.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, FromArgMatches, Id};

use super::shell::quoted;
use super::values::{is_set, with_set_env};
use super::{Cli, definition, each_argument};
use crate::command::send;

/// Reads the command line. An environment variable that is set but empty counts as absent.
///
/// # Errors
/// What is wrong with the command line or a variable; also where help is asked for.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut words: Vec<_> = words.into_iter().collect();
    mark_messages(&mut words);
    if lacks_its_command(&words) {
        return Err(no_command(&words));
    }
    let mut overruled = Vec::new();
    loop {
        let error = match read(&words, &overruled) {
            Ok(cli) => return Ok(cli),
            Err(error) => error,
        };
        match variable_at_fault(&words, &error, &overruled) {
            Some((argument, _)) if error.kind() == ErrorKind::ArgumentConflict => {
                overruled.push(argument);
            }
            Some((_, variable)) => return Err(naming(&variable, without_secret(error))),
            None => return Err(with_right_tip(&words, without_secret(error))),
        }
    }
}

/// Where the verb stands among the words.
const VERB: usize = 1;

/// Lets the messages of `send` begin with a dash.
fn mark_messages(words: &mut Vec<OsString>) {
    let definition = definition();
    let verb = words.get(VERB).filter(|it| *it == "send");
    if let Some(send) = verb.and_then(|it| definition.find_subcommand(it)) {
        send::words::mark(words, VERB + 1, send);
    }
}

/// The same error with advice that works here, in place of writing `--` before an unknown flag: a command
/// follows that.
fn with_right_tip(words: &[OsString], mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let unknown = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    let unknown = unknown.unwrap_or_default();
    let verb = words.get(VERB).and_then(|it| it.to_str());
    let tip = match verb {
        Some("send") => {
            let text = quoted(&unknown);
            Some(format!(
                "to publish it as a message: codechat send -m {text}"
            ))
        }
        Some("watch") if !unknown.starts_with('-') => {
            let program = quoted(&unknown);
            Some(format!("to run a command: codechat watch -- {program} …"))
        }
        _ => None,
    };
    let tips = tip.map_or(ContextValue::None, |it| {
        ContextValue::StyledStrs(vec![it.into()])
    });
    error.insert(ContextKind::Suggested, tips);
    error
}

/// Reads them without the variables of the arguments that are overruled.
fn read(words: &[OsString], overruled: &[Id]) -> Result<Cli, clap::Error> {
    let mut definition = each_argument(definition(), |arg| {
        if overruled.contains(arg.get_id()) {
            arg.env(None)
        } else {
            with_set_env(arg)
        }
    });
    let matches = definition.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut definition))
}

/// Whether a command is announced and none comes: a variable in a script was empty, for example.
fn lacks_its_command(words: &[OsString]) -> bool {
    let announced = words.iter().position(|it| it == "--");
    announced.is_some_and(|at| at + 1 == words.len())
}

fn no_command(words: &[OsString]) -> clap::Error {
    let mut definition = definition();
    definition.build();
    let verb = words
        .get(1)
        .and_then(|it| definition.find_subcommand_mut(it));
    let whose = match verb {
        Some(verb) => verb,
        None => &mut definition,
    };
    let text = "no command follows --; write one there, or leave -- out";
    whose.error(ErrorKind::TooFewValues, text)
}

/// The argument that an error is about and that a variable has set, and that variable: without it, the
/// error is not the same.
fn variable_at_fault(
    words: &[OsString],
    error: &clap::Error,
    overruled: &[Id],
) -> Option<(Id, String)> {
    let about = arguments(error);
    let mut definition = each_argument(definition(), with_set_env);
    definition.build();
    let mut known = definition
        .get_subcommands()
        .flat_map(Command::get_arguments);
    known.find_map(|arg: &Arg| {
        let variable = arg.get_env().filter(|_| about.contains(&arg.to_string()))?;
        let without = [overruled, &[arg.get_id().clone()]].concat();
        let is_same =
            |other: clap::Error| (other.kind(), arguments(&other)) == (error.kind(), about.clone());
        let at_fault = !overruled.contains(arg.get_id())
            && is_set(variable)
            && !read(words, &without).is_err_and(is_same);
        at_fault.then(|| (arg.get_id().clone(), variable.to_string_lossy().into()))
    })
}

/// The arguments that an error is about, as it writes them.
fn arguments(error: &clap::Error) -> Vec<String> {
    let kinds = [ContextKind::InvalidArg, ContextKind::PriorArg];
    let named = kinds.into_iter().filter_map(|kind| error.get(kind));
    let named = named.flat_map(|it| match it {
        ContextValue::String(one) => vec![one.clone()],
        ContextValue::Strings(several) => several.clone(),
        _ => Vec::new(),
    });
    named.collect()
}

/// The same error, about a variable.
fn naming(variable: &str, mut error: clap::Error) -> clap::Error {
    error.insert(
        ContextKind::InvalidArg,
        ContextValue::String(variable.into()),
    );
    error
}

/// Takes a server's address out of an error: what is wrong with it may be that a password or a token is
/// in it.
fn without_secret(mut error: clap::Error) -> clap::Error {
    let argument = error.get(ContextKind::InvalidArg);
    if argument.is_some_and(|it| it.to_string().starts_with("--server")) {
        let hidden = ContextValue::String("…".into());
        error.insert(ContextKind::InvalidValue, hidden);
    }
    error
}
