//! Which outcome ends a watch that waits for one: an operation may contain others.

use super::Verdict;
use crate::message::{Message, Operation, Outcome};

/// What has been seen of the operation that began first, whose outcome is awaited, and of those inside it.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    first: Option<Operation>,
    /// Whether another one has failed.
    has_failed: bool,
    /// Whether every outcome ends the watch: other servers' events follow other rules.
    pub(super) is_any: bool,
}

impl Awaited {
    /// Takes a publisher's message. Returns the verdict if its outcome is the awaited one.
    pub(super) fn message(&mut self, message: &Message) -> Option<Verdict> {
        let operation = message.operation.as_ref();
        if self.first.is_none() && begins(message) {
            self.first = operation.cloned();
        }
        self.outcome(operation, message.outcome?)
    }

    /// Takes the server's notice that an operation's publisher is gone.
    pub(super) fn lost(&mut self, operation: &Operation) -> Option<Verdict> {
        self.outcome(Some(operation), Outcome::Failed)
    }

    fn outcome(&mut self, operation: Option<&Operation>, outcome: Outcome) -> Option<Verdict> {
        self.has_failed |= outcome != Outcome::Ok;
        let first = self.first.as_ref();
        let is_inside = operation.is_some() && first.is_some() && operation != first;
        let verdict = if self.has_failed {
            Verdict::Failed
        } else {
            Verdict::Done
        };
        (self.is_any || !is_inside).then_some(verdict)
    }
}

/// Returns whether a message shows that its operation began. One that is only named may never end.
fn begins(message: &Message) -> bool {
    message.is_start() || message.progress.is_some() || message.outcome.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(operation: &str, text: &str) -> Message {
        Message::text(text).operation(operation)
    }

    fn end(operation: &str, outcome: Outcome) -> Message {
        say(operation, "").outcome(outcome)
    }

    fn verdicts<const N: usize>(messages: [Message; N]) -> [Option<Verdict>; N] {
        let mut awaited = Awaited::default();
        messages.map(|it| awaited.message(&it))
    }

    #[test]
    fn the_operation_that_began_first_is_awaited() {
        let messages = [
            say("request", "Started request"),
            say("import", "").progress(1, Some(2)),
            end("import", Outcome::Ok),
            end("request", Outcome::Ok),
        ];
        assert_eq!(verdicts(messages), [None, None, None, Some(Verdict::Done)]);
    }

    #[test]
    fn a_failed_operation_inside_it_is_a_failure_at_the_end() {
        let messages = [
            say("request", "Started request"),
            end("import", Outcome::Cancelled),
            end("request", Outcome::Ok),
        ];
        assert_eq!(verdicts(messages), [None, None, Some(Verdict::Failed)]);
        let mut awaited = Awaited::default();
        awaited.message(&say("request", "Started request"));
        assert_eq!(awaited.lost(&"import".parse().unwrap()), None);
        let lost = awaited.lost(&"request".parse().unwrap());
        assert_eq!(lost, Some(Verdict::Failed));
    }

    #[test]
    fn a_name_alone_and_an_outcome_without_one_delay_nothing() {
        let messages = [say("deploy", "copying"), end("import", Outcome::Ok)];
        assert_eq!(verdicts(messages), [None, Some(Verdict::Done)]);
        let nameless = Message::text("").outcome(Outcome::Ok);
        let messages = [say("request", "Started request"), nameless];
        assert_eq!(verdicts(messages), [None, Some(Verdict::Done)]);
    }

    #[test]
    fn any_outcome_ends_a_foreign_stream() {
        let mut awaited = Awaited {
            is_any: true,
            ..Awaited::default()
        };
        assert_eq!(awaited.message(&say("a", "Started a")), None);
        let ended = awaited.message(&end("b", Outcome::Ok));
        assert_eq!(ended, Some(Verdict::Done));
    }
}
