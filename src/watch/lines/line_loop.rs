//! Carries updates from the stream to the model and the view, a burst at a time.

use futures_util::{FutureExt, Stream, StreamExt};

use super::Pipe;
use crate::client::subscribe::{FeedError, Update};
use crate::watch::clock::Clock;
use crate::watch::model::{Model, Verdict};

/// Why the loop ended.
#[derive(Debug)]
pub enum LoopEnd {
    /// The model reached a verdict.
    Over(Verdict),
    /// Nobody reads stdout any more.
    OutputClosed,
    /// The updates ended by themselves, as those of a recording do.
    Ended,
}

/// Shows updates until the watch is over. All received updates are shown before a flush, and a flush comes before
/// waiting for more.
///
/// Cancel safe: what was shown is already in the pipe.
///
/// # Errors
/// If the stream cannot be read any more, or if `connected` fails.
pub async fn follow(
    updates: &mut (impl Stream<Item = Result<Update, FeedError>> + Unpin),
    clock: &Clock,
    model: &mut Model,
    pipe: &mut Pipe,
    mut connected: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<LoopEnd> {
    let mut now = clock.now();
    loop {
        let next = match updates.next().now_or_never() {
            Some(next) => {
                now = clock.of_update_after(now);
                next
            }
            None if pipe.flush().await.is_err() => return Ok(LoopEnd::OutputClosed),
            None => {
                let next = tokio::select! {
                    next = updates.next() => next,
                    () = pipe.closed() => return Ok(LoopEnd::OutputClosed),
                    () = pipe.due() => {
                        pipe.draw(model, clock.now());
                        continue;
                    }
                };
                now = clock.of_update();
                next
            }
        };
        let Some(update) = next else {
            return Ok(LoopEnd::Ended);
        };
        let update = update?;
        if matches!(update, Update::Connected { .. }) {
            connected()?;
        }
        pipe.show(&update);
        if let Some(verdict) = model.update(&update, now) {
            return Ok(LoopEnd::Over(verdict));
        }
        if pipe.is_due() {
            pipe.draw(model, now);
        }
        if pipe.is_full() {
            if pipe.flush().await.is_err() {
                return Ok(LoopEnd::OutputClosed);
            }
            now = clock.of_update();
        }
    }
}
