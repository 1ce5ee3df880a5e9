//! The summary at a watch's end: how it ended and how long it took, the longest waits, the first error, what was lost.
//!
//! Pure, like the model.

use std::time::Duration;

use super::format;
use super::model::Model;
use super::operations::{OperationState, Operations};
use super::tally::{LEVELS, Wait};
use crate::duration;
use crate::message::Outcome;

/// Upper bound of the operations that are listed, the newest ones.
const OPERATIONS: usize = 20;
/// The length above which a wait is listed in any case.
const WAIT: Duration = Duration::from_secs(1);
/// A shorter wait is listed if it is longer than the whole time divided by this.
const SHARE: u32 = 10;

/// Returns the lines of a summary, the first of which says the most; none if the stream was never open or the
/// model keeps no counts.
#[must_use]
pub fn lines(model: &Model, now: Duration) -> Vec<String> {
    let (Some(tally), Some(operations)) = (model.tally(), model.operations()) else {
        return Vec::new();
    };
    let Some(whole) = tally.taken(now) else {
        return Vec::new();
    };
    let received = counted(model.received(), "message");
    let taken = duration::in_seconds(whole);
    let mut lines = vec![format!("{}{received} in {taken}", outcome(operations))];
    let mut say = |what: &str, line: String| lines.push(format!("  {what:<12} {line}"));

    let levels = LEVELS
        .iter()
        .map(|it| it.as_str())
        .chain(["without a level"]);
    let levels: Vec<_> = levels
        .zip(tally.levels)
        .filter(|(_, count)| *count > 0)
        .map(|(level, count)| format!("{} {level}", format::count_of(count)))
        .collect();
    if tally.levels[..LEVELS.len()].iter().any(|it| *it > 0) {
        say("levels", levels.join(", "));
    }
    let skipped = operations.all().count().saturating_sub(OPERATIONS);
    for state in operations
        .all()
        .skip(skipped)
        .filter(|it| it.name().is_some())
    {
        say("operation", operation(state, now));
    }
    let is_long = |wait: &&Wait| wait.length > WAIT || wait.length > whole / SHARE;
    for (place, wait) in tally.waits.iter().filter(is_long).enumerate() {
        let what = if place == 0 { "longest wait" } else { "then" };
        let length = duration::in_seconds(wait.length);
        say(what, format!("{length} after {}", wait.after));
    }
    if let Some((at, text)) = tally.first_error() {
        let after = duration::in_seconds(at);
        say("first error", format!("{text}, after {after}"));
    }
    if model.older() > 0 {
        let older = counted(model.older(), "older message");
        say(
            "not held",
            format!("{older}, dropped before this watch began"),
        );
    }
    match (model.lost(), tally.lost_unknown) {
        (0, false) => {}
        (0, true) => say("lost", "an unknown number of messages".into()),
        (lost, false) => say("lost", counted(lost, "message")),
        (lost, true) => say("lost", format!("{} and more", counted(lost, "message"))),
    }
    lines
}

/// Returns how the watch ended, for the beginning of the first line: the worst outcome of an operation.
fn outcome(operations: &Operations) -> String {
    let ended = |outcome| operations.all().any(|it| it.outcome() == Some(outcome));
    let text = if ended(Outcome::Failed) {
        Outcome::Failed.as_str()
    } else if operations.all().any(OperationState::lost) {
        LOST
    } else if ended(Outcome::Cancelled) {
        Outcome::Cancelled.as_str()
    } else if ended(Outcome::Ok) {
        Outcome::Ok.as_str()
    } else {
        return String::new();
    };
    format!("{text}, ")
}

const LOST: &str = "publisher lost";

fn operation(state: &OperationState, now: Duration) -> String {
    let ending = match state.outcome() {
        Some(outcome) => outcome.as_str(),
        None if state.lost() => LOST,
        None => "no outcome",
    };
    let taken = duration::in_seconds(state.elapsed(now));
    let count = format::count(state).map(|it| format!(", {it}"));
    let name = state.name().unwrap_or_default();
    format!("{name}: {ending} in {taken}{}", count.unwrap_or_default())
}

/// Formats a count of things: `1 message`, `12,000 messages`.
#[must_use]
pub fn counted(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", format::count_of(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client::subscribe::Received, event::Format, watch::model::Goals};
    use crate::{
        client::subscribe::Update,
        event::Gap,
        message::{Level, Message, Progress},
    };

    fn feed(model: &mut Model, at: u64, message: Message) {
        let received = Received {
            id: String::new(),
            event: "debug".into(),
            time: None,
            message,
            foreign: None,
        };
        let update = Update::Message(Box::new(received));
        model.update(&update, Duration::from_millis(at));
    }

    fn model() -> Model {
        let mut model = Model::new(Goals::default())
            .with_operations(Operations::new(true))
            .with_summary();
        let format = Format::Json;
        model.update(
            &Update::Connected {
                format,
                is_codechat: true,
            },
            Duration::from_millis(500),
        );
        model
    }

    #[test]
    fn a_summary_says_how_the_watch_ended_and_how_long_operations_took() {
        let mut model = model();
        let refresh = |text: &str| Message {
            operation: Some("refresh".parse().unwrap()),
            ..Message::text(text)
        };
        let file = |number: u8| Message {
            progress: Some(Progress::new(number.into(), Some(3.0), None).unwrap()),
            ..refresh(&format!("Processed file {number} of 3"))
        };
        feed(&mut model, 500, Message::system(None, "hello"));
        feed(&mut model, 600, file(1));
        feed(&mut model, 3100, file(2));
        let level = Some(Level::Error);
        feed(
            &mut model,
            3150,
            Message {
                level,
                ..Message::text("disk full\nno more")
            },
        );
        feed(&mut model, 3600, refresh(&"x".repeat(100)));
        model.update(
            &Update::Gap(Gap::Known { from: 5, to: 7 }),
            Duration::from_millis(3600),
        );
        let outcome = Some(Outcome::Failed);
        feed(
            &mut model,
            3800,
            Message {
                outcome,
                ..refresh("Refresh failed")
            },
        );
        assert_eq!(
            lines(&model, Duration::from_millis(4500)),
            [
                "failed, 5 messages in 4 s",
                "  levels       1 error, 4 without a level",
                "  operation    refresh: failed in 3.2 s, 2/3",
                "  longest wait 2.5 s after \"Processed file 1 of 3\"",
                "  then         0.5 s after \"disk full\"",
                "  first error  \"disk full\", after 2.7 s",
                "  lost         3 messages",
            ]
        );
    }

    #[test]
    fn a_summary_of_few_events_is_short() {
        let mut model = model();
        feed(&mut model, 600, Message::text("hello"));
        let now = Duration::from_millis(1500);
        assert_eq!(lines(&model, now), ["1 message in 1 s"]);
        let never_open = Model::new(Goals::default()).with_summary();
        assert_eq!(lines(&never_open, now), [""; 0]);
    }
}
