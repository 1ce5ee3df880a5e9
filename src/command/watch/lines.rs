//! Watching with lines on stdout, for scripts and pipes.

use std::future::pending;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use futures_util::Stream;
use tokio::time;

use super::session::{Session, Source};
use super::url::print_resume_hint;
use super::{Args, LEAVE, no_recording, summarize, tell_unwritten, unpin_at_stops, write_id};
use crate::cli::exit::Exit;
use crate::client::subscribe::{FeedError, Update};
use crate::signals::Signals;
use crate::terminal::stderr;
use crate::watch::clock::Clock;
use crate::watch::foreign::Mapped;
use crate::watch::lines::line_loop::{LoopEnd, follow};
use crate::watch::lines::{LineFormat, LineOutput, Pipe};
use crate::watch::model::{Model, Verdict};
use crate::watch::replay::Replay;

/// Shows messages on stdout until the stream, a goal, the time limit or a signal ends it.
pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let mut signals = Signals::new().context("receive signals")?;
    let mut pipe = Pipe::new(LineOutput::Stdout, args.format.unwrap_or(LineFormat::Text));
    let _stops = unpin_at_stops(&pipe)?;
    let mut model = args.model(pipe.shows_progress());
    let open = |path: &PathBuf| {
        let replay = Replay::open(path, args.speed);
        replay.map_err(|error| no_recording(path, &error))
    };
    let replay = args.replay.as_ref().map(open).transpose()?;
    let clock = replay.as_ref().map_or_else(Clock::default, Replay::clock);
    let mut session = Session::default();

    let mut cut_short = std::pin::pin!(async {
        tokio::select! {
            () = after(args.timeout) => Exit::TimedOut,
            signal = signals.recv() => signal.into(),
        }
    });
    let mut watched = tokio::select! {
        watched = async {
            match replay {
                Some(replay) => {
                    let replay = Mapped::new(replay, args.mapping());
                    let exit = show(replay, &clock, &mut model, &mut pipe, || Ok(())).await?;
                    Ok(exit.unwrap_or(Exit::Done))
                }
                None => watch(&mut session, &args, &clock, &mut model, &mut pipe).await,
            }
        } => watched,
        exit = &mut cut_short => Ok(exit),
    };
    let unwritten = pipe.unwritten();
    let mut is_cut = false;
    let written = if matches!(watched, Ok(Exit::Done | Exit::Failed)) {
        // A slow reader gets everything, unless the user interrupts.
        tokio::select! {
            written = pipe.finish() => written,
            exit = cut_short => {
                watched = Ok(exit);
                is_cut = true;
                Ok(())
            }
        }
    } else {
        let written = time::timeout(LEAVE, pipe.finish()).await;
        is_cut = written.is_err();
        written.unwrap_or(Ok(()))
    };
    session.leave().await;
    if is_cut {
        tell_unwritten(&unwritten).await;
    }
    let exit = watched?;
    if exit == Exit::Interrupted {
        // The terminal has written ^C after the last line.
        stderr::lines_apart(&[]);
    }
    summarize(&model, &clock);
    if !matches!(exit, Exit::Done | Exit::Failed) {
        print_resume_hint(&args, &model);
    }
    written.context("write to stdout")?;
    Ok(exit)
}

/// Opens a stream, and shows it.
async fn watch(
    session: &mut Session,
    args: &Args,
    clock: &Clock,
    model: &mut Model,
    pipe: &mut Pipe,
) -> anyhow::Result<Exit> {
    let stream = session.open(args, clock).await?;
    let id = stream.source.id();
    if let Source::Client(client) = &stream.source
        && let Some(page) = client.page()
        && io::stderr().is_terminal()
    {
        stderr::line(&format!("in a browser: {page}"));
    }
    if let Some(id) = id.filter(|_| args.print_id) {
        pipe.line(&id.to_string());
    }
    let mut id_file = args.id_file.as_deref().zip(id);
    let connected = || {
        // Written at once, so that a script that waits for the file need not wait for the first message.
        let due = id_file.take();
        due.map_or(Ok(()), |(path, id)| write_id(path, id))
    };
    let exit = show(stream.updates, clock, model, pipe, connected).await?;
    exit.context("the stream ended unexpectedly, which is a bug; please report it")
}

/// Shows messages until something ends the watch; `None` at the end of a recording.
async fn show(
    mut updates: impl Stream<Item = Result<Update, FeedError>> + Unpin,
    clock: &Clock,
    model: &mut Model,
    pipe: &mut Pipe,
    connected: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Option<Exit>> {
    let left = follow(&mut updates, clock, model, pipe, connected).await?;
    Ok(match left {
        LoopEnd::Over(Verdict::Failed | Verdict::Alarm) => Some(Exit::Failed),
        LoopEnd::Over(Verdict::Done) | LoopEnd::OutputClosed => Some(Exit::Done),
        LoopEnd::Ended => None,
    })
}

/// Waits for the time limit, if there is one.
pub(super) async fn after(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => time::sleep(timeout).await,
        None => pending().await,
    }
}
