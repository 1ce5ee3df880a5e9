//! The connection that is subscribed to this node's inbox in the store.
//!
//! Notices are read only as fast as they are applied, so the store bounds how many wait: it disconnects a reader that
//! is too slow (`client-output-buffer-limit pubsub`), after which the mirrors are renewed.

use std::io::{self, ErrorKind};
use std::str::FromStr;

use redis::Cmd;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::address::Socket;
use super::link::LinkOptions;

/// Upper bound of a notice, in bytes: far above what a script sends at once.
const NOTICE_MAX: usize = 64 << 20;
/// Upper bound of a line of the protocol, in bytes.
const LINE_MAX: u64 = 1024;

/// A subscribed connection.
pub(super) struct Feed(BufReader<Box<dyn Socket>>);

impl Feed {
    /// Connects, and subscribes to an inbox.
    ///
    /// # Errors
    /// If the store cannot be reached, or refuses.
    pub(super) async fn open(options: &LinkOptions, inbox: &str) -> io::Result<Self> {
        let socket = options.address.dial().await?;
        let mut feed = Self(BufReader::new(socket));
        let info = options.address.introduction(options.password.as_ref());
        if let Some(password) = info.password() {
            let mut auth = redis::cmd("AUTH");
            if let Some(user) = info.username() {
                auth.arg(user);
            }
            feed.say(auth.arg(password)).await?;
            feed.line().await?;
        }
        feed.say(redis::cmd("SUBSCRIBE").arg(inbox)).await?;
        // The confirmation: its name, the inbox, and a number.
        feed.head(b'*').await?;
        feed.bulk().await?;
        feed.bulk().await?;
        feed.line().await?;
        Ok(feed)
    }

    /// Waits for the next notice.
    ///
    /// # Errors
    /// If the connection breaks.
    pub(super) async fn next(&mut self) -> io::Result<Vec<u8>> {
        let parts = self.head(b'*').await?;
        let kind = self.bulk().await?;
        self.bulk().await?;
        match (&*kind, parts) {
            (b"message", 3) => self.bulk().await,
            _ => Err(malformed("a push that is not a message")),
        }
    }

    async fn say(&mut self, command: &Cmd) -> io::Result<()> {
        self.0.write_all(&command.get_packed_command()).await
    }

    /// Reads a line of the protocol, without its line end.
    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let read = (&mut self.0).take(LINE_MAX).read_line(&mut line).await?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        match line.strip_suffix("\r\n") {
            Some(error) if error.starts_with('-') => Err(io::Error::other(error[1..].to_owned())),
            Some(line) => Ok(line.to_owned()),
            None => Err(malformed("a line without a line end")),
        }
    }

    /// Reads the number after a type's mark.
    async fn head(&mut self, mark: u8) -> io::Result<usize> {
        let line = self.line().await?;
        let number = line.strip_prefix(char::from(mark)).map(usize::from_str);
        match number {
            Some(Ok(number)) => Ok(number),
            _ => Err(malformed("an unexpected type")),
        }
    }

    async fn bulk(&mut self) -> io::Result<Vec<u8>> {
        let length = self.head(b'$').await?;
        if length > NOTICE_MAX {
            return Err(malformed("a notice that is too long"));
        }
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes).await?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the store sent {what}"))
}
