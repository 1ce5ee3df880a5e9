//! A request's body from curl's flags; and flags of curl that do nothing here, or do not exist here.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, value_parser};

use super::{BODY_MAX, open, read_at_most};
use crate::wire;

/// A flag that gives a part of the body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    Data,
    Json,
    Raw,
    Binary,
}

impl Flag {
    const ALL: [Self; 4] = [Self::Data, Self::Json, Self::Raw, Self::Binary];

    fn id(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Json => "json",
            Self::Raw => "data-raw",
            Self::Binary => "data-binary",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Data => "Form data to POST; @FILE reads it from a file, @- from stdin",
            Self::Json => "JSON to POST; @FILE reads it from a file, @- from stdin",
            Self::Raw => "Like --data, but @ has no special meaning",
            Self::Binary => "Like --data, but a file is sent unchanged",
        }
    }
}

const DATA_HELP: &str = "Form data to POST; @FILE reads them from a file, @- from stdin

If the flag is repeated, the data is joined with &. Line ends in a file are removed.";

/// Flags that are accepted so that a `curl` command works with the word replaced: they ask for the default.
const DONE_ANYHOW: [(Option<char>, &str); 10] = [
    (Some('N'), "no-buffer"),
    (Some('s'), "silent"),
    (Some('S'), "show-error"),
    (Some('L'), "location"),
    (Some('f'), "fail"),
    (Some('g'), "globoff"),
    (Some('#'), "progress-bar"),
    (None, "compressed"),
    (None, "fail-with-body"),
    (None, "no-progress-meter"),
];

/// Flags of curl that do not exist here, and what to do instead.
const NOT_THERE: [(&[&str], &str); 15] = [
    (
        &[
            "-i",
            "--include",
            "-v",
            "--verbose",
            "-I",
            "--head",
            "-D",
            "--dump-header",
            "-w",
            "--write-out",
        ],
        "leave it out: only events are shown",
    ),
    (&["-o", "--output", "-O"], "write > FILE instead"),
    (&["-A", "--user-agent"], "write -H 'User-Agent: …' instead"),
    (&["-b", "--cookie"], "write -H 'Cookie: …' instead"),
    (&["-e", "--referer"], "write -H 'Referer: …' instead"),
    (
        &["--oauth2-bearer"],
        "write -H @FILE instead, where FILE has the line 'Authorization: Bearer …'",
    ),
    (&["-m", "--max-time"], "write --timeout 30s instead"),
    (
        &["-G", "--get", "--url-query"],
        "write the data after a ? in the URL",
    ),
    (
        &["--data-urlencode"],
        "encode the data, and give it with --data-raw",
    ),
    (
        &["-F", "--form", "-T", "--upload-file"],
        "give the body with --data-binary @FILE, and its type with -H",
    ),
    (
        &["-x", "--proxy"],
        "set the variable HTTPS_PROXY or HTTP_PROXY instead",
    ),
    (
        &[
            "--retry",
            "--no-keepalive",
            "--http1.1",
            "--http2",
            "--http2-prior-knowledge",
            "--tlsv1.2",
            "--tlsv1.3",
            "--connect-timeout",
            "-4",
            "--ipv4",
            "-6",
            "--ipv6",
            "--ssl-no-revoke",
        ],
        "leave it out",
    ),
    (
        &["--location-trusted"],
        "leave it out; to send secrets there, name that place",
    ),
    (&["--url"], "write the URL without a flag"),
    (
        &["-K", "--config", "--resolve", "-E", "--cert", "--netrc"],
        "codechat has no equivalent",
    ),
];

/// Returns what to do instead of a flag that only curl has.
pub(crate) fn no_such_flag(flag: &str) -> Option<&'static str> {
    let is_meant = |(flags, _): &&(&[&str], _)| flags.contains(&flag);
    NOT_THERE.iter().find(is_meant).map(|(_, advice)| *advice)
}

/// The parts of a body, in the order of the command line. They may be secret, and are not printed.
#[derive(Clone, Default)]
pub(super) struct BodyArgs(Vec<(Flag, OsString)>);

impl std::fmt::Debug for BodyArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BodyArgs")
    }
}

