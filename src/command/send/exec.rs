//! `codechat send -- CMD`: a command's run as an operation, from its start line to its outcome.
//!
//! Three things go on at once: the command's output is read, what was read is delivered, and the command
//! is followed, with the signals that come and the requests of watchers. A control stream stands for the
//! operation all the while, so that watchers are told should this very program be killed.

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

use super::Order;
use super::batch::Batch;
use super::control_state::{Control, News};
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

/// The variable that tells the command which level of detail was wanted when it started.
const WANTED_LEVEL: &str = "CODECHAT_WANTED_LEVEL";

/// Runs the command, and ends as it does.
///
/// # Errors
/// Where the server is not there or refuses before anything was run; the text says what to do.
pub(super) async fn run(client: Client, id: ClientId, order: &Order) -> anyhow::Result<Exit> {
    let mut signals = Signals::new().context("receive signals")?;
    let messages = Messages::new(order);
    let tally = Arc::new(Tally::new());
    let mut publisher = HttpPublisher::new(client.clone(), id, tally.patience(order.give_up_after));
    let begun = tokio::select! {
        begun = begin(&client, id, &messages, &mut publisher, &tally) => begun?,
        (signal, _) = signals.recv_with_sender() => return Ok(signal.into()),
    };
    let Some(mut control) = begun else {
        return Ok(Exit::Terminated);
    };
    if !order.tee && io::stderr().is_terminal() {
        let (server, name) = (client.server(), messages.operation().as_str());
        stderr::line(&format!(
            "what {name} writes goes to client {id} at {server}; --tee shows it here too"
        ));
    }
    let command = command(&client, id, order, &control)?;
    let (child, target, pipes) = match child::start(command, order.pty) {
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
    let on_level = order.on_level.as_deref().and_then(child::signal);
    let mut run = Run::new(child, target, on_level, Arc::clone(&tally));
    run.read(pipes, order.tee, &messages, &queue);
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
    // Whoever observes changes nothing of what it observes.
    Ok(Exit::Child(process::exit_code(end.status)))
}

/// Says that it begins, and listens to control requests. `None` where a watcher had asked to cancel before.
async fn begin(
    client: &Client,
    id: ClientId,
    messages: &Messages,
    publisher: &mut HttpPublisher,
    tally: &Tally,
) -> Result<Option<Control>, PublishError> {
    // An ID that is not known, and a server that is not there, show here: nothing has run yet.
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

/// The command, with what it needs to publish by itself.
fn command(
    client: &Client,
    id: ClientId,
    order: &Order,
    control: &Control,
) -> anyhow::Result<Command> {
    let mut command = process::command(&order.words).context("a command has at least a name")?;
    command
        .env("SSE_CLIENT_ID", id.to_string())
        .env("CODECHAT_PUBLISH_URL", client.publish_url(id));
    match control.level() {
        Some(level) => command.env(WANTED_LEVEL, level.as_str()),
        None => command.env_remove(WANTED_LEVEL),
    };
    Ok(command)
}

/// Delivers all that is read. Where the server refuses for good, the command must not be held back for
/// it: then what is read is only counted. So it is where there is no patience left, after its end.
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

/// Sends the last message behind all others, and waits until they are delivered.
async fn conclude(
    queue: Sender,
    outcome: Batch,
    delivery: JoinHandle<Option<PublishError>>,
) -> Option<PublishError> {
    // It takes batches for as long as there is a queue.
    if let Some(room) = queue.room().await {
        queue.send(outcome, 0, room);
    }
    drop(queue);
    delivery.await.ok().flatten()
}

/// A command that runs.
struct Run {
    child: Child,
    target: process::SignalTarget,
    begun: Instant,
    /// What it is sent when the wanted level changes.
    on_level: Option<Number>,
    outputs: JoinSet<OutputEnd>,
    /// Where it runs on a terminal of its own: what it reads there, until its end.
    input: Option<TerminalInput>,
    /// What comes of its lines.
    tally: Arc<Tally>,
    /// Whether somebody has told it to end.
    told_to_end: bool,
    /// Whether a signal came after its end: then what is not delivered will not be.
    given_up: bool,
    /// When it is to be ended.
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

    /// Follows it to its end, and to that of its output.
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
                    // Our terminal is ours again: Ctrl-C ends what is left to do.
                    self.input = None;
                }
                Some(left) = self.outputs.join_next() => {
                    is_held |= matches!(left, Ok(OutputEnd::Held));
                }
                () = interrupted(&mut self.input) => self.told_to_end = true,
                asked = control.next() => self.obey(asked, status.is_none()),
                (signal, by_terminal) = signals.recv_with_sender() => if status.is_none() {
                    self.told_to_end = true;
                    self.target.pass_on(signal, by_terminal);
                } else {
                    // What it left behind, and what waits, is not waited for any longer.
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
                self.leave_behind();
            }
            return Ok(Ended {
                status,
                told_to_end: self.told_to_end,
                took,
            });
        }
    }

    fn obey(&mut self, asked: News, is_running: bool) {
        if let Some(number) = self.on_level
            && asked.level
            && is_running
        {
            self.target.signal(number);
        }
        if asked.cancel {
            stderr::line("a watcher asked to cancel");
            self.told_to_end |= is_running;
            self.kill_at = Some(Instant::now() + process::PATIENCE);
            self.target.signal_all(Number::TERM);
        }
    }

    /// Something that the command started outlives it and holds its output.
    fn leave_behind(&self) {
        if self.told_to_end {
            self.target.kill_leftovers();
        } else {
            stderr::line(
                "the command has ended, but something that it started holds its output, which is read no further",
            );
        }
    }
}

/// Hands what is typed to the command; ready if that tells it to end.
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
