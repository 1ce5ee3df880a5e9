//! Subscribers, and the counts of what they get.
//!
//! Every message contains one byte that occurs nowhere else in a stream, its heads or its chunks. So deliveries are
//! counted by counting that byte, wherever reads and chunks begin and end.

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use anyhow::bail;
use tokio::{net::TcpStream, sync::Notify, task::spawn_local, time::timeout};

use crate::http::Connection;

/// Occurs once in each message and nowhere else.
pub(crate) const MARK: u8 = b'~';
/// Length of the buffer in bytes, which all subscribers share, since they read in one thread.
const BUFFER: usize = 256 * 1024;
/// Time without a delivery after which the rest counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns a text of `length` bytes with its mark.
pub(crate) fn text(length: usize) -> String {
    format!("{}{:.>width$}", char::from(MARK), "", width = length - 1)
}

/// The deliveries to all subscribers.
pub(crate) struct Tally {
    /// Deliveries of each channel.
    channels: Vec<Cell<u64>>,
    total: Cell<u64>,
    changed: Notify,
    buffer: RefCell<Box<[u8]>>,
}

impl Tally {
    pub(crate) fn new(channels: usize) -> Rc<Self> {
        Rc::new(Self {
            channels: vec![Cell::new(0); channels],
            total: Cell::new(0),
            changed: Notify::new(),
            buffer: RefCell::new(vec![0; BUFFER].into()),
        })
    }

    fn count(&self, channel: usize, bytes: &[u8]) {
        let marks = memchr::memchr_iter(MARK, bytes).count() as u64;
        let seen = &self.channels[channel];
        seen.set(seen.get() + marks);
        self.total.set(self.total.get() + marks);
        self.changed.notify_waiters();
    }

    /// Returns the number of deliveries.
    pub(crate) fn total(&self) -> u64 {
        self.total.get()
    }

    /// Waits until a channel has had `deliveries`.
    pub(crate) async fn reach(&self, channel: usize, deliveries: u64) -> anyhow::Result<()> {
        self.wait(deliveries, || self.channels[channel].get()).await
    }

    /// Waits until all channels together have had `deliveries`, and checks that there are no more.
    pub(crate) async fn complete(&self, deliveries: u64) -> anyhow::Result<()> {
        self.wait(deliveries, || self.total.get()).await?;
        // A repeated delivery would arrive now.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let total = self.total.get();
        if total > deliveries {
            bail!("{total} deliveries arrived instead of {deliveries}");
        }
        Ok(())
    }

    async fn wait(&self, deliveries: u64, count: impl Fn() -> u64) -> anyhow::Result<()> {
        loop {
            let now = count();
            if now >= deliveries {
                return Ok(());
            }
            let total = self.total.get();
            let changed = timeout(PATIENCE, self.changed.notified()).await;
            if changed.is_err() && self.total.get() == total {
                bail!("{now} of {deliveries} deliveries arrived");
            }
        }
    }

    /// Opens a subscriber of `id`, whose deliveries count for `channel`. Returns once it has its greeting.
    pub(crate) async fn subscribe(
        self: &Rc<Self>,
        server: SocketAddr,
        id: &str,
        channel: usize,
    ) -> anyhow::Result<()> {
        let stream = Connection::open(server).await?.subscribe(id).await?;
        let tally = Rc::clone(self);
        spawn_local(async move {
            let take = |bytes: &[u8]| tally.count(channel, bytes);
            // A stream that ends early shows in the count.
            let _ = read(&stream, &tally.buffer, take).await;
        });
        Ok(())
    }
}

/// Passes on everything read, until the stream ends.
pub(crate) async fn read(
    stream: &TcpStream,
    buffer: &RefCell<Box<[u8]>>,
    mut take: impl FnMut(&[u8]),
) -> io::Result<()> {
    loop {
        stream.readable().await?;
        let mut buffer = buffer.borrow_mut();
        match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => take(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