impl clap::Args for BodyArgs {
    fn augment_args(definition: Command) -> Command {
        let data = Flag::ALL.map(|flag| {
            let arg = Arg::new(flag.id())
                .long(flag.id())
                .value_name("DATA")
                .help(flag.help())
                .action(ArgAction::Append)
                .allow_hyphen_values(true)
                .value_parser(value_parser!(OsString));
            match flag {
                Flag::Data => arg.short('d').alias("data-ascii").long_help(DATA_HELP),
                Flag::Json => arg,
                Flag::Raw | Flag::Binary => arg.hide_short_help(true),
            }
        });
        let done_anyhow = DONE_ANYHOW.map(|(short, long)| {
            let arg = Arg::new(long).long(long).hide(true);
            arg.short(short).action(ArgAction::SetTrue)
        });
        definition.args(data).args(done_anyhow)
    }

    fn augment_args_for_update(definition: Command) -> Command {
        Self::augment_args(definition)
    }
}

impl FromArgMatches for BodyArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut parts = Vec::new();
        for flag in Flag::ALL {
            let places = matches.indices_of(flag.id()).into_iter().flatten();
            let values = matches.get_many::<OsString>(flag.id());
            let values = values.into_iter().flatten().cloned();
            parts.extend(
                places
                    .zip(values)
                    .map(|(place, value)| (place, flag, value)),
            );
        }
        parts.sort_by_key(|(place, ..)| *place);
        let parts = parts.into_iter().map(|(_, flag, value)| (flag, value));
        Ok(Self(parts.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl BodyArgs {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many times stdin would be read.
    pub(super) fn reads_of_stdin(&self) -> usize {
        let is_stdin = |(flag, value): &&(Flag, OsString)| *flag != Flag::Raw && value == "@-";
        self.0.iter().filter(is_stdin).count()
    }

    /// Returns the body and its type; `None` if no flag gives one.
    pub(super) fn read(&self) -> anyhow::Result<Option<(Bytes, &'static str)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut body = Vec::new();
        for (number, (flag, value)) in self.0.iter().enumerate() {
            if number > 0 && *flag != Flag::Json {
                body.push(b'&');
            }
            body.extend(part(*flag, value)?);
        }
        let is_json = self.0.iter().any(|(flag, _)| *flag == Flag::Json);
        let kind = if is_json {
            wire::JSON
        } else {
            "application/x-www-form-urlencoded"
        };
        Ok(Some((body.into(), kind)))
    }
}

/// Returns what one flag adds to the body.
fn part(flag: Flag, value: &OsStr) -> anyhow::Result<Vec<u8>> {
    let value = value.as_bytes();
    let Some(path) = value.strip_prefix(b"@").filter(|_| flag != Flag::Raw) else {
        return Ok(value.to_vec());
    };
    let (source, place): (Box<dyn io::Read>, String) = if path == b"-" {
        (Box::new(io::stdin()), "stdin".into())
    } else {
        let path = Path::new(OsStr::from_bytes(path));
        (Box::new(open(path, "data")?), path.display().to_string())
    };
    let data = read_at_most(source, BODY_MAX);
    let mut data = data.with_context(|| format!("read data from {place}"))?;
    if flag == Flag::Data {
        data.retain(|it| !matches!(it, b'\r' | b'\n' | b'\0'));
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(words: &[&str]) -> (String, &'static str) {
        let definition: Command = <BodyArgs as clap::Args>::augment_args(Command::new("x"));
        let words = ["x"].iter().chain(words);
        let matches = definition.try_get_matches_from(words).unwrap();
        let body = BodyArgs::from_arg_matches(&matches).unwrap();
        let (body, kind) = body.read().unwrap().unwrap();
        (String::from_utf8(body.to_vec()).unwrap(), kind)
    }

    #[test]
    fn parts_are_joined_in_order_as_by_curl() {
        let form = "application/x-www-form-urlencoded";
        let words = ["-d", "a=1", "--data-raw", "@b", "--data-binary", "c"];
        assert_eq!(body(&words), ("a=1&@b&c".into(), form));
        let words = ["--json", "{\"a\":", "--json", "1}"];
        assert_eq!(body(&words), ("{\"a\":1}".into(), wire::JSON));
        assert_eq!(body(&["-d", ""]), (String::new(), form));
    }
}
