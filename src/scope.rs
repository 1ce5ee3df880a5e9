//! The work on one request of a watched client: a [`Scope`] sends its messages, and knows what its watcher asks for.
//!
//! Nothing here blocks, fails or panics, even if the client ends: being watched must not change what an application does.

mod current;
#[cfg(feature = "server")]
mod extractor;
pub(crate) mod levels;
mod link;
mod operation;

use std::fmt::{self, Display, Write};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use self::current::{Bound, current};
pub(crate) use self::current::{Entered, Key, enter, is_here, leave, wants_here};
use self::link::{Link, Running};
pub use self::operation::OperationGuard;
use crate::control::ControlState;
use crate::event::ClientId;
use crate::message::{Level, Message};
use crate::publisher::destination::Destination;

/// A client, as the code that works on its request sees it. Clones share their state.
///
/// Outside of a watched request a scope is [`Scope::none`], all of whose methods do nothing, so that code need not check
/// whether the request is watched.
///
/// ```
/// use codechat::{Hub, Level, Limits, Outcome, Publisher};
///
/// # fn main() -> Result<(), codechat::Refusal> {
/// let hub = Hub::new(Limits::default());
/// let scope = Publisher::new(&hub).scope(hub.connect()?);
/// let import = scope.operation("import").unit("files");
/// for file in 1..=120 {
///     if scope.cancelled().is_cancelled() {
///         break; // dropped unfinished, the operation ends as cancelled
///     }
///     import.progress(file, Some(120));
///     import.scope().debug(format_args!("file {file}")); // formatted only if a watcher asks for it
/// }
/// import.finish(Outcome::Ok);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Scope {
    /// `None` publishes nothing.
    link: Option<Arc<Link>>,
    /// The operation that its messages belong to.
    operation: Option<Arc<Running>>,
}

impl Scope {
    pub(crate) fn new(destination: Arc<Destination>, id: ClientId) -> Self {
        Self {
            link: Some(Link::open(destination, id)),
            operation: None,
        }
    }

    /// Returns the scope of no client.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Sets the finest level that is sent while no watcher asks for another. Default [`Level::Info`].
    #[must_use]
    pub fn default_level(self, level: Level) -> Self {
        if let Some(link) = &self.link {
            link.set_level(level);
        }
        self
    }

    /// Returns the client's ID; `None` for [`Scope::none`].
    #[must_use]
    pub fn client_id(&self) -> Option<ClientId> {
        self.link.as_ref().map(|it| it.id())
    }

    /// Returns whether messages of this level are sent. Costs one atomic load.
    #[must_use]
    pub fn wants(&self, level: Level) -> bool {
        self.link.as_ref().is_some_and(|it| it.wants(level))
    }

    /// Sends a text of this level if the level is wanted; otherwise does not format it. If formatting fails, the part before
    /// that is sent.
    pub fn log(&self, level: Level, text: impl Display) {
        if self.wants(level) {
            // Not `to_string`, which panics if formatting fails.
            let mut written = String::new();
            let _ = write!(written, "{text}");
            self.send(Message::text(written).level(level));
        }
    }

    /// [`Scope::log`] of the level `trace`.
    pub fn trace(&self, text: impl Display) {
        self.log(Level::Trace, text);
    }

    /// [`Scope::log`] of the level `debug`.
    pub fn debug(&self, text: impl Display) {
        self.log(Level::Debug, text);
    }

    /// [`Scope::log`] of the level `info`.
    pub fn info(&self, text: impl Display) {
        self.log(Level::Info, text);
    }

    /// [`Scope::log`] of the level `warn`.
    pub fn warn(&self, text: impl Display) {
        self.log(Level::Warn, text);
    }

    /// [`Scope::log`] of the level `error`.
    pub fn error(&self, text: impl Display) {
        self.log(Level::Error, text);
    }

    /// Sends a message if its level is wanted or it ends an operation. A message that names no operation belongs to the scope's
    /// own. A progress without text is sent at most 10 times a second for each operation; the last one is sent with the
    /// outcome.
    pub fn send(&self, message: Message) {
        let Some(link) = &self.link else { return };
        let is_wanted = message.level.is_none_or(|it| link.wants(it));
        if !is_wanted && message.outcome.is_none() {
            return;
        }
        let named = match &message.operation {
            Some(name) => link.running(name),
            None => self.operation.clone(),
        };
        link.send(message.repaired(), named.as_deref());
    }

    /// Starts an operation, which groups messages under its name, and sends `Started name` at level info. While an operation of
    /// the same name runs for this client, the new one is named `name #2`, and so on.
    #[must_use = "dropping it ends the operation"]
    pub fn operation(&self, name: &str) -> OperationGuard {
        OperationGuard::begin(self, name)
    }

    /// Returns a token that is cancelled if a watcher asks to cancel the scope's operation, or the one that this was started in.
    /// For a scope outside of operations, it is cancelled if a watcher asks to cancel any operation that was started there. For
    /// [`Scope::none`], it is never cancelled.
    #[must_use]
    pub fn cancelled(&self) -> CancellationToken {
        match (&self.operation, &self.link) {
            (Some(running), _) => running.cancelled(),
            (None, Some(link)) => link.cancelled(),
            (None, None) => CancellationToken::new(),
        }
    }

    /// Returns the number of watchers and what they ask for, as last reported.
    #[must_use]
    pub fn control(&self) -> ControlState {
        self.link
            .as_ref()
            .map_or_else(ControlState::default, |it| it.control())
    }

    /// Runs `work` with this as the current scope, such as in a thread of its own.
    pub fn in_scope<R>(&self, work: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(self.clone());
        work()
    }

    /// Makes this the current scope whenever `future` is polled, such as by `tokio::spawn`.
    pub fn bind<F: Future>(&self, future: F) -> Bound<F> {
        Bound::new(self.clone(), future)
    }

    /// Returns whether there is a client to publish to.
    pub(crate) fn is_some(&self) -> bool {
        self.link.is_some()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the whole ID, which is a capability.
        let client = self.client_id().map(|it| it.short());
        f.debug_struct("Scope").field("client", &client).finish()
    }
}
