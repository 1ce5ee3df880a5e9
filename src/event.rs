//! What stands in a stream: the [`Event`] a message becomes when the server takes it, the IDs that
//! name streams and events, and the two things a stream can say beside events, [`Gap`] and [`End`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;
use uuid::{Uuid, Variant};

use crate::message::Message;

/// Names one debug stream, and is its capability: who knows it may read, write and stop the stream.
///
/// A version 4 UUID, so that it cannot be guessed; printed in canonical lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(Uuid);

impl ClientId {
    /// A new random ID.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Its 16 bytes: as random as it gets, so good for choosing a shard.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// What logs may show of it: the first 8 characters.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A text that is no client ID.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "a client ID is a version 4 UUID such as {example}",
    example = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b"
)]
pub struct NotAClientId;

impl FromStr for ClientId {
    type Err = NotAClientId;

    /// Reads the hyphenated form, in either case.
    fn from_str(text: &str) -> Result<Self, NotAClientId> {
        const HYPHENATED: usize = 36;
        let uuid = Uuid::try_parse(text).map_err(|_| NotAClientId)?;
        let version_4 = uuid.get_version_num() == 4 && uuid.get_variant() == Variant::RFC4122;
        if text.len() == HYPHENATED && version_4 {
            Ok(Self(uuid))
        } else {
            Err(NotAClientId)
        }
    }
}

/// A point in time on the server's clock: milliseconds since 1970, UTC.
pub type UnixMillis = u64;

/// Where an event stands: `<seq>-<unix ms>`.
///
/// `seq` counts the channel's messages from 1 without holes (0 stands before the first); the second
/// part is when the server took the message. Together they tell a position in this channel from one
/// in an earlier channel of the same ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// The message's number in its channel.
    pub seq: u64,
    /// When the server took it.
    pub time: UnixMillis,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.seq, self.time)
    }
}

/// A text that is no event ID.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("an event ID is a number, a hyphen and a time in milliseconds, such as 17-1732262400123")]
pub struct NotAnEventId;

impl FromStr for EventId {
    type Err = NotAnEventId;

    fn from_str(text: &str) -> Result<Self, NotAnEventId> {
        let bytes = text.as_bytes();
        let hyphen = bytes.iter().position(|it| *it == b'-');
        let (seq, time) = bytes.split_at(hyphen.ok_or(NotAnEventId)?);
        Ok(Self {
            seq: number(seq).ok_or(NotAnEventId)?,
            time: number(&time[1..]).ok_or(NotAnEventId)?,
        })
    }
}

/// Reads digits alone: `u64::from_str` takes a leading `+`, which no event ID has. It also takes so much
/// longer that it shows where a watch reads a million events.
fn number(digits: &[u8]) -> Option<u64> {
    /// So many digits always fit.
    const FIT: usize = 19;
    let value = |digit: &u8| {
        let value = digit.wrapping_sub(b'0');
        (value <= 9).then_some(u64::from(value))
    };
    let (fitting, rest) = digits.split_at(digits.len().min(FIT));
    let mut sum = 0u64;
    for digit in fitting {
        sum = sum * 10 + value(digit)?;
    }
    for digit in rest {
        sum = sum.checked_mul(10)?.checked_add(value(digit)?)?;
    }
    (!digits.is_empty()).then_some(sum)
}

/// A message that a channel has accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its place.
    pub id: EventId,
    /// What was said.
    pub message: Message,
}

/// How a stream writes its events' data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The message's text alone: what simple clients show as it is.
    #[default]
    Text,
    /// The whole message as one JSON object on one line.
    Json,
}

impl Format {
    /// Its name in `?format=` and in the header `Sse-Format`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl FromStr for Format {
    type Err = NotAFormat;

    fn from_str(name: &str) -> Result<Self, NotAFormat> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(NotAFormat),
        }
    }
}

/// A text that names no format.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("format must be text or json")]
pub struct NotAFormat;

