//! `… | codechat send`: each line of stdin is a message.

use std::convert::Infallible;
use std::future::pending;
use std::io::{self, IsTerminal, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::batch::Batch;
use super::control_state::Control;
use super::delivery::{Tally, deliver};
use super::lines::Lines;
use super::queue::{READ_BYTES, Receiver, Sender, queue};
use super::stdin_hangup;
use crate::cli::exit::Exit;
use crate::client::Client;
use crate::client::publish::{HttpPublisher, PublishError};
use crate::control::Requested;
use crate::event::ClientId;
use crate::message::{Level, Message, Operation, Outcome};
use crate::signals::{Signal, Signals};
use crate::terminal::stderr;
use crate::terminal::streams;

/// Time after which a control stream is opened: for a short input it is not worth it.
const LISTEN_AFTER: Duration = Duration::from_secs(1);

/// How lines are sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Whether to copy them to stdout.
    pub(super) tee: bool,
    /// How long to keep trying to deliver after the input's end.
    pub(super) give_up_after: Duration,
    /// Whether a missing client is not an error.
    pub(super) if_watched: bool,
}

/// Sends each line of stdin as a message like `prototype`, until stdin ends or a watcher asks to cancel.
pub(super) async fn run(
    client: Client,
    id: ClientId,
    prototype: Message,
    options: Options,
) -> anyhow::Result<Exit> {
    if io::stdin().is_terminal() {
        stderr::line("type lines; Ctrl-D ends");
    }
    let mut signals = Signals::new().context("receive signals")?;
    let (reads, mut waiting) = queue();
    let tally = Arc::new(Tally::new());
    tally.input_begins();
    let mut publisher =
        HttpPublisher::new(client.clone(), id, tally.give_up(options.give_up_after));
    let reader = {
        let (prototype, tally) = (prototype.clone(), Arc::clone(&tally));
        tokio::task::spawn_blocking(move || {
            let read = read_stdin(prototype, options.tee, &reads, &tally);
            tally.input_ends();
            read
        })
    };
    let sending = async {
        let sent = send_lines(&mut publisher, &mut waiting, &tally, prototype, &client, id).await;
        if let Err(PublishError::GivenUp { .. }) = sent
            && !tally.has_enough()
        {
            // The input has ended, so all of it can be counted. (After a cancel it may continue, unread.)
            while waiting.next().await.is_some() {}
        }
        if options.if_watched
            && let Err(error) = &sent
            && error.is_nobody_there()
        {
            // The rest is read, so that the producer does not fail because there is no client.
            while waiting.next().await.is_some() {}
            return Ok(Sent::All);
        }
        sent
    };
    let sent = tokio::select! {
        sent = sending => sent.map_err(anyhow::Error::from),
        signal = signals.recv() => Err(interrupted(signal)),
        never = note_where_producer_is_gone(&tally) => match never {},
    };
    match sent {
        Ok(Sent::All) => {
            reader.await.context("read stdin")?.context("read stdin")?;
            Ok(Exit::Done)
        }
        Ok(Sent::UntilCancelled) => Ok(Exit::Failed),
        Err(error) => Ok(failed(&error, &tally)),
    }
}

/// Reports lines that were not delivered; returns how the program ends.
fn failed(error: &anyhow::Error, tally: &Tally) -> Exit {
    let interrupted = error.downcast_ref::<Interrupted>();
    let exit = interrupted.map_or(Exit::Error, |it| it.0);
    let has_lost = tally.undelivered() > 0;
    if has_lost || exit == Exit::Error {
        tally.report(&format!("{error:#}"));
    }
    if has_lost { Exit::Error } else { exit }
}

/// Notes the end of the input even while reading is blocked.
async fn note_where_producer_is_gone(tally: &Tally) -> Infallible {
    stdin_hangup::gone().await;
    tally.input_ends();
    pending().await
}

