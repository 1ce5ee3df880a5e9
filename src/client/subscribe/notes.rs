//! Notes for the reader of a stream, each given once.

use std::time::Duration;

use super::target::Target;
use crate::event::{ClientPast, UnixMillis};
use crate::wire::{self, past};

/// How many streams must end at the same age, within this share of it, before a limit is assumed. Servers check their
/// timeouts every second, hence the least tolerance.
const SAME_AGES: usize = 3;
const SAME_AGE: f64 = 0.05;
const SAME_AGE_MIN: Duration = Duration::from_secs(1);

/// Upper bound of the notes on one stream: their texts come from its server.
const NOTES_MAX: usize = 32;
const NO_ANSWER: &str = "no answer yet";

/// Lower bound of a proxy's timeout.
const SHORTEST_LIMIT: Duration = Duration::from_secs(2);

/// How a stream closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// As HTTP ends a response.
    Proper,
    /// In the middle.
    Cut,
}

/// The notes on a stream that may still be given.
pub(super) struct Notes {
    is_url: bool,
    /// Whether the stream is requested again when it ends.
    is_repeated: bool,
    /// The notes given so far.
    noted: Vec<String>,
    past: bool,
    owner: OwnerNote,
    /// How old the newest [`SAME_AGES`] streams were when they closed; `None` once that is noted.
    ages: Option<Vec<(Close, Duration)>>,
}

/// The notes on a watcher that contains the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnerNote {
    /// That it exists.
    There,
    /// Its end.
    End,
    Nothing,
}

impl Notes {
    pub(super) fn new(target: &Target) -> Self {
        let (past, owner) = match target {
            Target::Channel { options, .. } => (options.notes_past, options.notes_owner),
            Target::Url { .. } => (false, false),
        };
        Self {
            is_url: target.is_url(),
            is_repeated: target.is_repeated(),
            noted: Vec::new(),
            past,
            owner: if owner {
                OwnerNote::There
            } else {
                OwnerNote::Nothing
            },
            ages: Some(Vec::new()),
        }
    }

    /// Returns whether the stream is read by its URL.
    pub(super) fn is_url(&self) -> bool {
        self.is_url
    }

    /// Returns, once, that a stream ended soon, which may be its end.
    pub(super) fn of_quick_end(&mut self) -> Option<String> {
        let text = "the server ended the stream, and it is requested again; with --once it is not";
        let text = Some(text).filter(|_| self.is_repeated);
        text.and_then(|it| self.once(it.into()))
    }

    /// Returns a note, unless it was given before, or there were too many.
    fn once(&mut self, note: String) -> Option<String> {
        let is_new = !self.noted.contains(&note) && self.noted.len() < NOTES_MAX;
        is_new.then(|| {
            self.noted.push(note.clone());
            note
        })
    }

    /// Returns whether a note on a missing answer may still be given.
    pub(super) fn awaits_answer(&self) -> bool {
        !self.noted.iter().any(|it| it == NO_ANSWER)
    }

    /// Returns, once, that there is no answer yet.
    pub(super) fn of_no_answer(&mut self) -> Option<String> {
        self.once(NO_ANSWER.into())
    }

    /// Returns, once, that a stream closed at this age, if the ones before it did too.
    pub(super) fn of_age(&mut self, age: Duration, close: Close) -> Option<String> {
        let ages = self.ages.as_mut()?;
        ages.push((close, age));
        if ages.len() > SAME_AGES {
            ages.remove(0);
        }
        let tolerance = age.mul_f64(SAME_AGE).max(SAME_AGE_MIN);
        let is_same = |it: &(Close, Duration)| it.0 == close && it.1.abs_diff(age) <= tolerance;
        // Connections that fail at once are not due to a limit.
        let is_limit = close == Close::Proper || age >= SHORTEST_LIMIT;
        if !is_limit || ages.len() < SAME_AGES || !ages.iter().all(is_same) {
            return None;
        }
        let age = written(age);
        let note = match close {
            Close::Proper if self.is_url => format!("this server ends every stream after {age}"),
            Close::Proper => format!(
                "this server ends every stream after {age}; in Spring: new SseEmitter(0L), or spring.mvc.async.request-timeout=-1"
            ),
            Close::Cut => format!(
                "every connection is cut after {age}, perhaps by a proxy's limit on silence, such as nginx's proxy_read_timeout"
            ),
        };
        self.ages = None;
        Some(note)
    }

