//! Publishing to a server over HTTP: callers push into a queue, and one thread sends.

mod queue;
mod sender;

use std::sync::{Arc, OnceLock, Weak, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;

pub(crate) use self::queue::Controlled;
use self::sender::{REQUESTS, Sender};
use super::PublisherStats;
use crate::client::Client;
use crate::event::ClientId;
use crate::message::{Message, Operation};

/// A server that takes the messages.
pub(crate) struct HttpDestination {
    sender: Arc<Sender>,
    /// Where the thread's tasks are spawned, once there is one; `None` if the system has no room for it.
    thread: OnceLock<Option<Handle>>,
    /// Ends the thread.
    over: CancellationToken,
}

impl HttpDestination {
    pub(super) fn new(client: Client) -> Self {
        Self {
            sender: Arc::new(Sender::new(client)),
            thread: OnceLock::new(),
            over: CancellationToken::new(),
        }
    }

    pub(super) fn publish(&self, id: ClientId, message: Message, is_kept: bool) {
        self.sender.queue.push(id, message, is_kept);
        // Not when the publisher is made: a process may fork before it works on requests.
        self.thread();
    }

    /// Has a scope told what is asked of its client's publishers.
    pub(crate) fn enter(&self, id: ClientId, scope: &Weak<dyn Controlled>) {
        let listener = self.sender.queue.enter(id, scope);
        if let (Some(over), Some(thread)) = (listener, self.thread()) {
            thread.spawn(Arc::clone(&self.sender).listen(id, over));
        }
    }

    pub(crate) fn leave(&self, id: ClientId) {
        self.sender.queue.leave(id);
    }

    pub(super) fn began(&self, id: ClientId, operation: &Operation) {
        self.sender.queue.began(id, operation);
    }

    pub(super) fn stats(&self) -> PublisherStats {
        PublisherStats {
            away: self.sender.away(),
            ..self.sender.queue.stats()
        }
    }

    /// Waits until everything is sent, for at most this long.
    pub(super) async fn flush(&self, within: Duration) {
        let Some(thread) = self.thread.get().and_then(Option::as_ref) else {
            return;
        };
        let sender = Arc::clone(&self.sender);
        // In the publisher's own thread, so that any executor may wait for it.
        let empty = async move {
            let _ = tokio::time::timeout(within, sender.queue.empty()).await;
        };
        let _ = thread.spawn(empty).await;
    }

    fn thread(&self) -> Option<&Handle> {
        let start = || start(&self.sender, self.over.clone());
        let thread = self.thread.get_or_init(start);
        thread.as_ref()
    }
}

impl Drop for HttpDestination {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

/// Starts the thread that sends, with a runtime of its own.
fn start(sender: &Arc<Sender>, over: CancellationToken) -> Option<Handle> {
    let (give, take) = mpsc::sync_channel::<Runtime>(1);
    let run = move || {
        if let Ok(runtime) = take.recv() {
            runtime.block_on(over.cancelled());
        }
    };
    // The thread comes first: a runtime for which there is none would be dropped here, which panics in async code.
    let started = thread::Builder::new().name("codechat".into()).spawn(run);
    let started = started.and_then(|_| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        for _ in 0..REQUESTS {
            handle.spawn(Arc::clone(sender).run());
        }
        give.send(runtime).expect("the thread waits for it");
        Ok(handle)
    });
    if let Err(error) = &started {
        tracing::error!(target: "codechat", "nothing is published: no thread can be started: {error}");
        sender.queue.turn_off();
    }
    started.ok()
}
