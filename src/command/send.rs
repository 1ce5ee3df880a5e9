//! `codechat send`: publishes its arguments as one message, or each line of its input.

use std::{
    io::{self, Read, Write},
    str::FromStr,
    time::Duration,
};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tokio::{sync::mpsc, time::timeout};
use uuid::Uuid;

use crate::{
    cli::{Exit, ServerArgs},
    client::{
        Client, Options,
        publisher::{PublishError, Publisher, Retry},
    },
    event::ClientId,
    message::{EventName, Invalid, Level, Message, Operation, Outcome, Progress},
    shutdown::{Signal, Signals},
    talk,
};

mod lines;

use lines::{Batch, Lines};

/// A request carries at most so many bytes of ndjson, unless a single line has more.
const BATCH_BYTES: usize = 1 << 20;
/// So many reads of stdin may wait to be sent before stdin is not read any more.
const READS_WAITING: usize = 16;
const READ_BYTES: usize = 64 * 1024;
/// Whoever reads stdin gets so long to say what nobody took of it.
const IN_HAND_WAIT: Duration = Duration::from_millis(200);

/// Publish messages to a client
///
/// The words on the command line make one message. Without any, and without --progress or --outcome,
/// each line of stdin is a message, sent as soon as it is read; what is not acknowledged is sent again
/// when the server is back. Bytes that are not UTF-8 become U+FFFD; a line over 64 KiB is sent in pieces.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The client ID to publish to
    #[arg(long, value_name = "ID", env = "SSE_CLIENT_ID")]
    id: Option<ClientId>,

    #[command(flatten)]
    server: ServerArgs,

    /// Publish to every client of the server; takes one message, not lines
    #[arg(long, env = "CODECHAT_ALL", conflicts_with = "tee")]
    all: bool,

    /// Copy stdin to stdout
    #[arg(long, env = "CODECHAT_TEE", conflicts_with = "message")]
    tee: bool,

    /// How much it matters
    #[arg(long, env = "CODECHAT_LEVEL", value_parser = one_of::<Level>(["trace", "debug", "info", "warn", "error"]))]
    level: Option<Level>,

    /// The operation it belongs to: 1 to 128 characters
    #[arg(long, value_name = "NAME", env = "CODECHAT_OPERATION")]
    operation: Option<Operation>,

    /// How far the operation is, as in 3/120, or 3 where the total is not known
    #[arg(
        long,
        value_name = "N/TOTAL",
        env = "CODECHAT_PROGRESS",
        allow_hyphen_values = true
    )]
    progress: Option<Progress>,

    /// The operation ends here, in this way
    #[arg(long, env = "CODECHAT_OUTCOME", value_parser = one_of::<Outcome>(["ok", "failed", "cancelled"]))]
    outcome: Option<Outcome>,

    /// The event name: 1 to 64 of A-Z a-z 0-9 _ . - [default: debug]
    #[arg(long, value_name = "NAME", env = "CODECHAT_EVENT")]
    event: Option<EventName>,

    /// The message; without one, each line of stdin is one
    message: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  codechat send --id ID 'Refreshing repository demo'
  make 2>&1 | codechat send --id ID --tee
  codechat send --id ID --operation refresh --progress 3/120 'Processed file 3'
  codechat send --id ID --operation refresh --outcome failed 'Disk full'
  codechat send --all 'The server restarts at noon'";

/// One of these names, which help and completions then offer.
fn one_of<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = Invalid> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

/// Publishes, and says what could not be delivered.
///
/// # Errors
/// Where the server is not there, or refuses; the text says what to do.
pub async fn run(args: Args) -> anyhow::Result<Exit> {
    let client = args.server.client(Options {
        token: args.server.token()?,
        ..Options::default()
    })?;
    // An outcome or a progress speaks of one moment, so it makes one message, with or without words.
    let is_one = !args.message.is_empty() || args.outcome.is_some() || args.progress.is_some();
    let message = Message {
        text: args.message.join(" "),
        level: args.level,
        operation: args.operation,
        progress: args.progress,
        outcome: args.outcome,
        event: args.event,
        ..Message::default()
    };
    match args.id {
        _ if args.all && !is_one => {
            talk::line(
                "--all takes a message on the command line, as in: codechat send --all MESSAGE",
            );
            Ok(Exit::Usage)
        }
        _ if args.all => {
            client.broadcast(&message).await?;
            Ok(Exit::Done)
        }
        Some(id) if is_one => {
            client
                .publish(id, &message, &Uuid::new_v4().to_string())
                .await?;
            Ok(Exit::Done)
        }
        Some(id) => send_lines(client, id, message, args.tee).await,
        None => {
            talk::line(
                "to whom? Name a client with --id ID or SSE_CLIENT_ID (`codechat watch` tells its ID), or all with --all",
            );
            Ok(Exit::Usage)
        }
    }
}

