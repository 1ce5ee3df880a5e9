//! The state that all clones of a scope share: where its messages go, what its watcher asks for, and which of its operations run.
//!
//! Control requests come by a control stream that no task reads: the hub wakes it, on the requesting thread, which then reads
//! it.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Scope, levels};
use crate::control::{Cancel, ControlState};
use crate::event::ClientId;
use crate::hub::{ControlEvent, ControlStream};
use crate::lock::lock;
use crate::message::{Level, Message, Operation, Progress, STARTED};
use crate::publisher::destination::Destination;
#[cfg(feature = "client")]
use crate::publisher::http::{Controlled, Standing};

/// The shortest time between two progress messages without text.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Link {
    id: ClientId,
    destination: Arc<Destination>,
    /// The finest level that is sent.
    finest: AtomicU8,
    /// Whether its watcher was informed that the application filters out the level that it asks for.
    is_told: AtomicBool,
    /// A short lock; none other is taken while it is held, except those of its operations.
    state: Mutex<State>,
    /// `None` if the client is unknown or has ended. The hub is read and `state` is set under this lock, but nothing is dropped:
    /// that would wake other links, which have locks of their own.
    control: Mutex<Option<ControlStream>>,
}

struct State {
    default: Level,
    /// Whether the server does not know the client, so that nothing is sent.
    is_dormant: bool,
    known: ControlState,
    token: CancellationToken,
    running: Vec<Arc<Running>>,
}

/// An operation that has started and has not ended.
pub(super) struct Running {
    pub(super) name: Operation,
    /// The innermost running operation that it was started in.
    parent: Mutex<Option<Arc<Running>>>,
    progress: Mutex<Throttle>,
    /// Whether a watcher asked to cancel it, or its parent.
    is_cancelled: AtomicBool,
    /// Cancelled after `is_cancelled` is set.
    token: CancellationToken,
}

#[derive(Default)]
struct Throttle {
    sent: Option<Instant>,
    /// The newest progress that was held back.
    held: Option<Progress>,
}

impl Link {
    pub(super) fn open(destination: Arc<Destination>, id: ClientId) -> Arc<Self> {
        let link = Arc::new(Self {
            id,
            destination,
            finest: AtomicU8::new(Level::Info as u8),
            is_told: AtomicBool::new(false),
            state: Mutex::new(State {
                default: Level::Info,
                is_dormant: false,
                known: ControlState::default(),
                token: CancellationToken::new(),
                running: Vec::new(),
            }),
            control: Mutex::new(None),
        });
        levels::change(None, Some(Level::Info));
        link.listen();
        #[cfg(feature = "client")]
        if let Some(server) = link.destination.as_http() {
            let this: Weak<dyn Controlled> = Arc::<Self>::downgrade(&link);
            server.enter(id, &this);
        }
        link
    }

    pub(super) fn id(&self) -> ClientId {
        self.id
    }

    pub(super) fn wants(&self, level: Level) -> bool {
        level as u8 >= self.finest.load(Relaxed)
    }

    pub(super) fn set_level(&self, level: Level) {
        let mut state = lock(&self.state);
        state.default = level;
        let (before, after) = self.set_finest(&state);
        drop(state);
        levels::change(before, after);
    }

    pub(super) fn cancelled(&self) -> CancellationToken {
        lock(&self.state).token.clone()
    }

    pub(super) fn control(&self) -> ControlState {
        lock(&self.state).known.clone()
    }

    /// Starts an operation under this name, or a free one made from it.
    pub(super) fn begin(&self, name: &str, mut parent: Option<Arc<Running>>) -> Arc<Running> {
        let name = self.destination.begin(self.id, name);
        let mut state = lock(&self.state);
        while let Some(ended) = parent.take_if(|it| !state.has(it)) {
            parent = ended.parent();
        }
        let cancel = state.known.requested.cancel.as_ref();
        let is_for = cancel.is_some_and(|it| it.is_for(Some(&name)));
        let is_cancelled = is_for || parent.as_ref().is_some_and(|it| it.is_cancelled());
        let running = Arc::new(Running {
            name,
            parent: Mutex::new(parent),
            progress: Mutex::default(),
            is_cancelled: AtomicBool::new(is_cancelled),
            token: CancellationToken::new(),
        });
        state.running.push(Arc::clone(&running));
        let tokens = is_cancelled.then(|| [running.token.clone(), state.token.clone()]);
        drop(state);
        for token in tokens.into_iter().flatten() {
            token.cancel();
        }
        running
    }

