//! What a stream consists of: [`Event`]s, which are messages that the server has accepted, the IDs of clients and
//! events, and the two kinds of notice in a stream, [`Gap`] and [`End`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;
use uuid::{Uuid, Variant};

use crate::message::Message;

/// The ID of a client, and the key to its stream: anyone who knows it may read, publish and stop the stream.
///
/// It is a version 4 UUID, so that it cannot be guessed; printed in canonical lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(Uuid);

impl ClientId {
    /// Creates a random ID.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Returns its 16 bytes, which are random, so good for choosing a shard.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Returns the part that logs may show: the first 8 characters.
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

/// Why a text is not a client ID.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "a client ID is a version 4 UUID such as {example}",
    example = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b"
)]
#[non_exhaustive]
pub struct NotAClientId;

impl FromStr for ClientId {
    type Err = NotAClientId;

    /// Parses the hyphenated form, in either case.
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

/// A time on the server's clock, in milliseconds since 1970, UTC.
pub type UnixMillis = u64;

/// The position of an event in a channel: `<seq>-<unix ms>`.
///
/// `seq` numbers the channel's messages from 1 without holes (0 is before the first); the second part is when the
/// server accepted the message. Together they distinguish a position in this channel from one in an earlier channel
/// with the same ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// The message's number in its channel.
    pub seq: u64,
    /// When the server accepted it.
    pub time: UnixMillis,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.seq, self.time)
    }
}

/// Why a text is not an event ID.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("an event ID is a number, a hyphen and a time in milliseconds, such as 17-1732262400123")]
#[non_exhaustive]
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

/// Parses digits alone: `u64::from_str` accepts a leading `+`, which no event ID has. It is also slower, noticeably
/// when a watch reads a million events.
fn number(digits: &[u8]) -> Option<u64> {
    /// Number of digits that always fit.
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
    /// Its position.
    pub id: EventId,
    /// The message.
    pub message: Message,
}

/// The format of a stream's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// The message's text alone, for simple clients.
    #[default]
    Text,
    /// The whole message as one JSON object on one line.
    Json,
}

impl Format {
    /// Returns its name in `?format=` and in the header `Sse-Format`.
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

/// Why a text is not a format.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("format must be text or json")]
#[non_exhaustive]
pub struct NotAFormat;

/// Messages that one subscriber lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gap {
    /// The log dropped these before the subscriber had read them.
    Known {
        /// The first lost message's number.
        from: u64,
        /// The last lost message's number; not below `from`.
        to: u64,
    },
    /// The log had dropped these before the subscriber first read the channel. Only readers distinguish it from
    /// [`Gap::Known`].
    BeforeJoining {
        /// The number of the last of them; the first is 1.
        to: u64,
    },
    /// The subscriber was away, and the server keeps no messages. Only readers produce this.
    Possible,
    /// The subscriber's cursor is from before this channel; how much was lost cannot be known.
    Unknown,
}

impl Gap {
    /// Returns how many messages were lost, if known. Impossible numbers saturate.
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

/// Why a stream has ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Somebody stopped it.
    Stopped,
    /// Nothing happened for the idle timeout.
    Idle,
    /// The server ran inside a watch, which has ended.
    Quit,
}

impl End {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Stopped, Self::Idle, Self::Quit];

    /// Returns the reason with this name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// Returns its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Idle => "idle",
            Self::Quit => "quit",
        }
    }
}

/// What a server knows of a client when a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPast {
    /// Nothing has been published to it.
    New,
    /// Something has been published to it.
    Known,
    /// A client with this ID has ended, and this is a new one.
    Ended {
        /// Why.
        end: End,
        /// When.
        at: UnixMillis,
    },
}

/// Returns the time on the server's clock, as in event IDs.
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