async fn send_lines(
    client: Client,
    id: ClientId,
    prototype: Message,
    tee: bool,
) -> anyhow::Result<Exit> {
    let mut signals = Signals::new().context("receive signals")?;
    let (reads, mut waiting) = mpsc::channel(READS_WAITING);
    let mut reader = tokio::task::spawn_blocking(move || read_stdin(prototype, tee, &reads));
    let mut publisher = Publisher::new(client, id);
    let mut undelivered = 0;
    let sent = tokio::select! {
        sent = send_batches(&mut publisher, &mut waiting, &mut undelivered) => sent.map_err(anyhow::Error::from),
        signal = signals.recv() => Err(interrupted(signal)),
    };
    waiting.close();
    while let Ok(batch) = waiting.try_recv() {
        undelivered += batch.lines;
    }
    if let Err(error) = sent {
        // Where it does not end now, it waits for more input and has nothing in hand.
        if let Ok(Ok(Ok(in_hand))) = timeout(IN_HAND_WAIT, &mut reader).await {
            undelivered += in_hand;
        }
        let exit = error
            .downcast_ref::<Interrupted>()
            .map_or(Exit::Error, |it| it.0);
        if undelivered == 0 && exit != Exit::Error {
            return Ok(exit);
        }
        let lines = if undelivered == 1 {
            "1 line was"
        } else {
            &format!("{undelivered} lines were")
        };
        talk::line(&format!("{lines} read but not delivered: {error:#}"));
        return Ok(if undelivered > 0 { Exit::Error } else { exit });
    }
    reader.await.context("read stdin")?.context("read stdin")?;
    Ok(Exit::Done)
}

/// Sends what has been read, all that waits in one request, until stdin ends. `undelivered` holds the
/// lines of the request under way.
async fn send_batches(
    publisher: &mut Publisher,
    waiting: &mut mpsc::Receiver<Batch>,
    undelivered: &mut u64,
) -> Result<(), PublishError> {
    while let Some(mut batch) = waiting.recv().await {
        while batch.body.len() < BATCH_BYTES
            && let Ok(more) = waiting.try_recv()
        {
            batch.append(more);
        }
        *undelivered = batch.lines;
        let sent = publisher
            .send(Bytes::from(batch.body), batch.lines, report)
            .await;
        if let Err(error) = sent {
            *undelivered -= error.accepted().min(*undelivered);
            return Err(error);
        }
        *undelivered = 0;
    }
    Ok(())
}

fn report(retry: Retry) {
    let Retry {
        attempt,
        delay,
        reason,
    } = retry;
    let delay = talk::duration(delay);
    talk::line(&format!(
        "not delivered yet, try {attempt} in {delay} ({reason})"
    ));
}

/// Reads stdin into batches until it ends or nobody takes them; how many lines nobody took. A line is a
/// message as soon as it is read.
fn read_stdin(prototype: Message, tee: bool, reads: &mpsc::Sender<Batch>) -> io::Result<u64> {
    let mut stdin = io::stdin().lock();
    let mut copy = tee.then(|| io::stdout().lock());
    let mut lines = Lines::new(prototype);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = match stdin.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if let Some(stdout) = &mut copy
            && stdout
                .write_all(&buffer[..read])
                .and_then(|()| stdout.flush())
                .is_err()
        {
            // Whoever read the copy has seen enough; the messages still go out.
            copy = None;
        }
        let batch = if read == 0 {
            lines.finish()
        } else {
            lines.push(&buffer[..read])
        };
        if batch.lines > 0
            && let Err(mpsc::error::SendError(batch)) = reads.blocking_send(batch)
        {
            return Ok(batch.lines);
        }
        if read == 0 {
            return Ok(0);
        }
    }
}

/// A signal came before all was sent.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Interrupted(Exit);

fn interrupted(signal: Signal) -> anyhow::Error {
    anyhow!(Interrupted(match signal {
        Signal::Interrupt => Exit::Interrupted,
        Signal::Terminate | Signal::Hangup => Exit::Terminated,
    }))
}