    /// Removes an operation whose outcome was sent.
    pub(super) fn end(&self, running: &Arc<Running>) {
        self.destination.end(self.id, &running.name);
        let mut state = lock(&self.state);
        state.running.retain(|it| !Arc::ptr_eq(it, running));
        for other in &state.running {
            let mut parent = lock(&other.parent);
            if parent.as_ref().is_some_and(|it| Arc::ptr_eq(it, running)) {
                *parent = running.parent();
            }
        }
        state.renew_token();
    }

    /// Returns the operation of this name if it runs in this scope.
    pub(super) fn running(&self, name: &Operation) -> Option<Arc<Running>> {
        let state = lock(&self.state);
        state.running.iter().find(|it| it.name == *name).cloned()
    }

    /// Opens a control stream that stands for an operation's publisher.
    pub(super) fn stand_for(&self, operation: &Operation) -> Option<ControlStream> {
        self.destination.listen(self.id, Some(operation.clone()))
    }

    /// Publishes the start of an operation.
    pub(super) fn send_start(self: &Arc<Self>, running: &Running) {
        if self.wants(Level::Info) {
            let text = format!("{STARTED}{}", running.name.as_str());
            let mut message = Message::text(text).level(Level::Info);
            message.operation = Some(running.name.clone());
            self.publish(message);
        }
    }

    /// Publishes a message, of this operation if it names none.
    pub(super) fn send(self: &Arc<Self>, mut message: Message, running: Option<&Running>) {
        if let Some(running) = running {
            if running.holds_back(&mut message) {
                return;
            }
            if message.operation.is_none() {
                message.operation = Some(running.name.clone());
            }
        }
        self.publish(message);
    }

    fn publish(self: &Arc<Self>, message: Message) {
        let is_taken = self.destination.publish(self.id, message);
        if is_taken && lock(&self.control).is_none() {
            // The client was unknown before.
            self.listen();
        }
    }

    /// Opens the control stream, and reads its first state.
    fn listen(self: &Arc<Self>) {
        let Some(stream) = self.destination.listen(self.id, None) else {
            return;
        };
        let before = lock(&self.control).replace(stream);
        drop(before);
        self.read_control();
    }

    /// Reads the newest state of the control stream, and leaves a waker that reads the next.
    fn read_control(self: &Arc<Self>) {
        let waker = Waker::from(Arc::new(ControlWaker(Arc::downgrade(self))));
        let mut cx = Context::from_waker(&waker);
        loop {
            let mut control = lock(&self.control);
            let Some(stream) = control.as_mut() else {
                return;
            };
            match stream.poll_event(&mut cx) {
                Poll::Pending => return,
                Poll::Ready(ControlEvent::State(known)) => {
                    // Under the lock, so that the newest is noted last.
                    let consequences = self.set_known(known);
                    drop(control);
                    self.follow(consequences);
                }
                Poll::Ready(ControlEvent::End(_) | ControlEvent::Closing | ControlEvent::Cut) => {
                    let over = control.take();
                    let consequences = self.set_known(ControlState::default());
                    drop(control);
                    drop(over);
                    return self.follow(consequences);
                }
            }
        }
    }

    /// Stores a new state. Its consequences must wait until no lock is held: they run others' code.
    #[must_use]
    fn set_known(&self, known: ControlState) -> Consequences {
        let mut state = lock(&self.state);
        state.known = known;
        let cancel = state.known.requested.cancel.clone();
        let tokens = cancel.map_or_else(Vec::new, |it| state.cancel(&it));
        state.renew_token();
        Consequences {
            tokens,
            levels: self.set_finest(&state),
            asked: state.known.requested.level,
        }
    }

    /// The finest level that was wanted, and that is.
    fn set_finest(&self, state: &State) -> (Option<Level>, Option<Level>) {
        let finest = state.known.requested.level.unwrap_or(state.default);
        let finest = (!state.is_dormant).then_some(finest);
        let number = finest.map_or(levels::NONE, |it| it as u8);
        let before = self.finest.swap(number, Relaxed);
        (levels::at(before), finest)
    }

