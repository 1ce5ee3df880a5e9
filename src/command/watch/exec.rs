//! `codechat watch -- CMD`: opens the stream before CMD begins, and follows it until the work that CMD started has
//! ended.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use reqwest::Method;
use rustix::process::Signal as Number;
use tokio::process::{Child, Command};
use tokio::time::{self, Instant};

use super::lines::after;
use super::session::{ClientSource, Session, Source, Stream, Updates};
use super::{Args, LEAVE, summarize, tell_unwritten, unpin_at_stops, write_id};
use crate::cli::exit::Exit;
use crate::client::subscribe::Update;
use crate::process;
use crate::signals::{Signal, Signals};
use crate::terminal::{status_line, stderr};
use crate::watch::clock::Clock;
use crate::watch::lines::line_loop::{LoopEnd, follow};
use crate::watch::lines::{LineFormat, LineOutput, Pipe};
use crate::watch::model::{Model, Verdict};

/// Time after which a server that has not answered is assumed to answer only with its first event.
const ANSWER: Duration = Duration::from_secs(5);
/// Time without events after CMD's end, after which the stream is taken to be complete.
const QUIET: Duration = Duration::from_millis(300);

/// Runs CMD with an open stream, and exits as CMD does.
pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let mut job = Job {
        signals: Signals::new().context("receive signals")?,
        deadline: args.timeout.map(|it| Instant::now() + it),
        messages: Messages {
            updates: None,
            clock: Clock::default(),
            model: args.model(true),
            pipe: Pipe::new(LineOutput::Stderr, args.format.unwrap_or(LineFormat::Text)),
        },
        goal: None,
        was_interrupted: false,
    };
    let _stops = unpin_at_stops(&job.messages.pipe)?;
    let mut session = Session::default();
    let exit = job.run(&mut session, &args).await;
    let unwritten = job.messages.pipe.unwritten();
    let finish = job.messages.pipe.finish();
    let is_written = if matches!(exit, Ok(Exit::Child(_) | Exit::Failed)) {
        // A slow reader gets everything, unless the user interrupts.
        tokio::select! {
            _ = finish => true,
            () = until(job.deadline) => false,
            _ = job.signals.recv() => false,
        }
    } else {
        time::timeout(LEAVE, finish).await.is_ok()
    };
    session.leave().await;
    if !is_written {
        tell_unwritten(&unwritten).await;
    } else if exit.is_ok() && !hint_if_nothing_came(&args, &exit, &job.messages.model) {
        summarize(&job.messages.model, &job.messages.clock);
    }
    exit
}

/// Prints a hint if CMD has run and no message came.
fn hint_if_nothing_came(args: &Args, exit: &anyhow::Result<Exit>, model: &Model) -> bool {
    let has_run = matches!(exit, Ok(Exit::Child(code)) if !matches!(code, 126 | 127));
    let gets_id = args
        .command
        .iter()
        .any(|it| it.to_string_lossy().contains("{id}"));
    let needs_id = !gets_id && args.url.is_none();
    let is_nothing = has_run && model.received() == 0 && needs_id && !args.no_summary;
    if is_nothing {
        stderr::line_apart(
            "nothing came: does the command send the header Sse-Client-ID? Write {id} in place of the ID. To watch what the command prints: codechat watch -- codechat send -- CMD",
        );
    }
    is_nothing
}

/// The state while CMD runs.
struct Job {
    signals: Signals,
    /// When --timeout runs out.
    deadline: Option<Instant>,
    messages: Messages,
    /// The verdict, once reached; CMD continues.
    goal: Option<Verdict>,
    /// Whether CMD was sent a signal to end.
    was_interrupted: bool,
}

impl Job {
    async fn run(&mut self, session: &mut Session, args: &Args) -> anyhow::Result<Exit> {
        let stream = tokio::select! {
            stream = self.messages.open(session, args) => stream?,
            () = until(self.deadline) => {
                stderr::line("the time of --timeout is up, so the command was not run");
                return Ok(Exit::TimedOut);
            }
            (signal, _) = self.signals.recv_with_sender() => return Ok(signal.into()),
        };
        let (child, target) = match process::start_in_group(&mut command(args, &stream)?) {
            Ok(started) => started,
            Err(error) => {
                stderr::line(&error.to_string());
                return Ok(Exit::Child(error.exit_code()));
            }
        };
        self.messages.updates = Some(stream.updates);
        let exit = self.supervise(child, target).await?;
        match exit {
            // A user who interrupted does not want to wait for more.
            Exit::Child(code) if !self.was_interrupted || code == 0 => {
                let exit = self.finish(args, code).await?;
                let has_failed = self.messages.model.failure().is_some();
                Ok(match exit {
                    Exit::Child(0) if has_failed => Exit::Failed,
                    exit => exit,
                })
            }
            exit => Ok(exit),
        }
    }

