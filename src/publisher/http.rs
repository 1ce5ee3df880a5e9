//! Publishing to a server over HTTP: callers push into a queue, and one thread sends.

mod listener;
mod queue;
mod sender;

use std::process;
use std::sync::{Arc, OnceLock, Weak, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;

pub(crate) use self::queue::{Controlled, Standing};
use self::sender::{REQUESTS, Sender};
use super::PublisherStats;
use crate::client::Client;
use crate::event::ClientId;
use crate::message::{Message, Operation};

/// A server as the destination of messages.
pub(crate) struct HttpDestination {
    sender: Arc<Sender>,
    /// The thread that sends, once it was started; `None` if the system could not start it.
    thread: OnceLock<Option<Thread>>,
    /// Ends the thread.
    over: CancellationToken,
}

/// A thread with a runtime of its own.
struct Thread {
    /// Spawns tasks in it.
    tasks: Handle,
    /// The process that it is in.
    process: u32,
}

impl Thread {
    /// Returns whether it is in this process. The child of a fork does not have it.
    fn is_here(&self) -> bool {
        self.process == process::id()
    }
}

impl HttpDestination {
    pub(super) fn new(client: Client) -> Self {
        Self {
            sender: Arc::new(Sender::new(client)),
            thread: OnceLock::new(),
            over: CancellationToken::new(),
        }
    }

    pub(super) fn publish(&self, id: ClientId, message: Message) {
        self.sender.queue.push(id, message);
        // Not started when the publisher is made: a process may fork before it works on requests.
        self.thread();
    }

    /// Adds a scope, which gets its client's control requests from now on.
    pub(crate) fn enter(&self, id: ClientId, scope: &Weak<dyn Controlled>) {
        let listener = self.sender.queue.enter(id, scope);
        if let (Some(over), Some(thread)) = (listener, self.thread()) {
            thread
                .tasks
                .spawn(Arc::clone(&self.sender).listen(id, over));
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

    /// Waits until everything is sent, for at most this long; not at all if no thread sends.
    pub(super) async fn flush(&self, within: Duration) {
        let thread = self.thread.get().and_then(Option::as_ref);
        let Some(thread) = thread.filter(|it| it.is_here()) else {
            return;
        };
        let sender = Arc::clone(&self.sender);
        // In the publisher's own thread, so that any executor may wait for it.
        let empty = async move {
            let _ = tokio::time::timeout(within, sender.queue.empty()).await;
        };
        let _ = thread.tasks.spawn(empty).await;
    }

    fn thread(&self) -> Option<&Thread> {
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
fn start(sender: &Arc<Sender>, over: CancellationToken) -> Option<Thread> {
    let (give, take) = mpsc::sync_channel::<Runtime>(1);
    let run = move || {
        if let Ok(runtime) = take.recv() {
            runtime.block_on(over.cancelled());
        }
    };
    // The thread first: if it cannot be started, a runtime would be dropped here, which panics in async code.
    let started = thread::Builder::new().name("codechat".into()).spawn(run);
    let started = started.and_then(|_| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let tasks = runtime.handle().clone();
        for _ in 0..REQUESTS {
            tasks.spawn(Arc::clone(sender).run());
        }
        give.send(runtime).expect("the thread waits for it");
        let process = process::id();
        Ok(Thread { tasks, process })
    });
    if let Err(error) = &started {
        tracing::error!(target: "codechat", "nothing is published: no thread can be started: {error}");
        sender.queue.turn_off();
    }
    started.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use futures_util::FutureExt;

    use super::*;
    use crate::client::ClientOptions;
    use crate::control::{Cancel, ControlState, Requested};
    use crate::message::{Level, Outcome};
    use crate::publisher::destination::Destination;
    use crate::scope::Scope;

    /// Returns a destination at which no server listens.
    fn destination() -> HttpDestination {
        let server = "http://127.0.0.1:9".parse().unwrap();
        HttpDestination::new(Client::new(server, ClientOptions::default()).unwrap())
    }

    fn queue(destination: &Destination) -> &queue::Queue {
        &destination.as_http().unwrap().sender.queue
    }

    /// Returns a watcher's control request.
    fn asks(level: Option<Level>, cancel: Option<Cancel>) -> ControlState {
        ControlState {
            subscribers: 1,
            requested: Requested { level, cancel },
        }
    }

    #[tokio::test]
    async fn a_flush_in_another_process_than_the_thread_returns_at_once() {
        let destination = destination();
        destination.publish(ClientId::random(), Message::text("x"));
        let thread = destination.thread().unwrap();
        let forked = HttpDestination {
            sender: Arc::clone(&destination.sender),
            thread: OnceLock::from(Some(Thread {
                // As in the child of a fork: its tasks are never run.
                tasks: thread.tasks.clone(),
                process: thread.process + 1,
            })),
            over: CancellationToken::new(),
        };
        forked.flush(Duration::MAX).await;
        assert_eq!(forked.stats().pending, 1);
    }

    #[test]
    fn a_cancel_ends_with_its_operation_even_if_the_server_reports_it_longer() {
        let destination = Arc::new(Destination::http(destination()));
        let id = ClientId::random();
        let scope = Scope::new(Arc::clone(&destination), id);
        let other = Scope::new(Arc::clone(&destination), id);
        let (first, beside) = (scope.operation("a"), other.operation("b"));
        let cancel = asks(None, Some(Cancel::default()));
        queue(&destination).set_control(id, cancel.clone(), false);
        assert!(first.is_cancelled() && beside.is_cancelled());
        first.finish(Outcome::Cancelled);
        // The answer to what was sent before the outcome.
        queue(&destination).set_control(id, cancel.clone(), false);
        let next = scope.operation("a");
        assert!(!next.is_cancelled() && !scope.cancelled().is_cancelled());
        assert!(beside.is_cancelled() && other.cancelled().is_cancelled());
        // The server reports no cancel any more, and then a new one.
        queue(&destination).set_control(id, asks(None, None), false);
        queue(&destination).set_control(id, cancel, false);
        assert!(next.is_cancelled() && scope.cancelled().is_cancelled());
    }

    #[test]
    fn control_requests_end_if_the_server_does_not_know_the_client() {
        let destination = Arc::new(Destination::http(destination()));
        let id = ClientId::random();
        let scope = Scope::new(Arc::clone(&destination), id);
        let asked = asks(Some(Level::Trace), Some(Cancel::default()));
        queue(&destination).set_control(id, asked, false);
        assert!(scope.wants(Level::Trace) && scope.cancelled().is_cancelled());
        let other = queue::Queue::default();
        other.push(id, Message::text("x"));
        let batch = other.next().now_or_never().unwrap();
        queue(&destination).make_dormant(&batch);
        assert!(!scope.wants(Level::Error));
        queue(&destination).wake(id);
        assert!(scope.wants(Level::Info) && !scope.wants(Level::Debug));
        assert!(!scope.cancelled().is_cancelled());
        assert_eq!(scope.control(), ControlState::default());
    }

    #[test]
    fn a_scope_that_is_added_while_its_client_wakes_is_awake() {
        let destination = Arc::new(Destination::http(destination()));
        let id = ClientId::random();
        let _first = Scope::new(Arc::clone(&destination), id);
        let other = queue::Queue::default();
        other.push(id, Message::text("x"));
        let batch = other.next().now_or_never().unwrap();
        for round in 0..2000 {
            queue(&destination).make_dormant(&batch);
            let both = Barrier::new(2);
            let scope = thread::scope(|threads| {
                threads.spawn(|| {
                    both.wait();
                    queue(&destination).wake(id);
                });
                both.wait();
                Scope::new(Arc::clone(&destination), id)
            });
            assert!(scope.wants(Level::Info), "round {round}");
        }
    }
}
