//! The terminal while the pane uses it. It is restored exactly once: on closing, on an error, on a signal, and on
//! a panic.
//!
//! A panic anywhere restores it before the panic's message is printed: on the pane's screen the message would be lost.

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

/// Whether the pane has the terminal.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether something has panicked since the pane was opened.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Waits until something has panicked.
pub(super) async fn panicked() {
    let notified = panic_notify().notified();
    if !PANICKED.load(Ordering::SeqCst) {
        notified.await;
    }
}

fn panic_notify() -> &'static Notify {
    static NOTIFY: OnceLock<Notify> = OnceLock::new();
    NOTIFY.get_or_init(Notify::new)
}

/// The terminal; restored on drop.
pub(super) struct Terminal {
    drawn: Drawn<CrosstermBackend<Frame>>,
    frame: Frame,
    mouse: bool,
}

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If it cannot be written or configured.
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

    /// Takes the terminal again; the next frame is drawn in full.
    ///
    /// # Errors
    /// If it cannot be written or configured.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        // Set first, so that a failure half-way is undone too.
        TAKEN.store(true, Ordering::SeqCst);
        terminal::enable_raw_mode()?;
        let out = self.drawn.backend_mut();
        queue!(out, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        if self.mouse {
            queue!(out, EnableMouseCapture)?;
        }
        // Not `clear`, which queries the cursor's place and waits seconds for a terminal that does not answer.
        self.drawn.resize(area())?;
        self.commit()
    }

    /// Restores the terminal, until it is entered again.
    pub(super) fn leave() {
        give_back();
    }

    /// Draws a frame, which the terminal shows at once (a synchronized update).
    ///
    /// # Errors
    /// If the terminal cannot be written.
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

    /// Captures or releases the mouse.
    ///
    /// # Errors
    /// If the terminal cannot be written.
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

    /// Copies a text to the clipboard through the terminal (OSC 52).
    ///
    /// # Errors
    /// If the terminal cannot be written.
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

/// Returns the area of the whole terminal. The backend would return 0 x 0 for a terminal that reports no size.
fn area() -> Rect {
    let (width, height) = size();
    Rect::new(0, 0, width, height)
}

/// Restores the terminal, once.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // If the terminal is gone, the error helps nobody.
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

/// Makes panics restore the terminal before their message is printed.
fn end_before_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let was_taken = TAKEN.load(Ordering::SeqCst);
            give_back();
            tell(info);
            // Only now: who is notified may end the process.
            if was_taken {
                PANICKED.store(true, Ordering::SeqCst);
                panic_notify().notify_waiters();
            }
        }));
    });
}

/// Gathers a frame's output, so that it is written at once, between the marks of a synchronized update.
#[derive(Clone, Debug, Default)]
struct Frame(Rc<RefCell<Vec<u8>>>);

impl Write for Frame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Does nothing: the backend flushes in the middle of a frame, and [`Frame::commit`] writes it.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Frame {
    /// Blocks while the terminal takes no output, as while less is paging it: there is nobody to draw for. Updates wait
    /// in the connection's buffers; signals, and a server in this process, wait too. A terminal that hangs up ends the
    /// wait with an error.
    fn commit(&self) -> io::Result<()> {
        let mut bytes = self.0.borrow_mut();
        // After a panic, the terminal is not the pane's any more.
        if TAKEN.load(Ordering::SeqCst) {
            let mut stdout = streams::stdout();
            stdout.write_all(&bytes)?;
            stdout.flush()?;
        }
        bytes.clear();
        Ok(())
    }
}
