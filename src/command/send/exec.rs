//! `codechat send -- CMD`: a command's run as an operation, from its start line to its outcome.
//!
//! Three things run concurrently: reading the command's output, delivering it, and supervising the command, with
//! signals and control requests. A control stream is open for the whole operation, so that watchers get a message if
//! this program is killed.

mod child;
mod messages;
mod output;
mod terminal_input;

use std::future::{pending, ready};
use std::io::{self, IsTerminal};
use std::sync::Arc;

use anyhow::Context;
use rustix::process::Signal as Number;
use tokio::process::{Child, Command};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::ExecOptions;
use super::batch::Batch;
use super::control_state::{Control, ControlChange};
use super::delivery::{Tally, deliver};
use super::queue::{Receiver, Sender, queue};
use crate::cli::exit::Exit;
use crate::client::Client;
use crate::client::publish::{HttpPublisher, PublishError};
use crate::event::ClientId;
use crate::message::Outcome;
use crate::process;
use crate::signals::Signals;
use crate::terminal::stderr;
use child::Pipes;
use messages::{Ended, Messages};
use output::{Output, OutputEnd, Shown};
use terminal_input::TerminalInput;

/// The environment variable with the level that was wanted when the command started.
const WANTED_LEVEL: &str = "CODECHAT_WANTED_LEVEL";

/// Runs the command, and exits as it does.
///
/// # Errors
/// If the server cannot be reached or refuses before anything was run; the text says what to do.
pub(super) async fn run(
    client: Client,
    id: ClientId,
    options: &ExecOptions,
) -> anyhow::Result<Exit> {
    let mut signals = Signals::new().context("receive signals")?;
    let messages = Messages::new(options);
    let tally = Arc::new(Tally::new());
    let mut publisher =
        HttpPublisher::new(client.clone(), id, tally.give_up(options.give_up_after));
    let begun = tokio::select! {
        begun = begin(&client, id, &messages, &mut publisher, &tally) => begun?,
        (signal, _) = signals.recv_with_sender() => return Ok(signal.into()),
    };
    let Some(mut control) = begun else {
        return Ok(Exit::Terminated);
    };
    if !options.tee && io::stderr().is_terminal() {
        let (server, name) = (client.server(), messages.operation().as_str());
        stderr::line(&format!(
            "what {name} writes goes to client {id} at {server}; --tee shows it here too"
        ));
    }
    let command = command(&client, id, options, &control)?;
    let (child, target, pipes) = match child::start(command, options.pty) {
        Ok(started) => started,
        Err(error) => {
            stderr::line(&error.to_string());
            let outcome = messages.outcome(Outcome::Failed, error.to_string());
            tally.read(1);
            let undelivered = tokio::select! {
                sent = deliver(&mut publisher, outcome, &tally) => sent.err().map(|it| it.to_string()),
                _ = signals.recv_with_sender() => Some("interrupted".into()),
            };
            if let Some(why) = undelivered {
                tally.report(&why);
            }
            return Ok(Exit::Child(error.exit_code()));
        }
    };
    let (queue, waiting) = queue();
    let delivery = tokio::spawn(deliver_all(publisher, waiting, Arc::clone(&tally)));
    let on_level = options.on_level.as_deref().and_then(child::signal);
    let mut run = Run::new(child, target, on_level, Arc::clone(&tally));
    run.read(pipes, options.tee, &messages, &queue);
    let end = run.follow(&mut control, &mut signals).await?;

    tally.read(1);
    let conclude = conclude(queue, messages.concluded(&end), delivery);
    let left_over = tokio::select! {
        biased;
        () = ready(()), if run.given_up => Some("interrupted".into()),
        refused = conclude => refused.map(|it| it.to_string()),
        _ = signals.recv_with_sender() => Some("interrupted".into()),
        never = control.ignored() => match never {},
    };
    tally.report_dropped();
    if tally.undelivered() > 0 {
        tally.report(&left_over.unwrap_or_default());
    }
    // A failed delivery does not change the command's exit code.
    Ok(Exit::Child(process::exit_code(end.status)))
}

/// Sends the start message, and opens the control stream; `None` if a watcher had asked to cancel before.
async fn begin(
    client: &Client,
    id: ClientId,
    messages: &Messages,
    publisher: &mut HttpPublisher,
    tally: &Tally,
) -> Result<Option<Control>, PublishError> {
    // An unknown ID or an unreachable server is an error here, before anything has run.
    tally.read(1);
    let answer = deliver(publisher, messages.started(), tally).await?;
    let feed = client.listen(id, Some(messages.operation()));
    let mut control = Control::new(
        feed,
        Some(messages.operation().clone()),
        &answer.requested(),
    );
    control.opened().await;
    if !control.cancel() {
        return Ok(Some(control));
    }
    stderr::line("a watcher had asked to cancel, so nothing was run");
    let outcome = messages.outcome(Outcome::Cancelled, "Cancelled before it began".into());
    tally.read(1);
    deliver(publisher, outcome, tally).await?;
    Ok(None)
}

/// Returns the command, with what it needs to publish by itself.
fn command(
    client: &Client,
    id: ClientId,
    options: &ExecOptions,
    control: &Control,
) -> anyhow::Result<Command> {
    let mut command = process::command(&options.words).context("a command has at least a name")?;
    command
        .env("SSE_CLIENT_ID", id.to_string())
        .env("CODECHAT_PUBLISH_URL", client.publish_url(id));
    match control.level() {
        Some(level) => command.env(WANTED_LEVEL, level.as_str()),
        None => command.env_remove(WANTED_LEVEL),
    };
    Ok(command)
}

