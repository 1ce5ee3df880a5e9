//! The pane's loop: events go into the model, effects come out, and a frame is drawn if something may have changed, at
//! a bounded rate.

use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossterm::event::EventStream;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::clipboard;
use super::draw;
use super::draw::theme::Theme;
use super::events;
use super::last_screen::printed;
use super::state::{Leave, Others, Screen};
use super::terminal::{Terminal, panicked};
use super::update::{Effect, Msg, update};
use crate::client::subscribe::{FeedError, Update};
use crate::control::ControlRequest;
use crate::file_error;
use crate::terminal::size::size;
use crate::watch::clock::Clock;
use crate::watch::format::count_of;
use crate::watch::private_file;

/// Shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// How many updates are taken before other events get their turn.
const BATCH: usize = 1024;
/// How long a stopped process may take to stop.
const STOPS_WITHIN: Duration = Duration::from_millis(200);
/// Upper bound of the numbers that are tried for a file name.
const NAMES_MAX: usize = 1000;

/// Controls of the source of updates.
pub trait Controls {
    /// Reconnects now.
    fn reconnect(&self);

    /// Sends a control request; returns a notice about its result.
    fn ask(&self, request: ControlRequest) -> BoxFuture<'static, String>;

    /// Returns the other users of the server in this watch.
    fn others(&self) -> Others;
}

/// How the pane closed.
#[derive(Debug)]
pub struct PaneEnd {
    /// Why.
    pub leave: Leave,
    /// The last screen, if it is to stay printed.
    pub printed: Option<String>,
    /// The screen's model.
    pub screen: Screen,
}

