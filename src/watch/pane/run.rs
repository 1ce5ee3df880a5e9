//! The loop around the model: whatever happens goes in, effects come out, and a frame is drawn when
//! something may look different, so many times a second at the most.

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

/// The shortest time from one frame to the next.
const FRAME: Duration = Duration::from_millis(16);
/// So many updates are taken before something else is looked at.
const BATCH: usize = 1024;
/// How long it may take until a process that is told to stop has stopped.
const STOPS_WITHIN: Duration = Duration::from_millis(200);
/// How many files of one name are saved, with numbers.
const NAMES_MAX: usize = 1000;

/// Control of where updates come from.
pub trait Controls {
    /// Makes the connection again, now.
    fn reconnect(&self);

    /// Asks publishers for something; says what it came to.
    fn ask(&self, request: ControlRequest) -> BoxFuture<'static, String>;

    /// Who else uses the server that ends with this watch.
    fn others(&self) -> Others;
}

/// How the pane was left.
#[derive(Debug)]
pub struct PaneEnd {
    /// Why.
    pub leave: Leave,
    /// The last screen, where it is to stay printed.
    pub printed: Option<String>,
    /// The screen's model.
    pub screen: Screen,
}

/// Shows what comes until the user leaves, or what was waited for has come. Giving this future up
/// gives the terminal back.
///
/// # Errors
/// Where the terminal cannot be used, where nothing could be read from the first, and where something
/// panicked.
pub async fn run(
    mut updates: impl Stream<Item = Result<Update, FeedError>> + Unpin,
    way_back: Option<&dyn Controls>,
    mut screen: Screen,
    clock: &Clock,
    theme: Theme,
    mut connected: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<PaneEnd> {
    // A stream that cannot be had at all is told on the terminal as it is.
    let first = updates.next().await.transpose()?;
    let mut pane = Pane {
        terminal: Terminal::take()?,
        events: Some(EventStream::new()),
        works: JoinSet::new(),
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
        if let Some(way_back) = way_back
            && matches!(msg, Msg::Key(_) | Msg::Tick)
        {
            screen.set_others(way_back.others());
        }
        let mut left = None;
        for effect in update(&mut screen, msg, clock.now()) {
            left = left.or(pane.bring_about(effect, way_back, &mut screen).await?);
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

/// What the loop holds beside the model.
struct Pane {
    terminal: Terminal,
    /// `None` while the terminal is not ours.
    events: Option<EventStream>,
    /// What goes on outside: each says in the end what it came to.
    works: JoinSet<String>,
    theme: Theme,
    /// Whether the screen may look different from what was drawn.
    changed: bool,
    drawn: Option<Instant>,
    /// The stream's end, where it has come but is still to be told.
    end: Option<Msg>,
}

impl Pane {
    /// The next thing that happens. Draws when that is due.
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
                // Keys come before frames, and both before a flood.
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
                Some(told) = self.works.join_next() => {
                    return Ok(Msg::Notice(told.unwrap_or_else(|error| error.to_string())));
                }
                msg = take(updates, clock, &mut self.end), if !ended => return Ok(msg),
                () = after(wake) => return Ok(Msg::Tick),
            }
        }
    }

    fn draw(&mut self, screen: &mut Screen, clock: &Clock) -> io::Result<()> {
        let (theme, now) = (self.theme, clock.now());
        // The size is asked for rather than believed: in a burst of resizes, what is told is late.
        let (width, height) = size();
        update(screen, Msg::Resize(width, height), now);
        self.terminal
            .draw(|buffer| draw::draw(screen, theme, now, buffer))?;
        self.changed = false;
        self.drawn = Some(Instant::now());
        Ok(())
    }

    /// Does what the model wants to happen outside; says whether that is the pane's end.
    async fn bring_about(
        &mut self,
        effect: Effect,
        way_back: Option<&dyn Controls>,
        screen: &mut Screen,
    ) -> anyhow::Result<Option<Leave>> {
        match effect {
            Effect::Leave(leave) => return Ok(Some(leave)),
            Effect::Copy { text, told } => {
                self.terminal.copy(&text)?;
                if clipboard::is_in_tmux() {
                    self.works
                        .spawn_blocking(move || clipboard::load_into_tmux(&text, &told));
                }
            }
            Effect::Mouse(take) => self.terminal.mouse(take)?,
            Effect::Reconnect => {
                if let Some(way_back) = way_back {
                    way_back.reconnect();
                }
            }
            Effect::Save(path, bytes) => {
                self.works.spawn_blocking(move || save(path, &bytes));
            }
            Effect::Control(request) => {
                if let Some(way_back) = way_back {
                    self.works.spawn(way_back.ask(request));
                }
            }
            Effect::Suspend => self.suspend(screen).await?,
        }
        Ok(None)
    }

    /// Gives the terminal to the shell until that brings us back.
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

/// All that has come from the stream; waits for the first. Where that is followed by the stream's end,
/// `end` is what comes next.
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

/// Stops this process and those of its job, as ^z does, and comes back when it goes on. A server
/// inside it stops too: to the shell they are one, and going on alone would take a process that nobody
/// started. False where
/// nothing would bring it back, so that the system does not stop it.
async fn stop() -> anyhow::Result<bool> {
    use tokio::signal::unix::{SignalKind, signal};
    let continued = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
    let mut continued = signal(continued)?;
    rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
    // The signal is on its way when the call returns, and need not have come.
    Ok(tokio::time::timeout(STOPS_WITHIN, continued.recv())
        .await
        .is_ok())
}

/// Writes a new file, under the next free name if there is one by this name; says what came of it.
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

/// The path with a number, from the second on: `messages.txt`, `messages-2.txt`.
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

/// A path as a shell would read it.
fn at_home(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path,
    }
}
