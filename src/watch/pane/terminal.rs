//! The terminal while the pane has it, and giving it back exactly once: on leaving, on an error, when
//! the program is told to end, and when anything in it panics.
//!
//! A panic ends the screen wherever it happens, before it is told: a message on a screen that is
//! about to be drawn over, or to be thrown away, would be read by nobody.

use std::cell::RefCell;
use std::io::{self, Write};
use std::panic;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, OnceLock};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::style::ResetColor;
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use crossterm::{execute, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::{Terminal as Drawn, TerminalOptions, Viewport};
use tokio::sync::Notify;

use crate::terminal::size::size;
use crate::terminal::streams;

/// Whether the terminal is the pane's.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether something has panicked since the pane was opened.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Waits until something has panicked.
pub(super) async fn panicked() {
    let told = told().notified();
    if !PANICKED.load(Ordering::SeqCst) {
        told.await;
    }
}

fn told() -> &'static Notify {
    static TOLD: OnceLock<Notify> = OnceLock::new();
    TOLD.get_or_init(Notify::new)
}

/// The terminal, which is the pane's until this is dropped.
pub(super) struct Terminal {
    drawn: Drawn<CrosstermBackend<Frame>>,
    frame: Frame,
    mouse: bool,
}

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Where it cannot be written or set.
    pub(super) fn take() -> io::Result<Self> {
        end_before_panics();
        PANICKED.store(false, Ordering::SeqCst);
        let frame = Frame::default();
        let mut taken = Self {
            drawn: Drawn::with_options(
                CrosstermBackend::new(frame.clone()),
                TerminalOptions {
                    viewport: Viewport::Fixed(area()),
                },
            )?,
            frame,
            mouse: false,
        };
        taken.enter()?;
        Ok(taken)
    }

    /// Takes the terminal again, and draws all of it next time.
    ///
    /// # Errors
    /// Where it cannot be written or set.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        // Set first: what is half taken is to be given back too.
        TAKEN.store(true, Ordering::SeqCst);
        terminal::enable_raw_mode()?;
        let out = self.drawn.backend_mut();
        queue!(out, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        if self.mouse {
            queue!(out, EnableMouseCapture)?;
        }
        // Not `clear`, which asks the terminal where its cursor is and waits for seconds where that
        // does not answer.
        self.drawn.resize(area())?;
        self.commit()
    }

    /// Gives the terminal back, until it is entered again.
    pub(super) fn leave() {
        give_back();
    }

    /// Draws a frame: the terminal shows it as a whole, or not yet.
    ///
    /// # Errors
    /// Where the terminal cannot be written.
    pub(super) fn draw(
        &mut self,
        draw: impl FnOnce(&mut Buffer) -> Option<Position>,
    ) -> io::Result<()> {
        queue!(self.drawn.backend_mut(), BeginSynchronizedUpdate)?;
        let area = area();
        if self.drawn.get_frame().area() != area {
            self.drawn.resize(area)?;
        }
        self.drawn.draw(|frame| {
            if let Some(cursor) = draw(frame.buffer_mut()) {
                frame.set_cursor_position(cursor);
            }
        })?;
        queue!(self.drawn.backend_mut(), EndSynchronizedUpdate)?;
        self.commit()
    }

    /// Takes the mouse or gives it back.
    ///
    /// # Errors
    /// Where the terminal cannot be written.
    pub(super) fn mouse(&mut self, take: bool) -> io::Result<()> {
        self.mouse = take;
        let out = self.drawn.backend_mut();
        if take {
            queue!(out, EnableMouseCapture)?;
        } else {
            queue!(out, DisableMouseCapture)?;
        }
        self.commit()
    }

    /// Asks the terminal to put a text on the clipboard (OSC 52), base64 as that wants it.
    ///
    /// # Errors
    /// Where the terminal cannot be written.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        queue!(
            self.drawn.backend_mut(),
            CopyToClipboard::to_clipboard_from(text)
        )?;
        self.commit()
    }

    fn commit(&mut self) -> io::Result<()> {
        self.frame.commit()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// All of the terminal, at the size that it has now. Not asked of the backend, which believes a terminal that
/// tells 0 x 0.
fn area() -> Rect {
    let (width, height) = size();
    Rect::new(0, 0, width, height)
}

/// Undoes everything, unless that was done.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // Where the terminal is gone, there is nobody to tell.
    let _ = execute!(
        streams::stdout(),
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        ResetColor,
        LeaveAlternateScreen,
        Show
    );
    let _ = terminal::disable_raw_mode();
}

/// From now on, a panic ends the screen before it is told.
fn end_before_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if TAKEN.load(Ordering::SeqCst) {
                give_back();
                PANICKED.store(true, Ordering::SeqCst);
                told().notify_waiters();
            }
            tell(info);
        }));
    });
}

/// What is to be written next: all of it goes out in one piece, the marks of a synchronized update
/// around what they are for.
#[derive(Clone, Debug, Default)]
struct Frame(Rc<RefCell<Vec<u8>>>);

impl Write for Frame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Is asked for in the middle of a frame, and waits for its end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Frame {
    /// Waits for a terminal that takes no output, as less does: there is nobody to draw for, and what
    /// comes meanwhile waits behind the connection's bounds. Signals, and a server inside this process,
    /// wait with it; a terminal that hangs up ends the waiting with an error.
    fn commit(&self) -> io::Result<()> {
        let mut bytes = self.0.borrow_mut();
        // After a panic, the screen is not ours any more.
        if TAKEN.load(Ordering::SeqCst) {
            let mut stdout = streams::stdout();
            stdout.write_all(&bytes)?;
            stdout.flush()?;
        }
        bytes.clear();
        Ok(())
    }
}
