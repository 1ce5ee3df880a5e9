//! Parsing the command line together with the environment.
//!
//! A flag wins over a variable: a variable that conflicts with the command line is ignored, since it may be set for
//! other runs. Errors in a variable name the variable.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, FromArgMatches, Id};

use super::shell::quoted;
use super::values::{is_set, with_set_env};
use super::{Cli, brief, definition, each_argument};
use crate::command::{send, watch};

/// Parses the command line. An environment variable that is set but empty is ignored.
///
/// # Errors
/// What is wrong with the command line or a variable; also if help is asked for.
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
            Some((argument, _))
                if error.kind() == ErrorKind::ArgumentConflict
                    || is_ruled_out(&words, &argument) =>
            {
                overruled.push(argument);
            }
            Some((_, variable)) => return Err(naming(&variable, without_secret(error))),
            None => {
                let error = of_url(&error).unwrap_or_else(|| with_right_tip(&words, error));
                return Err(without_secret(error));
            }
        }
    }
}

/// Position of the subcommand among the words.
const VERB: usize = 1;

/// Lets the messages of `send` begin with a dash.
fn mark_messages(words: &mut Vec<OsString>) {
    let definition = definition();
    let verb = words.get(VERB).filter(|it| *it == "send");
    if let Some(send) = verb.and_then(|it| definition.find_subcommand(it)) {
        send::words::mark(words, VERB + 1, send);
    }
}

/// Replaces the advice in an error: clap would suggest `--` before an unknown flag, but here a command follows
/// `--`.
fn with_right_tip(words: &[OsString], mut error: clap::Error) -> clap::Error {
    let text = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let unknown = match error.kind() {
        ErrorKind::UnknownArgument => text(ContextKind::InvalidArg),
        // The first word of a command that lacks its `--`.
        ErrorKind::ValueValidation if text(ContextKind::InvalidArg) == URL => {
            let word = text(ContextKind::InvalidValue);
            if word.contains(['.', ':', '/']) {
                return error;
            }
            word
        }
        _ => return error,
    };
    let verb = words.get(VERB).and_then(|it| it.to_str());
    let tip = match verb {
        Some("send") => {
            let text = quoted(&unknown);
            Some(format!(
                "to publish it as a message: codechat send -m {text}"
            ))
        }
        Some("watch") if words.get(VERB + 1).is_some_and(|it| it == "curl") => {
            let tip = "to watch the URL, leave out the word curl; to run a command: codechat watch -- curl …";
            Some(tip.into())
        }
        Some("watch") if unknown.contains("://") => Some("watch one URL at a time".into()),
        Some("watch") if !unknown.starts_with('-') => {
            let program = quoted(&unknown);
            Some(format!("to run a command: codechat watch -- {program} …"))
        }
        Some("watch") => watch::url::no_such_flag(&unknown).map(Into::into),
        _ => None,
    };
    if tip.is_some() {
        // A flag with a similar name does something else.
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Usage);
    }
    let tips = tip.map_or(ContextValue::None, |it| {
        ContextValue::StyledStrs(vec![it.into()])
    });
    error.insert(ContextKind::Suggested, tips);
    error
}

/// Parses the words without the variables of the overruled arguments.
fn read(words: &[OsString], overruled: &[Id]) -> Result<Cli, clap::Error> {
    let mut definition = each_argument(definition(), |arg| {
        if overruled.contains(arg.get_id()) {
            arg.env(None)
        } else {
            with_set_env(arg)
        }
    });
    if words
        .iter()
        .take_while(|it| *it != "--")
        .any(|it| it == "-h")
    {
        definition = brief(definition);
    }
    let matches = definition.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut definition))
}

/// Returns whether `--` is there but no command follows: for example, a variable in a script was empty.
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

/// Returns the argument that an error is about, and the variable that set it: without the variable, the error is
/// different.
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

/// Returns whether the command line has the URL of a stream, with which this argument has no meaning, whatever
/// its variable holds.
fn is_ruled_out(words: &[OsString], argument: &Id) -> bool {
    let definition = each_argument(definition(), |arg| arg.env(None));
    let matches = definition.try_get_matches_from(words).ok();
    let watch = matches
        .as_ref()
        .and_then(|it| it.subcommand_matches("watch"));
    let names_url = watch.is_some_and(|it| it.contains_id("url"));
    names_url && watch::url::NOT_OF_A_URL.contains(&argument.as_str())
}

/// Returns the arguments that an error is about, as the error names them.
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

/// Makes an error name a variable.
fn naming(variable: &str, mut error: clap::Error) -> clap::Error {
    error.insert(
        ContextKind::InvalidArg,
        ContextValue::String(variable.into()),
    );
    error
}

/// The name of a stream's URL in errors.
const URL: &str = "[URL]";

/// Returns the error for a flag that has no meaning with the URL of a stream.
fn of_url(error: &clap::Error) -> Option<clap::Error> {
    let about = arguments(error);
    if error.kind() != ErrorKind::ArgumentConflict || !about.iter().any(|it| it == URL) {
        return None;
    }
    let flag = about.iter().find(|it| *it != URL)?;
    let flag = flag.split(' ').next()?;
    let mut definition = definition();
    definition.build();
    let watch = definition.find_subcommand_mut("watch")?;
    let text = format!("the URL names the stream; leave out {flag}");
    Some(watch.error(ErrorKind::ArgumentConflict, text))
}

/// Arguments that may contain a password or a token.
const SECRETS: [&str; 4] = ["--server", "--header", "--user", URL];

/// Removes a value that may be secret from an error.
fn without_secret(mut error: clap::Error) -> clap::Error {
    let argument = error.get(ContextKind::InvalidArg);
    let argument = argument.map(ToString::to_string).unwrap_or_default();
    if SECRETS.iter().any(|it| argument.starts_with(it)) {
        let hidden = ContextValue::String("…".into());
        error.insert(ContextKind::InvalidValue, hidden);
    }
    error
}