    /// Returns, once, that the watcher that contained the server has ended.
    pub(super) fn of_gone(&mut self) -> Option<String> {
        if self.owner != OwnerNote::End {
            return None;
        }
        self.owner = OwnerNote::Nothing;
        let text = "the watcher that this server belonged to has ended; start `codechat serve`, and this watcher continues there";
        Some(text.into())
    }

    /// Returns the notes on the head of a stream and its answer.
    pub(super) fn of(
        &mut self,
        header: impl Fn(&str) -> Option<String>,
        answer: Vec<String>,
    ) -> Vec<String> {
        let answer = answer.into_iter();
        let mut notes: Vec<_> = answer.filter_map(|it| self.once(it)).collect();
        if let Some(coding) = header("content-encoding") {
            notes.extend(self.once(format!(
                "the stream is compressed ({coding}), which may delay messages"
            )));
        }
        let past = header(past::PAST_HEADER).and_then(|it| past::parse(&it));
        match past.filter(|_| std::mem::take(&mut self.past)) {
            Some(ClientPast::New) => {
                notes.push("nothing was published to this ID yet: is it the right one?".into());
            }
            Some(ClientPast::Ended { end, at }) => notes.push(format!(
                "it ended at {} ({}); this is a new stream",
                local_time(at),
                end.as_str()
            )),
            Some(ClientPast::Known) | None => {}
        }
        let owner = header(wire::SERVER_OWNER_HEADER);
        let is_watchers = owner.is_some_and(|it| it == wire::OWNED_BY_WATCHER);
        if is_watchers && self.owner == OwnerNote::There {
            self.owner = OwnerNote::End;
            notes.push(
                "the server is another watcher's, and ends with it; `codechat serve` starts one that stays".into(),
            );
        }
        notes
    }
}

/// Formats a local time of day, or a date if it was another day.
fn local_time(at: UnixMillis) -> String {
    let at = i64::try_from(at).ok();
    let at = at.and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    let at = at
        .unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::system());
    let is_today = at.date() == jiff::Zoned::now().date();
    let format = if is_today { "%H:%M" } else { "%F %H:%M" };
    at.strftime(format).to_string()
}

/// Formats a duration: `30 s`, `15 min`.
pub(super) fn written(time: Duration) -> String {
    // A timer may fire slightly late.
    let seconds = (time + Duration::from_millis(500)).as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        _ => format!("{} min", (seconds + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{Client, ClientOptions, subscribe::SubscribeOptions},
        event::ClientId,
    };

    #[test]
    fn streams_that_end_at_the_same_age_are_noted_once() {
        let server = "http://127.0.0.1:1".parse().unwrap();
        let client = Client::new(server, ClientOptions::default()).unwrap();
        let target = Target::channel(client, ClientId::random(), SubscribeOptions::default());
        let mut notes = Notes::new(&target);
        let seconds = Duration::from_secs_f64;
        assert_eq!(notes.of_age(seconds(12.0), Close::Proper), None);
        assert_eq!(notes.of_age(seconds(30.1), Close::Proper), None);
        assert_eq!(notes.of_age(seconds(30.0), Close::Proper), None);
        let note = notes.of_age(seconds(30.2), Close::Proper).unwrap();
        assert!(
            note.starts_with("this server ends every stream after 30 s"),
            "{note}"
        );
        assert_eq!(
            notes.of_age(seconds(30.0), Close::Proper),
            None,
            "it is noted once"
        );
    }

    #[test]
    fn a_duration_is_formatted_in_seconds_or_minutes() {
        for (millis, text) in [(2_990, "3 s"), (60_000, "60 s"), (900_100, "15 min")] {
            assert_eq!(written(Duration::from_millis(millis)), text);
        }
    }
}