    fn follow(self: &Arc<Self>, consequences: Consequences) {
        let Consequences {
            tokens,
            levels,
            asked,
        } = consequences;
        levels::change(levels.0, levels.1);
        for token in tokens {
            token.cancel();
        }
        let (Some(asked), false) = (asked, self.is_told.load(Relaxed)) else {
            return;
        };
        let scope = Scope {
            link: Some(Arc::clone(self)),
            operation: None,
        };
        if let Some(most) = scope.in_scope(|| levels::removed_above(asked)) {
            self.is_told.store(true, Relaxed);
            let text = format!(
                "this application stops at {most}; make its EnvFilter the filter of one layer"
            );
            let message = Message::text(text).level(Level::Warn);
            self.publish(message);
        }
    }
}

/// The consequences of a new state.
struct Consequences {
    /// Tokens to cancel.
    tokens: Vec<CancellationToken>,
    levels: (Option<Level>, Option<Level>),
    /// The level that a watcher asks for, if it is new.
    asked: Option<Level>,
}

impl Drop for Link {
    fn drop(&mut self) {
        levels::change(levels::at(self.finest.load(Relaxed)), None);
        #[cfg(feature = "client")]
        if let Some(server) = self.destination.as_http() {
            server.leave(self.id);
        }
    }
}

#[cfg(feature = "client")]
impl Controlled for Link {
    fn set_standing(self: Arc<Self>, standing: Standing) {
        lock(&self.state).is_dormant = standing.is_dormant;
        let consequences = self.set_known(standing.control);
        self.follow(consequences);
    }
}

impl State {
    /// Returns whether this operation runs.
    fn has(&self, running: &Arc<Running>) -> bool {
        self.running.iter().any(|it| Arc::ptr_eq(it, running))
    }

    /// Notes that a watcher asks to cancel. Returns the tokens of the operations that this concerns, and that of the scope.
    fn cancel(&self, cancel: &Cancel) -> Vec<CancellationToken> {
        let mut tokens = Vec::new();
        // Each operation comes after its parent.
        for running in &self.running {
            let is_parent = || running.parent().is_some_and(|it| it.is_cancelled());
            if cancel.is_for(Some(&running.name)) || is_parent() {
                running.is_cancelled.store(true, Relaxed);
                tokens.push(running.token.clone());
            }
        }
        if cancel.operation.is_none() || !tokens.is_empty() {
            tokens.push(self.token.clone());
        }
        tokens
    }

    /// Forgets the cancel once nothing that it concerned runs: later operations are not cancelled.
    fn renew_token(&mut self) {
        let is_asked = self.known.requested.cancel.is_some();
        let is_ending = self.running.iter().any(|it| it.is_cancelled());
        if self.token.is_cancelled() && !is_asked && !is_ending {
            self.token = CancellationToken::new();
        }
    }
}

impl Running {
    fn parent(&self) -> Option<Arc<Running>> {
        lock(&self.parent).clone()
    }

    pub(super) fn cancelled(&self) -> CancellationToken {
        self.token.clone()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Relaxed)
    }

    /// Returns whether a message is a progress without text that comes too soon after the last one. The newest of those is sent
    /// with the outcome, unless another progress is sent before.
    fn holds_back(&self, message: &mut Message) -> bool {
        let mut throttle = lock(&self.progress);
        let now = Instant::now();
        let is_soon = throttle.sent.is_some_and(|it| now < it + PROGRESS_PAUSE);
        let is_bare = message.text.is_empty() && message.outcome.is_none();
        if message.progress.is_some() && is_bare && is_soon {
            throttle.held = message.progress.take();
            return true;
        }
        if message.outcome.is_some() && message.progress.is_none() {
            message.progress = throttle.held.take();
        }
        if message.progress.is_some() {
            *throttle = Throttle {
                sent: Some(now),
                held: None,
            };
        }
        false
    }
}

/// Waker that reads the control stream of a link if the link still exists.
struct ControlWaker(Weak<Link>);

impl Wake for ControlWaker {
    fn wake(self: Arc<Self>) {
        if let Some(link) = self.0.upgrade() {
            link.read_control();
        }
    }
}