    /// Shows messages, passes signals on, and enforces the timeout, until CMD has ended.
    async fn supervise(
        &mut self,
        mut child: Child,
        target: process::SignalTarget,
    ) -> anyhow::Result<Exit> {
        // Why CMD was told to end, if this program did that, and when it will be killed.
        let mut exit = None;
        let mut kill_at = None;
        loop {
            match self.next(&mut child, kill_at).await {
                Event::Ended(status) => {
                    if exit.is_some() {
                        target.kill_leftovers();
                    }
                    let code = process::exit_code(status.context("wait for the command")?);
                    return Ok(exit.unwrap_or(Exit::Child(code)));
                }
                Event::Verdict(Verdict::Alarm) if kill_at.is_none() => {
                    self.say("a message matches --stop-on, so the command is ended");
                    exit = Some(Exit::Failed);
                }
                Event::Verdict(verdict) => {
                    self.goal.get_or_insert(verdict);
                    continue;
                }
                Event::TimeIsUp => {
                    self.say("the time of --timeout is up, so the command is ended");
                    exit = Some(Exit::TimedOut);
                }
                Event::Signal(signal, by_terminal)
                    if !self.was_interrupted && kill_at.is_none() =>
                {
                    self.was_interrupted = true;
                    target.pass_on(signal, by_terminal);
                    continue;
                }
                Event::Signal(signal, _) => {
                    exit = Some(signal.into());
                    target.signal_all(Number::KILL);
                }
                Event::Overdue => target.signal_all(Number::KILL),
            }
            target.signal_all(Number::TERM);
            kill_at = Some(Instant::now() + process::KILL_AFTER);
        }
    }

    /// Prints a line of the program's own, in order with the messages.
    fn say(&mut self, text: &str) {
        self.messages.pipe.line(&format!("codechat: {text}"));
    }

    async fn next(&mut self, child: &mut Child, kill_at: Option<Instant>) -> Event {
        tokio::select! {
            status = child.wait() => Event::Ended(status),
            Some(verdict) = self.messages.follow() => Event::Verdict(verdict),
            () = until(self.deadline), if kill_at.is_none() => Event::TimeIsUp,
            (signal, by_terminal) = self.signals.recv_with_sender() => Event::Signal(signal, by_terminal),
            () = until(kill_at) => Event::Overdue,
        }
    }

    /// Shows the remaining messages after CMD has ended with `code`. Work that CMD only started may continue elsewhere,
    /// so the watch still waits for its goal, unless CMD failed.
    async fn finish(&mut self, args: &Args, code: u8) -> anyhow::Result<Exit> {
        let has_goal = args.until_done || args.until.is_some() || args.count.is_some();
        let waits = has_goal && self.goal.is_none() && code == 0;
        if !args.stay {
            // Nothing runs any more, so an idle stream is complete.
            self.messages.model.stay_no_longer();
        }
        let ending = async {
            if !waits {
                return Ok(self.messages.rest(args.linger).await.or(self.goal));
            }
            let verdict = self.messages.follow().await;
            verdict
                .map(Some)
                .context("what the watch was waiting for can no longer come")
        };
        let cut_short = tokio::select! {
            verdict = ending => return Ok(match verdict? {
                Some(Verdict::Alarm) => Exit::Failed,
                Some(Verdict::Failed) if code == 0 => Exit::Failed,
                _ => Exit::Child(code),
            }),
            () = until(self.deadline) => Exit::TimedOut,
            (signal, _) = self.signals.recv_with_sender() => signal.into(),
        };
        Ok(if waits { cut_short } else { Exit::Child(code) })
    }
}

/// An event while CMD runs.
enum Event {
    Ended(io::Result<ExitStatus>),
    Verdict(Verdict),
    TimeIsUp,
    Signal(Signal, bool),
    /// CMD was told to end, and has not.
    Overdue,
}

/// The stream, and the view that shows it.
struct Messages {
    /// `None` before it is open, and after its end.
    updates: Option<Updates>,
    clock: Clock,
    model: Model,
    pipe: Pipe,
}

