//! The messages of an operation. Pure.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use crate::cli::shell;
use crate::command::send::ExecOptions;
use crate::command::send::batch::Batch;
use crate::command::send::lines::Lines;
use crate::duration;
use crate::message::{Level, Message, OPERATION_MAX_CHARS, Operation, Outcome, STARTED};
use crate::process;

/// Upper bound of a command line in a message, in characters.
const COMMAND_LINE_CHARS: usize = 200;

pub(super) struct Messages {
    prototype: Message,
    operation: Operation,
    command_line: String,
}

/// How a command ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// Whether a watcher or a signal told it to end.
    pub(super) told_to_end: bool,
    pub(super) took: Duration,
}

impl Messages {
    pub(super) fn new(options: &ExecOptions) -> Self {
        let named = options.prototype.operation.clone();
        let operation = named.unwrap_or_else(|| operation(&options.words));
        Self {
            prototype: Message {
                operation: Some(operation.clone()),
                ..options.prototype.clone()
            },
            operation,
            command_line: command_line(&options.words),
        }
    }

    pub(super) fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Returns the first message.
    pub(super) fn started(&self) -> Batch {
        Batch::of(&Message {
            text: format!("{STARTED}{}", self.command_line),
            level: Some(Level::Info),
            ..self.prototype.clone()
        })
    }

    /// Returns the last message.
    pub(super) fn concluded(&self, end: &Ended) -> Batch {
        let (outcome, text) = conclusion(end);
        self.outcome(outcome, text)
    }

    /// Returns the last message, with this outcome and text.
    pub(super) fn outcome(&self, outcome: Outcome, text: String) -> Batch {
        let level = match outcome {
            Outcome::Ok => Level::Info,
            Outcome::Cancelled => Level::Warn,
            Outcome::Failed => Level::Error,
        };
        Batch::of(&Message {
            text,
            level: Some(level),
            outcome: Some(outcome),
            ..self.prototype.clone()
        })
    }

    /// Returns the prototype of a message between the lines.
    pub(super) fn notice(&self) -> Message {
        Message {
            level: Some(Level::Warn),
            ..self.prototype.clone()
        }
    }

    /// Returns the splitter for stdout's lines.
    pub(super) fn stdout(&self) -> Lines {
        self.lines(self.prototype.level.unwrap_or(Level::Info))
    }

    /// Returns the splitter for stderr's lines.
    pub(super) fn stderr(&self) -> Lines {
        self.lines(Level::Warn)
    }

    fn lines(&self, level: Level) -> Lines {
        Lines::new(Message {
            level: Some(level),
            ..self.prototype.clone()
        })
    }
}

/// Returns the outcome and text. A command that was told to end was cancelled, whatever its exit code.
fn conclusion(end: &Ended) -> (Outcome, String) {
    let took = duration::in_seconds(end.took);
    let how = match end.status.code() {
        Some(code) => format!("exit code {code}"),
        None => format!(
            "signal {}",
            process::exit_code(end.status).wrapping_sub(128)
        ),
    };
    if end.told_to_end {
        let text = format!("Cancelled after {took} ({how})");
        (Outcome::Cancelled, text)
    } else if end.status.success() {
        (Outcome::Ok, format!("Finished after {took}"))
    } else {
        (Outcome::Failed, format!("Failed after {took} ({how})"))
    }
}

/// Returns the operation's name: the command's.
fn operation(words: &[OsString]) -> Operation {
    let program = words.first().map_or(Path::new(""), Path::new);
    let name = program.file_name().unwrap_or(program.as_os_str());
    let name: String = name
        .to_string_lossy()
        .chars()
        .filter(|it| !it.is_control())
        .take(OPERATION_MAX_CHARS)
        .collect();
    name.parse()
        .unwrap_or_else(|_| "command".parse().expect("it is a word"))
}

/// Formats a command line as for a shell, cut off if it is long.
fn command_line(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().map(|it| it.to_string_lossy()).collect();
    let quoted: Vec<_> = words.iter().map(|it| shell::quoted(it)).collect();
    let line = quoted.join(" ");
    match line.char_indices().nth(COMMAND_LINE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(Into::into).collect()
    }

    #[test]
    fn an_operation_has_its_commands_name_without_the_folder() {
        for (program, name) in [
            ("make", "make"),
            ("/usr/bin/make", "make"),
            ("./build\n.sh", "build.sh"),
            ("\n", "command"),
        ] {
            assert_eq!(operation(&words(&[program])).as_str(), name, "{program:?}");
        }
        let long = "x".repeat(2 * OPERATION_MAX_CHARS);
        assert_eq!(
            operation(&words(&[&long])).as_str().len(),
            OPERATION_MAX_CHARS
        );
    }

    #[test]
    fn a_command_line_can_be_pasted_unless_it_is_long() {
        let line = words(&["sh", "-c", "echo 'a b'; exit 7", ""]);
        assert_eq!(command_line(&line), r"sh -c 'echo '\''a b'\''; exit 7' ''");
        let long = command_line(&words(&["é".repeat(500).as_str()]));
        assert_eq!(long.chars().count(), COMMAND_LINE_CHARS + 1);
    }

    #[test]
    fn an_outcome_says_how_the_command_ended() {
        for (raw, told_to_end, outcome, text) in [
            (0, false, Outcome::Ok, "Finished after 1.5 s"),
            (
                7 << 8,
                false,
                Outcome::Failed,
                "Failed after 1.5 s (exit code 7)",
            ),
            (9, false, Outcome::Failed, "Failed after 1.5 s (signal 9)"),
            (
                15,
                true,
                Outcome::Cancelled,
                "Cancelled after 1.5 s (signal 15)",
            ),
            (
                0,
                true,
                Outcome::Cancelled,
                "Cancelled after 1.5 s (exit code 0)",
            ),
        ] {
            let end = Ended {
                status: ExitStatus::from_raw(raw),
                told_to_end,
                took: Duration::from_millis(1500),
            };
            assert_eq!(conclusion(&end), (outcome, text.into()));
        }
    }
}