/// Delivers what is read. If the server refuses permanently, or delivery was given up at the command's end, lines are
/// only counted, so that the command is not held back.
async fn deliver_all(
    mut publisher: HttpPublisher,
    mut waiting: Receiver,
    tally: Arc<Tally>,
) -> Option<PublishError> {
    while let Some(batch) = waiting.next().await {
        if let Err(refused) = deliver(&mut publisher, batch, &tally).await {
            if !matches!(refused, PublishError::GivenUp { .. }) {
                stderr::line(&format!("{refused}; the command goes on"));
            }
            while waiting.next().await.is_some() {}
            return Some(refused);
        }
    }
    None
}

/// Sends the last message after all others, and waits until they are delivered.
async fn conclude(
    queue: Sender,
    outcome: Batch,
    delivery: JoinHandle<Option<PublishError>>,
) -> Option<PublishError> {
    // The queue takes batches as long as it exists.
    if let Some(room) = queue.room().await {
        queue.send(outcome, 0, room);
    }
    drop(queue);
    delivery.await.ok().flatten()
}

/// A running command.
struct Run {
    child: Child,
    target: process::SignalTarget,
    begun: Instant,
    /// The signal to send when the wanted level changes.
    on_level: Option<Number>,
    outputs: JoinSet<OutputEnd>,
    /// On a pseudo-terminal: its input, until the command's end.
    input: Option<TerminalInput>,
    /// The counts of its lines.
    tally: Arc<Tally>,
    /// Whether a watcher or a signal told it to end.
    told_to_end: bool,
    /// Whether a signal came after its end: then undelivered messages are given up.
    given_up: bool,
    /// When it is to be killed.
    kill_at: Option<Instant>,
}

impl Run {
    fn new(
        child: Child,
        target: process::SignalTarget,
        on_level: Option<Number>,
        tally: Arc<Tally>,
    ) -> Self {
        tally.input_begins();
        Self {
            child,
            target,
            begun: Instant::now(),
            on_level,
            outputs: JoinSet::new(),
            input: None,
            tally,
            told_to_end: false,
            given_up: false,
            kill_at: None,
        }
    }

    /// Begins to read its output.
    fn read(&mut self, pipes: Pipes, tee: bool, messages: &Messages, queue: &Sender) {
        let output = |from, lines, copy: Option<Shown>| Output {
            from,
            lines,
            notice: messages.notice(),
            dropped: 0,
            queue: queue.clone(),
            tally: Arc::clone(&self.tally),
            copy: copy.filter(|_| tee),
        };
        let outputs = match pipes {
            Pipes::Terminal(from, input) => {
                self.input = Some(input);
                vec![output(
                    Box::pin(from),
                    messages.stdout(),
                    Some(Shown::Stdout),
                )]
            }
            Pipes::Two { stdout, stderr } => vec![
                output(Box::pin(stdout), messages.stdout(), Some(Shown::Stdout)),
                output(Box::pin(stderr), messages.stderr(), Some(Shown::Stderr)),
            ],
        };
        for output in outputs {
            self.outputs.spawn(output.read());
        }
    }

    /// Supervises it until it has ended and its output is closed.
    async fn follow(
        &mut self,
        control: &mut Control,
        signals: &mut Signals,
    ) -> anyhow::Result<Ended> {
        let mut status = None;
        let mut is_held = false;
        loop {
            tokio::select! {
                ended = self.child.wait(), if status.is_none() => {
                    let ended = ended.context("wait for the command")?;
                    status = Some((ended, self.begun.elapsed()));
                    self.tally.input_ends();
                    // This program has its terminal back: Ctrl-C now ends delivery.
                    self.input = None;
                }
                Some(left) = self.outputs.join_next() => {
                    is_held |= matches!(left, Ok(OutputEnd::Held));
                }
                () = interrupted(&mut self.input) => self.told_to_end = true,
                change = control.next() => self.handle_request(change, status.is_none()),
                (signal, by_terminal) = signals.recv_with_sender() => if status.is_none() {
                    self.told_to_end = true;
                    self.target.pass_on(signal, by_terminal);
                } else {
                    // Leftover output and undelivered messages are not waited for any longer.
                    self.given_up = true;
                    self.outputs.abort_all();
                },
                () = until(self.kill_at) => {
                    self.kill_at = None;
                    self.target.signal_all(Number::KILL);
                }
            }
            let Some((status, took)) = status.filter(|_| self.outputs.is_empty()) else {
                continue;
            };
            if is_held {
                self.report_leftover();
            }
            return Ok(Ended {
                status,
                told_to_end: self.told_to_end,
                took,
            });
        }
    }

    fn handle_request(&mut self, change: ControlChange, is_running: bool) {
        if let Some(number) = self.on_level
            && change.level
            && is_running
        {
            self.target.signal(number);
        }
        if change.cancel {
            stderr::line("a watcher asked to cancel");
            self.told_to_end |= is_running;
            self.kill_at = Some(Instant::now() + process::KILL_AFTER);
            self.target.signal_all(Number::TERM);
        }
    }

    /// Reports that a process which the command started has outlived it and keeps its output open.
    fn report_leftover(&self) {
        if self.told_to_end {
            self.target.kill_leftovers();
        } else {
            stderr::line(
                "the command has ended, but something that it started holds its output, which is read no further",
            );
        }
    }
}

/// Passes what is typed to the command; ready if that tells it to end.
async fn interrupted(input: &mut Option<TerminalInput>) {
    match input {
        Some(input) => input.interrupted().await,
        None => pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