/// Messages that are gone for one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The log dropped these before the subscriber had read them.
    Known {
        /// The first lost message's number.
        from: u64,
        /// The last lost message's number; not below `from`.
        to: u64,
    },
    /// These had been dropped before the subscriber read the channel for the first time. Only readers tell it from
    /// [`Gap::Known`].
    BeforeJoining {
        /// The number of the last of them; the first is 1.
        to: u64,
    },
    /// The subscriber was away, and the server keeps no messages for those who are. Only readers tell this.
    Possible,
    /// The subscriber's cursor is from before this channel; how much was lost since cannot be known.
    Unknown,
}

impl Gap {
    /// How many messages are gone, if that is known. Numbers that cannot be are counted up to the largest.
    #[must_use]
    pub fn missed(self) -> Option<u64> {
        match self {
            Self::Known { from, to } => Some((to - from).saturating_add(1)),
            Self::BeforeJoining { to } => Some(to),
            Self::Possible | Self::Unknown => None,
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known { from, to } if from == to => write!(f, "1 message lost ({from})"),
            Self::Known { from, to } => {
                let missed = (to - from).saturating_add(1);
                write!(f, "{missed} messages lost ({from}–{to})")
            }
            Self::BeforeJoining { to: 1 } => f.write_str("1 older message is no longer held"),
            Self::BeforeJoining { to } => write!(f, "{to} older messages are no longer held"),
            Self::Possible => {
                f.write_str("reconnected; this server keeps no messages, some may be missing")
            }
            Self::Unknown => {
                f.write_str("the server restarted; messages may be lost, how many is not known")
            }
        }
    }
}

/// Why a stream is over for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Somebody stopped it.
    Stopped,
    /// Nothing happened for the idle timeout.
    Idle,
    /// The server was inside a watcher, which has ended.
    Quit,
}

impl End {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Stopped, Self::Idle, Self::Quit];

    /// The reason that has this name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Idle => "idle",
            Self::Quit => "quit",
        }
    }
}

/// What a server knows of a client when a stream of it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPast {
    /// Nothing was published to it yet.
    New,
    /// Something was.
    Known,
    /// A client with this ID ended, and this is a new one.
    Ended {
        /// Why.
        end: End,
        /// When.
        at: UnixMillis,
    },
}

/// The server's clock, as it stands in event IDs.
#[must_use]
pub fn unix_millis() -> UnixMillis {
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_a_version_4_uuid_in_either_case() {
        let id = ClientId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        for bad in [
            "",
            "abc",
            "00000000-0000-0000-0000-000000000000",
            "3f2b8c1e5d474a9b8e601c2d3e4f5a6b",
            "{3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b}",
            "3f2b8c1e-5d47-1a9b-8e60-1c2d3e4f5a6b",
        ] {
            assert_eq!(bad.parse::<ClientId>(), Err(NotAClientId), "{bad:?}");
        }
    }

    #[test]
    fn an_event_id_is_read_strictly() {
        let id = EventId {
            seq: 17,
            time: 1_732_262_400_123,
        };
        assert_eq!(id.to_string(), "17-1732262400123");
        assert_eq!(id.to_string().parse(), Ok(id));
        let last = "18446744073709551615-18446744073709551615".parse();
        let (seq, time) = (u64::MAX, u64::MAX);
        assert_eq!(last, Ok(EventId { seq, time }));
        for bad in [
            "18446744073709551616-1",
            "",
            "-",
            "17",
            "17-",
            "-5",
            "+1-2",
            "1-+2",
            "1-2-3",
            "a-b",
            "1 -2",
            "99999999999999999999-1",
        ] {
            assert_eq!(bad.parse::<EventId>(), Err(NotAnEventId), "{bad:?}");
        }
    }

    #[test]
    fn a_gap_says_how_much_was_lost() {
        let gap = Gap::Known { from: 18, to: 120 };
        assert_eq!(gap.missed(), Some(103));
        assert_eq!(gap.to_string(), "103 messages lost (18–120)");
        assert_eq!(Gap::Unknown.missed(), None);
        let all = Gap::Known {
            from: 0,
            to: u64::MAX,
        };
        assert_eq!(all.missed(), Some(u64::MAX));
        let older = Gap::BeforeJoining { to: 17 };
        assert_eq!(older.to_string(), "17 older messages are no longer held");
    }
}
