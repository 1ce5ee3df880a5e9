//! The connection's state.

use std::time::Duration;

use super::timestamps;
use crate::client::subscribe::Update;
use crate::event::End;

/// The state of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConnectionState {
    /// Connecting.
    #[default]
    Connecting,
    /// Connected.
    Live,
    /// The connection was lost.
    Retrying {
        /// How many attempts have failed.
        attempt: u32,
        /// When the next one is due.
        due: Duration,
        /// Why the connection was lost.
        reason: Box<str>,
    },
    /// The stream has ended.
    Ended,
    /// The stream can no longer be read, for this reason.
    Failed(String),
}

/// The connection's state, and when something last came.
#[derive(Clone, Debug)]
pub struct Connection {
    /// How the stream is being read.
    pub state: ConnectionState,
    /// When the last message came.
    pub last_message: Option<Duration>,
    /// When anything last came, also a heartbeat.
    pub last_sign: Option<Duration>,
    /// Whether the server is codechat's, as far as known.
    pub is_codechat: bool,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            state: ConnectionState::default(),
            last_message: None,
            last_sign: None,
            is_codechat: true,
        }
    }
}

impl Connection {
    /// Takes an update.
    pub fn update(&mut self, update: &Update, now: Duration) {
        let sign = match update {
            Update::Retrying {
                attempt,
                delay,
                reason,
            } => {
                self.state = ConnectionState::Retrying {
                    attempt: *attempt,
                    due: now + *delay,
                    reason: reason.clone(),
                };
                false
            }
            // The watch subscribes again.
            Update::End(End::Idle) => {
                self.state = ConnectionState::Connecting;
                true
            }
            Update::End(End::Stopped | End::Quit) | Update::Gone => {
                self.state = ConnectionState::Ended;
                true
            }
            Update::Connected { is_codechat, .. } => {
                self.state = ConnectionState::Live;
                self.is_codechat = *is_codechat;
                true
            }
            Update::Heartbeat | Update::Gap(_) => {
                self.state = ConnectionState::Live;
                true
            }
            Update::Note(_) => false,
            Update::Message(received) => {
                self.state = ConnectionState::Live;
                if !received.message.system {
                    self.last_message = Some(now);
                }
                true
            }
        };
        if sign {
            self.last_sign = Some(now);
        }
    }

    /// Returns whether something may still come.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(
            self.state,
            ConnectionState::Ended | ConnectionState::Failed(_)
        )
    }

    /// Returns how long until its text changes with time alone.
    #[must_use]
    pub fn wake(&self, now: Duration) -> Option<Duration> {
        let ages = [self.last_message, self.last_sign];
        let ages = ages
            .into_iter()
            .flatten()
            .map(|it| timestamps::age_changes(now.saturating_sub(it)));
        match &self.state {
            ConnectionState::Retrying { due, .. } if *due > now => {
                Some(timestamps::countdown_changes(due.saturating_sub(now)))
            }
            ConnectionState::Live => ages.min(),
            _ => None,
        }
    }
}
