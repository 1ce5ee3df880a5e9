//! Watching by lines, which is what scripts and pipes do.

use std::{future::pending, time::Duration};

use anyhow::{Context, bail};
use tokio::time;

use super::{Args, LEAVE, session::Session, write_id};
use crate::{
    cli::Exit,
    shutdown::{Signal, Signals},
    watch::{
        clock::Clock,
        follow::{Left, follow},
        model::{Model, Verdict},
        pipe::{LineFormat, Pipe, Target},
    },
};

/// Shows messages on stdout until the stream, a goal, the time limit or a signal ends it.
pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let mut signals = Signals::new().context("receive signals")?;
    let timeout = args.timeout;
    let mut pipe = Pipe::new(Target::Stdout, args.format.unwrap_or(LineFormat::Text));
    let mut model = args.model();
    if pipe.shows_progress() {
        model = model.with_operations(args.operations());
    }
    let mut session = Session::default();

    let mut cut_short = std::pin::pin!(async {
        tokio::select! {
            () = after(timeout) => Exit::TimedOut,
            signal = signals.recv() => interrupted(signal),
        }
    });
    let mut watched = tokio::select! {
        watched = watch(&mut session, &args, &mut model, &mut pipe) => watched,
        exit = &mut cut_short => Ok(exit),
    };
    let written = if matches!(watched, Ok(Exit::Done | Exit::Failed)) {
        // A reader that dawdles gets all of it, unless the user has had enough.
        tokio::select! {
            written = pipe.finish() => written,
            exit = cut_short => {
                watched = Ok(exit);
                Ok(())
            }
        }
    } else {
        time::timeout(LEAVE, pipe.finish()).await.unwrap_or(Ok(()))
    };
    session.leave().await;
    let exit = watched?;
    written.context("write to stdout")?;
    Ok(exit)
}

/// Shows what comes until the stream or a goal ends the watch.
async fn watch(
    session: &mut Session,
    args: &Args,
    model: &mut Model,
    pipe: &mut Pipe,
) -> anyhow::Result<Exit> {
    let mut stream = session.open(args).await?;
    if args.print_id {
        pipe.line(&stream.id.to_string());
    }
    let clock = Clock::default();
    let mut id_file = args.id_file.as_deref();
    let followed = follow(&mut stream.updates, &clock, model, pipe, || {
        // At once: whoever waits for the file must not wait for ever.
        id_file
            .take()
            .map_or(Ok(()), |path| write_id(path, stream.id))
    });
    match followed.await? {
        Left::Over(Verdict::Failed | Verdict::Alarm) => Ok(Exit::Failed),
        Left::Over(Verdict::Done) | Left::OutputClosed => Ok(Exit::Done),
        Left::Ended => bail!("reading the stream broke off, which is a bug; please report it"),
    }
}

/// Waits for the time limit, if there is one.
pub(super) async fn after(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => time::sleep(timeout).await,
        None => pending().await,
    }
}

/// How the program ends by a signal.
pub(super) fn interrupted(signal: Signal) -> Exit {
    match signal {
        Signal::Interrupt => Exit::Interrupted,
        Signal::Terminate | Signal::Hangup => Exit::Terminated,
    }
}
