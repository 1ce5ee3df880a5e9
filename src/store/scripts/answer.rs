//! The answers of scripts, as values.

use std::collections::VecDeque;
use std::str;

use crate::control::ControlState;
use crate::event::{EventId, UnixMillis};
use crate::hub::Receipt;
use crate::message::Message;
use crate::refusal::Refusal;
use crate::store::entry;
use crate::store::notice::control_state;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time is a whole number above 0"
)]
pub(super) fn millis(score: f64) -> UnixMillis {
    score as UnixMillis
}

/// Parses the answer of `publish_plain.lua`: the position in the form of the scripts, and the control requests.
pub(super) fn plain_receipt(answer: &[u8]) -> Option<Receipt> {
    let mut parts = str::from_utf8(answer).ok()?.splitn(7, ' ');
    let mut next = || parts.next();
    let (seq, time, _bytes, subscribers) = (next()?, next()?, next()?, next()?);
    let (_dropped, _held, requested) = (next()?, next()?, next()?);
    let control = control_state(subscribers, requested)?;
    Some(Receipt {
        last: Some(EventId {
            seq: seq.parse().ok()?,
            time: time.parse().ok()?,
        }),
        accepted: 1,
        subscribers: control.subscribers,
        requested: control.requested,
    })
}

/// The parts of a script's answer. Parsing fails only if the store's data was not written by these scripts.
pub(super) struct Answer(pub(super) VecDeque<Vec<u8>>);

impl Answer {
    pub(super) fn text(&mut self) -> Result<String, Refusal> {
        let part = self.0.pop_front().ok_or(Refusal::StoreAway)?;
        String::from_utf8(part).map_err(|_| Refusal::StoreAway)
    }

    pub(super) fn number<N: str::FromStr>(&mut self) -> Result<N, Refusal> {
        self.text()?.parse().map_err(|_| Refusal::StoreAway)
    }

    pub(super) fn id(&mut self) -> Result<EventId, Refusal> {
        let (seq, time) = (self.number()?, self.number()?);
        Ok(EventId { seq, time })
    }

    pub(super) fn control(&mut self) -> Result<ControlState, Refusal> {
        let (subscribers, requested) = (self.text()?, self.text()?);
        control_state(&subscribers, &requested).ok_or(Refusal::StoreAway)
    }
    /// Returns the other parts, which are entries of the log.
    pub(super) fn entries(&self) -> Result<Vec<(UnixMillis, Message)>, Refusal> {
        let entries = self.0.iter().map(|it| entry::decode(it));
        entries.collect::<Option<_>>().ok_or(Refusal::StoreAway)
    }
}