impl Messages {
    /// Subscribes, and waits until that is done: from then on no message is missed. Some servers answer only with their
    /// first event, which CMD may have to cause.
    async fn open(&mut self, session: &mut Session, args: &Args) -> anyhow::Result<Stream> {
        let mut stream = session.open(args, &self.clock).await?;
        let limit = match &stream.source {
            Source::Url(url) if url.method == Method::GET => Some(ANSWER),
            _ => None,
        };
        let mut enough = pin!(after(limit));
        loop {
            let next = tokio::select! {
                next = stream.updates.next() => next,
                () = &mut enough => break,
            };
            let Some(update) = next.transpose()? else {
                if stream.source.id().is_none() {
                    // Messages from before CMD do not count for the hint.
                    break;
                }
                bail!("the stream has ended");
            };
            self.pipe.show(&update);
            // CMD runs even if nobody reads the messages.
            let _ = self.pipe.flush().await;
            self.model.update(&update, self.clock.now());
            if matches!(update, Update::Connected { .. }) {
                break;
            }
        }
        if let Some((path, id)) = args.id_file.as_ref().zip(stream.source.id()) {
            write_id(path, id)?;
        }
        Ok(stream)
    }

    /// Shows messages until a verdict; `None` at the end of the stream.
    async fn follow(&mut self) -> Option<Verdict> {
        let (model, pipe) = (&mut self.model, &mut self.pipe);
        let updates = self.updates.as_mut()?;
        match follow(updates, &self.clock, model, pipe, || Ok(())).await {
            Ok(LoopEnd::Over(verdict)) => return Some(verdict),
            Ok(LoopEnd::Ended | LoopEnd::OutputClosed) => {}
            Err(error) => stderr::line_apart(&format!("no more messages: {error:#}")),
        }
        self.updates = None;
        // Flushed here, since no pause follows the last messages.
        let _ = self.pipe.flush().await;
        status_line::unpin();
        None
    }

    /// Shows the messages that are still to come: until every operation has its outcome or the stream is quiet, for
    /// `most` at the most. The time counts only while the output takes them. Returns the verdict if a message means
    /// failure.
    async fn rest(&mut self, most: Duration) -> Option<Verdict> {
        let mut deadline = Instant::now() + most;
        let mut quiet_at = Instant::now() + QUIET;
        let mut blocked = self.pipe.blocked();
        while !self.model.is_settled() {
            let followed = time::timeout_at(quiet_at.min(deadline), self.follow()).await;
            let blocked_before = std::mem::replace(&mut blocked, self.pipe.blocked());
            let newly_blocked = blocked.saturating_sub(blocked_before);
            if newly_blocked > Duration::ZERO {
                deadline += newly_blocked;
                quiet_at = Instant::now() + QUIET;
            }
            match followed {
                Ok(None) => break,
                Ok(Some(Verdict::Alarm)) => return Some(Verdict::Alarm),
                Ok(Some(_)) => {}
                Err(_) if newly_blocked > Duration::ZERO => {}
                Err(_) if Instant::now() >= deadline => break,
                Err(_) => {
                    let quiet = self.model.quiet(self.clock.now());
                    quiet_at = Instant::now()
                        + match quiet.map(|it| QUIET.saturating_sub(it)) {
                            Some(Duration::ZERO) => break,
                            Some(left) => left,
                            // While disconnected, silence means nothing.
                            None => QUIET,
                        };
                }
            }
        }
        None
    }
}

/// Waits for a time, if there is one.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => time::sleep_until(time).await,
        None => pending().await,
    }
}

/// Creates CMD's process: it gets the ID in its environment, and ends with this program.
fn command(args: &Args, stream: &Stream) -> anyhow::Result<Command> {
    let (program, arguments) = args.command.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.kill_on_drop(true);
    let Source::Client(ClientSource {
        id,
        takes_messages,
        client,
    }) = &stream.source
    else {
        command.args(arguments);
        return Ok(command);
    };
    let id_text = id.to_string();
    // A word that is not UTF-8 stays unchanged.
    let arguments = arguments.iter().map(|word| match word.to_str() {
        Some(text) => text.replace("{id}", &id_text).into(),
        None => word.clone(),
    });
    command
        .args(arguments)
        .env("SSE_CLIENT_ID", &id_text)
        .env("CODECHAT_SERVER", client.server().to_string());
    if let Some(file) = args.server.token_file() {
        command.env("CODECHAT_TOKEN_FILE", file);
    }
    if *takes_messages {
        let url = client.publish_url(*id);
        command.env("CODECHAT_PUBLISH_URL", url);
    } else {
        command.env_remove("CODECHAT_PUBLISH_URL");
    }
    Ok(command)
}
