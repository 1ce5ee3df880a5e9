//! The reference for the store's CPU: the shortest script that keeps messages for a replay and delivers them live, sent
//! by a client that does nothing else.

use anyhow::ensure;

use super::store::{Answer, Client, Store, command, spent};

/// Keeps about as many messages as a server's log, for as long as a channel may be idle, and publishes to listeners.
const SCRIPT: &str =
    "local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', 1024, '*', 'message', ARGV[1])
redis.call('PEXPIRE', KEYS[1], 900000)
redis.call('PUBLISH', KEYS[1], ARGV[1])
return id";
/// Messages that fill a stream.
const FULL: u64 = 1200;
const FILLED_AT_ONCE: u64 = 500;

/// The client, and a publish to each of its channels.
pub(crate) struct Bare {
    client: Client,
    commands: Vec<Vec<u8>>,
}

impl Bare {
    /// Loads the script, and fills channels for it.
    pub(crate) fn new(store: &Store, channels: usize, text: &str) -> anyhow::Result<Self> {
        let mut client = store.client()?;
        let name = client.ask(&["SCRIPT", "LOAD", SCRIPT])?.text()?;
        let publish = |channel| {
            let key = format!("bare:{channel}");
            command(&["EVALSHA", &name, "1", &key, text])
        };
        let mut bare = Self {
            client,
            commands: (0..channels).map(publish).collect(),
        };
        bare.publish(channels as u64 * FULL, FILLED_AT_ONCE)?;
        Ok(bare)
    }

    /// Creates a client that sends these commands.
    pub(crate) fn sending(
        store: &Store,
        commands: impl IntoIterator<Item = Vec<u8>>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            client: store.client()?,
            commands: commands.into_iter().collect(),
        })
    }

    /// Returns the CPU that the store needs for one of `messages` publishes, with `at_once` in a request, in
    /// microseconds.
    pub(super) fn cost(
        &mut self,
        store: &Store,
        messages: u64,
        at_once: f64,
    ) -> anyhow::Result<f64> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let at_once = at_once.round().max(1.0) as u64;
        let before = store.spent()?;
        self.publish(messages, at_once)?;
        Ok(spent(before, store.spent()?, messages).0)
    }

    /// Sends `count` commands, for all channels in turn, `at_once` in a request.
    pub(crate) fn publish(&mut self, count: u64, at_once: u64) -> anyhow::Result<()> {
        let (mut commands, mut left) = (self.commands.iter().cycle(), count);
        let mut bytes = Vec::new();
        while left > 0 {
            let count = at_once.min(left);
            bytes.clear();
            for command in commands.by_ref().take(usize::try_from(count)?) {
                bytes.extend_from_slice(command);
            }
            self.client.send(&bytes)?;
            for _ in 0..count {
                let answer = self.client.answer()?;
                ensure!(is_receipt(&answer), "{answer:?}");
            }
            left -= count;
        }
        Ok(())
    }
}

/// Returns whether a script accepted what it was sent: the answer is the place in the stream, or begins with "ok".
fn is_receipt(answer: &Answer) -> bool {
    match answer {
        Answer::Bytes(place) => place.first().is_some_and(u8::is_ascii_digit),
        Answer::Many(parts) => parts.first() == Some(&Answer::Bytes(b"ok".into())),
        _ => false,
    }
}
