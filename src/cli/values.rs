//! Parsers for the values of arguments and environment variables.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Arg, ArgAction};

use crate::wire::DEFAULT_LISTEN;

/// Returns the default address of a server, for servers and clients.
///
/// `CODECHAT_DEFAULT_PORT` sets its port, so that tests need not share one.
pub(crate) fn default_address() -> SocketAddr {
    let port = std::env::var("CODECHAT_DEFAULT_PORT").ok();
    let mut address = DEFAULT_LISTEN;
    if let Some(port) = port.and_then(|it| it.parse().ok()) {
        address.set_port(port);
    }
    address
}

/// Makes an argument accept 1 and 0, as well as true and false, for its environment variable.
pub(crate) fn boolish(arg: Arg) -> Arg {
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        arg.value_parser(boolean)
    } else {
        arg
    }
}

fn boolean(text: &str) -> Result<bool, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("must be 1 or 0, true or false, yes or no, on or off"),
    }
}

/// The variables that hold a client ID. Each command has one of them by default, and reads the other if that
/// is not set.
const ID_VARIABLES: [&str; 2] = ["SSE_CLIENT_ID", "CODECHAT_ID"];

/// Gives an argument the environment variable that it is read from, if that is set and not empty; for a client ID,
/// either of its variables.
pub(crate) fn with_set_env(arg: Arg) -> Arg {
    let Some(own) = arg.get_env().filter(|it| !is_set(it)) else {
        return arg;
    };
    let is_empty = std::env::var_os(own).is_some();
    let holds_an_id = ID_VARIABLES.iter().any(|it| own == *it);
    let other = ID_VARIABLES.iter().find(|it| is_set(it));
    match other.filter(|_| holds_an_id) {
        Some(other) => arg.env(*other),
        None if is_empty => arg.env(None),
        None => arg,
    }
}

/// Returns whether a variable is set and not empty.
pub(crate) fn is_set(variable: impl AsRef<OsStr>) -> bool {
    std::env::var_os(variable).is_some_and(|it| !it.is_empty())
}

/// Parses a duration, for clap.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_hours(24 * 365);
    match humantime::parse_duration(text) {
        Ok(duration) if duration > LONGEST => Err("must be a year at the most".into()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("a duration is a number and a unit, as in 500ms, 2s or 15m".into()),
    }
}

/// Parses a duration above 0, for clap: as an interval or a time limit, 0 would mean never or always.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be above 0, as in 500ms, 2s or 15m".into()),
        duration => Ok(duration),
    }
}
