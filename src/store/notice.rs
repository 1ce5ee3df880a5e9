//! Notices: what the store's scripts send to a node. A notice is one line, followed by the messages if some were
//! published. `scripts/channel.lua` writes them.

use std::str::{self, FromStr};

use super::entry;
use super::requested;
use crate::control::{ControlState, Requested};
use crate::event::{ClientId, End, EventId, UnixMillis};
use crate::message::Message;

/// A notice about one channel, or about the node itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Notice {
    /// Messages were published.
    Published(ClientId, Published),
    /// The channel ended; this was its last event.
    Ended(ClientId, End, EventId),
    /// The number of subscribers or the control requests have changed.
    Audience(ClientId, ControlState),
    /// The mirror of some node has found that the store lost messages right before this number.
    Lost(ClientId, u64),
    /// A publisher waits for readers at this node, which should report their positions.
    Report(ClientId),
    /// A publisher at this node need not wait any longer.
    Room(ClientId),
    /// This node's own beat has returned.
    Beat(u64),
}

/// Messages that the store has accepted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Published {
    /// The oldest number that the store holds now.
    pub(super) held_from: u64,
    /// The number of the first message.
    pub(super) from: u64,
    /// The messages, each with the time when it was accepted.
    pub(super) events: Vec<(UnixMillis, Message)>,
}

impl Notice {
    /// Parses a notice; returns `None` if this version does not know it.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
        let (line, rest) = bytes.split_at(end);
        let line = str::from_utf8(line).ok()?;
        let (kind, line) = line.split_once(' ')?;
        if kind == "beat" {
            return Some(Self::Beat(line.parse().ok()?));
        }
        let (id, line) = line.split_once(' ').unwrap_or((line, ""));
        let id: ClientId = id.parse().ok()?;
        Some(match kind {
            "published" => {
                let [held_from, from] = numbers(line)?;
                let events = events(rest)?;
                Self::Published(
                    id,
                    Published {
                        held_from,
                        from,
                        events,
                    },
                )
            }
            "ended" => {
                let (reason, last) = line.split_once(' ')?;
                let [seq, time] = numbers(last)?;
                Self::Ended(id, End::from_name(reason)?, EventId { seq, time })
            }
            "audience" => {
                let (subscribers, requested) = line.split_once(' ')?;
                Self::Audience(id, control_state(subscribers, requested)?)
            }
            "lost" => Self::Lost(id, line.parse().ok()?),
            "report" => Self::Report(id),
            "room" => Self::Room(id),
            _ => return None,
        })
    }
}

/// Parses the number of subscribers and the control requests, as scripts answer them.
pub(super) fn control_state(subscribers: &str, requested: &str) -> Option<ControlState> {
    Some(ControlState {
        subscribers: subscribers.parse().ok()?,
        requested: match requested {
            "" => Requested::default(),
            packed => requested::unpack(packed)?,
        },
    })
}

/// Parses numbers separated by single spaces.
pub(super) fn numbers<N: FromStr, const COUNT: usize>(text: &str) -> Option<[N; COUNT]> {
    let mut numbers = Vec::with_capacity(COUNT);
    for number in text.split(' ') {
        numbers.push(number.parse().ok()?);
    }
    numbers.try_into().ok()
}

/// Parses the messages of a notice, each preceded by a line end, its length in bytes, and a colon.
fn events(mut rest: &[u8]) -> Option<Vec<(UnixMillis, Message)>> {
    let mut events = Vec::new();
    while let Some((b'\n', next)) = rest.split_first() {
        let colon = memchr::memchr(b':', next)?;
        let length: usize = str::from_utf8(&next[..colon]).ok()?.parse().ok()?;
        let (stamped, after) = next[colon + 1..].split_at_checked(length)?;
        events.push(entry::decode(stamped)?);
        rest = after;
    }
    rest.is_empty().then_some(events)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::control::Cancel;
    use crate::message::Level;

    const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";

    fn parse(text: &str) -> Option<Notice> {
        Notice::parse(text.replace("ID", ID).as_bytes())
    }

    #[test]
    fn notices_are_parsed() {
        let id: ClientId = ID.parse().unwrap();
        let events = vec![(5, Message::text("a\nb")), (6, Message::text(""))];
        let published = Published {
            held_from: 3,
            from: 7,
            events,
        };
        let requested = Requested {
            level: Some(Level::Debug),
            cancel: Some(Cancel {
                operation: Some("a b".parse().unwrap()),
            }),
        };
        let state = |requested| ControlState {
            subscribers: 2,
            requested,
        };
        for (text, notice) in [
            (
                "published ID 3 7\n6:5 Ta\nb\n3:6 T",
                Notice::Published(id, published),
            ),
            (
                "ended ID stopped 9 17",
                Notice::Ended(id, End::Stopped, EventId { seq: 9, time: 17 }),
            ),
            (
                "audience ID 2 debug =a b",
                Notice::Audience(id, state(requested)),
            ),
            (
                "audience ID 2 ",
                Notice::Audience(id, state(Requested::default())),
            ),
            ("lost ID 7", Notice::Lost(id, 7)),
            ("report ID", Notice::Report(id)),
            ("room ID", Notice::Room(id)),
            ("beat 12", Notice::Beat(12)),
        ] {
            assert_eq!(parse(text), Some(notice), "{text}");
        }
    }

    #[test]
    fn malformed_notices_are_ignored() {
        for text in [
            "",
            "beat",
            "beat x",
            "report 3f2b8c1e",
            "published ID 3",
            "published ID 3 7\n9:5 Ta",
            "published ID 3 7\n4:5 Taa",
            "published ID 3 7\n4:5 Xa",
            "ended ID burnt 9 17",
            "audience ID many ",
            "lost ID",
            "audience ID 2 loud -",
            "elsewhere ID",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Notice::parse(&bytes);
            let line = format!("published {ID} 1 1\n").into_bytes();
            let _ = Notice::parse(&[line, bytes].concat());
        }
    }
}