/// Shows updates until the user quits or the model reaches a verdict. Dropping this future restores the terminal.
///
/// # Errors
/// If the terminal cannot be used, if nothing could be read at all, or after a panic.
pub async fn run(
    mut updates: impl Stream<Item = Result<Update, FeedError>> + Unpin,
    controls: Option<&dyn Controls>,
    mut screen: Screen,
    clock: &Clock,
    theme: Theme,
    mut connected: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<PaneEnd> {
    // A stream that fails at once is reported without opening the pane.
    let first = updates.next().await.transpose()?;
    let mut pane = Pane {
        terminal: Terminal::take()?,
        events: Some(EventStream::new()),
        effects: JoinSet::new(),
        theme,
        changed: true,
        drawn: None,
        end: None,
    };
    let at = clock.of_update();
    let mut msg = first.map_or(Msg::Ended, |update| Msg::Updates(vec![(at, update)]));
    let mut ended = false;
    let leave = loop {
        if let Msg::Updates(updates) = &msg
            && updates
                .iter()
                .any(|(_, it)| matches!(it, Update::Connected { .. }))
        {
            connected()?;
        }
        pane.changed = true;
        ended |= matches!(msg, Msg::Failed(_) | Msg::Ended);
        if let Some(controls) = controls
            && matches!(msg, Msg::Key(_) | Msg::Tick)
        {
            screen.set_others(controls.others());
        }
        let mut left = None;
        for effect in update(&mut screen, msg, clock.now()) {
            left = left.or(pane.perform(effect, controls, &mut screen).await?);
        }
        if let Some(leave) = left {
            break leave;
        }
        msg = pane.next(&mut updates, &mut screen, clock, ended).await?;
    };
    let now = clock.of_update();
    let printed = (leave == Leave::Printing).then(|| {
        let area = ratatui::layout::Rect::new(0, 0, screen.width, screen.height);
        let mut buffer = ratatui::buffer::Buffer::empty(area);
        draw::draw(&screen, theme, now, &mut buffer);
        printed(&buffer)
    });
    Ok(PaneEnd {
        leave,
        printed,
        screen,
    })
}

/// The loop's state besides the model.
struct Pane {
    terminal: Terminal,
    /// `None` while the shell has the terminal.
    events: Option<EventStream>,
    /// Effects in progress; each returns a notice about its result.
    effects: JoinSet<String>,
    theme: Theme,
    /// Whether the screen may look different from the last frame.
    changed: bool,
    drawn: Option<Instant>,
    /// The end of the stream, if it is still to be handled.
    end: Option<Msg>,
}

impl Pane {
    /// Returns the next event. Draws when that is due.
    async fn next(
        &mut self,
        updates: &mut (impl Stream<Item = Result<Update, FeedError>> + Unpin),
        screen: &mut Screen,
        clock: &Clock,
        ended: bool,
    ) -> anyhow::Result<Msg> {
        if let Some(end) = self.end.take() {
            return Ok(end);
        }
        loop {
            let frame = self
                .changed
                .then(|| self.drawn.map_or_else(Instant::now, |it| it + FRAME));
            let wake = screen.wake(clock.now()).filter(|_| !self.changed);
            let wake = wake.and_then(|it| clock.real(it));
            tokio::select! {
                // Keys come before frames, and both before a flood of updates.
                biased;
                () = panicked() => anyhow::bail!("the screen was closed because of the above, which is a bug; please report it"),
                event = next_event(&mut self.events) => {
                    match event {
                        Some(Ok(event)) => if let Some(msg) = events::message(event) {
                            return Ok(msg);
                        },
                        Some(Err(error)) => return Err(error.into()),
                        None => anyhow::bail!("the terminal is gone"),
                    }
                }
                () = at(frame) => self.draw(screen, clock)?,
                Some(notice) = self.effects.join_next() => {
                    return Ok(Msg::Notice(notice.unwrap_or_else(|error| error.to_string())));
                }
                msg = take(updates, clock, &mut self.end), if !ended => return Ok(msg),
                () = after(wake) => return Ok(Msg::Tick),
            }
        }
    }

    fn draw(&mut self, screen: &mut Screen, clock: &Clock) -> io::Result<()> {
        let (theme, now) = (self.theme, clock.now());
        // The size is queried: in a burst of resize events, the reported sizes are outdated.
        let (width, height) = size();
        update(screen, Msg::Resize(width, height), now);
        self.terminal
            .draw(|buffer| draw::draw(screen, theme, now, buffer))?;
        self.changed = false;
        self.drawn = Some(Instant::now());
        Ok(())
    }

    /// Performs an effect; returns whether the pane closes.
    async fn perform(
        &mut self,
        effect: Effect,
        controls: Option<&dyn Controls>,
        screen: &mut Screen,
    ) -> anyhow::Result<Option<Leave>> {
        match effect {
            Effect::Leave(leave) => return Ok(Some(leave)),
            Effect::Copy { text, notice } => {
                self.terminal.copy(&text)?;
                if clipboard::is_in_tmux() {
                    self.effects
                        .spawn_blocking(move || clipboard::load_into_tmux(&text, &notice));
                }
            }
            Effect::Mouse(take) => self.terminal.mouse(take)?,
            Effect::Reconnect => {
                if let Some(controls) = controls {
                    controls.reconnect();
                }
            }
            Effect::Save(path, bytes) => {
                self.effects.spawn_blocking(move || save(path, &bytes));
            }
            Effect::Control(request) => {
                if let Some(controls) = controls {
                    self.effects.spawn(controls.ask(request));
                }
            }
            Effect::Suspend => self.suspend(screen).await?,
        }
        Ok(None)
    }

    /// Gives the terminal to the shell until it resumes this program.
    async fn suspend(&mut self, screen: &mut Screen) -> anyhow::Result<()> {
        self.events = None;
        Terminal::leave();
        if !stop().await? {
            screen.notice = Some("nothing here could bring the pane back, so it stays".into());
        }
        self.terminal.enter()?;
        self.events = Some(EventStream::new());
        Ok(())
    }
}

/// Returns all updates that have come; waits for the first. If the stream's end follows them, `end` is set.
async fn take(
    updates: &mut (impl Stream<Item = Result<Update, FeedError>> + Unpin),
    clock: &Clock,
    end: &mut Option<Msg>,
) -> Msg {
    let mut taken = Vec::new();
    let mut next = updates.next().await;
    let mut at = clock.of_update();
    loop {
        let last = match next {
            Some(Ok(update)) => {
                at = clock.of_update_after(at);
                taken.push((at, update));
                None
            }
            Some(Err(error)) => Some(Msg::Failed(error.to_string())),
            None => Some(Msg::Ended),
        };
        match last {
            Some(last) if taken.is_empty() => return last,
            Some(last) => {
                *end = Some(last);
                break;
            }
            None if taken.len() >= BATCH => break,
            None => {}
        }
        match updates.next().now_or_never() {
            Some(more) => next = more,
            None => break,
        }
    }
    Msg::Updates(taken)
}

async fn next_event(
    events: &mut Option<EventStream>,
) -> Option<io::Result<crossterm::event::Event>> {
    match events {
        Some(events) => events.next().await,
        None => pending().await,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

async fn after(wait: Option<Duration>) {
    match wait {
        Some(wait) => sleep(wait).await,
        None => pending().await,
    }
}

/// Stops this process and its job, like ^Z, and returns when they continue. A server in this process stops too: to
/// the shell they are one job. Returns false if nothing could continue them, so that the system does not stop them.
async fn stop() -> anyhow::Result<bool> {
    use tokio::signal::unix::{SignalKind, signal};
    let continued = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
    let mut continued = signal(continued)?;
    rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
    // The signal may still be pending when the call returns.
    Ok(tokio::time::timeout(STOPS_WITHIN, continued.recv())
        .await
        .is_ok())
}

/// Writes a new file, with a number in its name if there is one already; returns a notice.
fn save(path: PathBuf, bytes: &[u8]) -> String {
    let path = at_home(path);
    let path = std::path::absolute(&path).unwrap_or(path);
    for number in 1..=NAMES_MAX {
        let path = numbered(&path, number);
        let shown = path.display();
        match write_new(&path, bytes) {
            Ok(()) => return format!("saved {} bytes to {shown}", count_of(bytes.len() as u64)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return format!(
                    "nothing was saved to {shown}: {}",
                    file_error::reason(&error)
                );
            }
        }
    }
    let shown = path.display();
    format!("{shown} is there already, with all of {NAMES_MAX} numbers; nothing was saved")
}

/// Inserts a number into a file name, from 2 on: `messages.txt`, `messages-2.txt`.
fn numbered(path: &Path, number: usize) -> PathBuf {
    let Some(stem) = path.file_stem().filter(|_| number > 1) else {
        return path.to_owned();
    };
    let mut name = stem.to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use io::Write;
    let mut file = private_file::create_new(path)?;
    file.write_all(bytes)
}

/// Expands `~` at the beginning of a path.
fn at_home(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path,
    }
}
