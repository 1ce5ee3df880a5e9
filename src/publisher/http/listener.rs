//! Listening to the control requests of watchers, in the publisher's own thread.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::sender::Sender;
use crate::client::control_feed::ControlUpdate;
use crate::client::retry::Backoff;
use crate::event::ClientId;
use crate::message::Operation;

/// The age of a scope from which on its client's control stream is read. Before, control requests come with the answers.
const LISTEN_AFTER: Duration = Duration::from_millis(250);
/// The shortest and the longest pause after a control stream that ended or was refused.
const LISTEN_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));

type FirstOperation = watch::Receiver<Option<Operation>>;

impl Sender {
    /// Reads a client's control stream, again and again, until `over`.
    pub(super) async fn listen(self: Arc<Self>, id: ClientId, over: CancellationToken) {
        let listen = async {
            sleep(LISTEN_AFTER).await;
            let Some(mut first) = self.queue.first_operation(id) else {
                return;
            };
            let mut pauses = Backoff::new(LISTEN_AGAIN.0, LISTEN_AGAIN.1);
            loop {
                let is_outdated = self.read_control(id, &mut first, &mut pauses).await;
                self.queue.lost_control_stream(id);
                if !is_outdated {
                    sleep(pauses.next(None, None).1).await;
                }
            }
        };
        tokio::select! {
            () = listen => {}
            () = over.cancelled() => {}
        }
    }

    /// Reads a control stream to its end. Returns whether its operation is over, so that another stream is needed: if this one
    /// were opened again, watchers would be told that the operation lost its publisher.
    async fn read_control(
        &self,
        id: ClientId,
        first: &mut FirstOperation,
        pauses: &mut Backoff,
    ) -> bool {
        let operation = first.borrow_and_update().clone();
        let mut feed = self.client.listen(id, operation.as_ref());
        loop {
            let update = tokio::select! {
                update = feed.next() => update,
                () = another(first, operation.as_ref()) => return true,
            };
            match update {
                Some(Ok(ControlUpdate::State(state))) => {
                    pauses.reset();
                    self.queue.wake_dormant(id);
                    self.queue.set_control(id, state, true);
                }
                Some(Ok(ControlUpdate::Lost)) => {
                    self.queue.lost_control_stream(id);
                    if *first.borrow() != operation {
                        return true;
                    }
                }
                Some(Err(_)) | None => return false,
            }
        }
    }
}

/// Waits until another operation than this one has been the first for some time: most are short.
async fn another(first: &mut FirstOperation, operation: Option<&Operation>) {
    let is_another = |it: &Option<Operation>| it.is_some() && it.as_ref() != operation;
    while first.wait_for(is_another).await.is_ok() {
        sleep(LISTEN_AFTER).await;
        if is_another(&first.borrow()) {
            return;
        }
    }
    // The client was removed, which ends its listener.
    pending::<()>().await;
}
