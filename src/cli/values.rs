//! Values of arguments and of environment variables.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Arg, ArgAction};

use crate::wire::DEFAULT_LISTEN;

/// Where a server listens, and is looked for, if no address is given.
///
/// The port can be set by `CODECHAT_DEFAULT_PORT`, so that tests need not share one.
pub(crate) fn default_address() -> SocketAddr {
    let port = std::env::var("CODECHAT_DEFAULT_PORT").ok();
    let mut address = DEFAULT_LISTEN;
    if let Some(port) = port.and_then(|it| it.parse().ok()) {
        address.set_port(port);
    }
    address
}

/// In the environment, 1 and 0 are as good as true and false.
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

/// Takes the environment variable from an argument where it is empty.
pub(crate) fn without_empty_env(arg: Arg) -> Arg {
    let is_empty = arg
        .get_env()
        .and_then(std::env::var_os)
        .is_some_and(|value| value.is_empty());
    if is_empty { arg.env(None) } else { arg }
}

/// A length of time, for clap.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_hours(24 * 365);
    match humantime::parse_duration(text) {
        Ok(duration) if duration > LONGEST => Err("must be a year at the most".into()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("a duration is a number and a unit, as in 500ms, 2s or 15m".into()),
    }
}

/// A length of time above 0, for clap: as an interval or a patience, 0 would mean never or always.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be above 0, as in 500ms, 2s or 15m".into()),
        duration => Ok(duration),
    }
}