/// How sending ended.
enum Sent {
    All,
    /// A watcher asked to cancel: everything read so far was sent, and the outcome.
    UntilCancelled,
}

async fn send_lines(
    publisher: &mut HttpPublisher,
    waiting: &mut Receiver,
    tally: &Tally,
    prototype: Message,
    client: &Client,
    id: ClientId,
) -> Result<Sent, PublishError> {
    let operation = prototype.operation.clone();
    let mut asked: Option<Pin<Box<dyn Future<Output = ()>>>> = None;
    loop {
        let asked_to_cancel = async {
            match &mut asked {
                Some(asked) => asked.await,
                None => pending().await,
            }
        };
        let batch = tokio::select! {
            batch = waiting.next() => batch,
            () = asked_to_cancel => break,
        };
        let Some(batch) = batch else {
            return Ok(Sent::All);
        };
        let cancel = deliver(publisher, batch, tally).await?.requested().cancel;
        if cancel.is_some_and(|it| it.is_for(operation.as_ref())) {
            break;
        }
        // Without input, there is no answer that would contain the request.
        asked.get_or_insert_with(|| Box::pin(cancelled(client.clone(), id, operation.clone())));
    }
    stderr::line("a watcher asked to cancel, so stdin is read no further");
    tally.stop_reading();
    // What was read is still sent, also what the reader is just reading.
    while tally.undelivered() > 0
        && let Some(batch) = waiting.next().await
    {
        deliver(publisher, batch, tally).await?;
    }
    let outcome = Message {
        text: "Cancelled by a watcher".into(),
        level: Some(Level::Warn),
        outcome: Some(Outcome::Cancelled),
        ..prototype
    };
    tally.read(1);
    deliver(publisher, Batch::of(&outcome), tally).await?;
    Ok(Sent::UntilCancelled)
}

/// Waits until a watcher asks to cancel.
async fn cancelled(client: Client, id: ClientId, operation: Option<Operation>) {
    sleep(LISTEN_AFTER).await;
    let mut control = Control::new(client.listen(id, None), operation, &Requested::default());
    while !control.cancel() {
        control.next().await;
    }
}

/// Reads stdin into batches until it ends or nobody takes them. A line becomes a message as soon as it is read.
fn read_stdin(prototype: Message, tee: bool, reads: &Sender, tally: &Tally) -> io::Result<()> {
    let mut stdin = streams::stdin();
    let mut copy = tee.then(streams::stdout);
    let mut lines = Lines::new(prototype);
    let mut buffer = vec![0; READ_BYTES];
    let mut is_over = false;
    while !is_over && !tally.has_enough() {
        let due = lines.due(Instant::now());
        if due.is_some() && !stdin.is_readable(due)? {
            if !enqueued(lines.expire(Instant::now()), 0, reads, tally) {
                break;
            }
            continue;
        }
        let read = stdin.read(&mut buffer)?;
        if let Some(stdout) = &mut copy
            && stdout
                .write_all(&buffer[..read])
                .and_then(|()| stdout.flush())
                .is_err()
        {
            // The copy's reader is gone; the messages continue.
            copy = None;
        }
        let batch = if read == 0 {
            lines.finish()
        } else {
            lines.push(&buffer[..read], Instant::now())
        };
        is_over = !enqueued(batch, read, reads, tally) || read == 0;
    }
    Ok(())
}

/// Queues what a read of `read` bytes has produced, and counts it; returns false if nobody takes it any more.
fn enqueued(batch: Batch, read: usize, reads: &Sender, tally: &Tally) -> bool {
    if batch.lines == 0 {
        return true;
    }
    tally.read(batch.lines);
    let room = Handle::current().block_on(reads.room());
    let is_taken = room.is_some();
    if let Some(room) = room {
        reads.send(batch, read, room);
    }
    is_taken
}

/// A signal came before everything was sent.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Interrupted(Exit);

fn interrupted(signal: Signal) -> anyhow::Error {
    anyhow!(Interrupted(signal.into()))
}
