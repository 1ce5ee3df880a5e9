//! The other side of a real terminal: programs' output is shown as by a terminal, and keys are typed into it.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    sync::{Arc, Mutex},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::{sync::watch, time::timeout};

use super::{PATIENCE, soon};

/// A terminal with a shell in it, or any other program, which is killed if a test gives up.
pub(crate) struct Terminal {
    seen: Arc<Mutex<Seen>>,
    changed: watch::Receiver<()>,
    keys: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    child: Option<Box<dyn Child + Send + Sync>>,
}

struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn above_zero(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

impl Terminal {
    /// Starts this program in a terminal, with nothing of the caller's environment but PATH.
    pub(crate) fn start(words: &[&str], (columns, rows): (u16, u16)) -> Self {
        let pty = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut command = CommandBuilder::new(words[0]);
        command.args(&words[1..]);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("PS1", "$ ");
        command.cwd(env!("CARGO_TARGET_TMPDIR"));
        let child = pty.slave.spawn_command(command).unwrap();
        let seen = Arc::new(Mutex::new(Seen {
            parser: vt100::Parser::new(above_zero(rows), above_zero(columns), 0),
            bytes: Vec::new(),
        }));
        let (tell, changed) = watch::channel(());
        let mut output = pty.master.try_clone_reader().unwrap();
        let writes = seen.clone();
        // Ends when no process has the terminal open any more.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                let mut seen = writes.lock().unwrap();
                seen.parser.process(&bytes[..read]);
                seen.bytes.extend_from_slice(&bytes[..read]);
                drop(seen);
                if tell.send(()).is_err() {
                    return;
                }
            }
        });
        Self {
            seen,
            changed,
            keys: pty.master.take_writer().unwrap(),
            master: pty.master,
            child: Some(child),
        }
    }

    /// Starts a shell that has job control and does not change the terminal's modes.
    pub(crate) async fn open(size: (u16, u16)) -> Self {
        let words = ["bash", "--norc", "--noprofile", "-i"];
        let mut terminal = Self::start(&words, size);
        terminal.shows("$ ").await;
        terminal.keys("bind 'set enable-bracketed-paste off'; clear; echo rea\"dy\"\n");
        terminal.shows("ready").await;
        terminal
    }

    /// Types into it.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Changes its size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        let mut seen = self.seen.lock().unwrap();
        let screen = seen.parser.screen_mut();
        screen.set_size(above_zero(rows), above_zero(columns));
        drop(seen);
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// Waits until the screen matches.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) {
        let waiting = async {
            loop {
                self.changed.borrow_and_update();
                if wanted(self.seen.lock().unwrap().parser.screen()) {
                    return true;
                }
                if self.changed.changed().await.is_err() {
                    // There is no more output.
                    return wanted(self.seen.lock().unwrap().parser.screen());
                }
            }
        };
        let reached = timeout(PATIENCE, waiting).await;
        assert!(
            matches!(reached, Ok(true)),
            "{what} is not seen, but\n{}",
            self.text()
        );
    }

    /// Waits until the screen contains this text.
    pub(crate) async fn shows(&mut self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text))
            .await;
    }

    /// Waits until the screen no longer contains this text.
    pub(crate) async fn hides(&mut self, text: &str) {
        let what = format!("the end of {text}");
        self.until(&what, |screen| !screen.contents().contains(text))
            .await;
    }

    /// Returns the program's process ID.
    pub(crate) fn pid(&self) -> u32 {
        let child = self.child.as_ref().expect("it has not ended");
        child.process_id().unwrap()
    }

    /// Returns the text on the screen.
    pub(crate) fn text(&self) -> String {
        self.seen.lock().unwrap().parser.screen().contents()
    }

    /// Returns everything written so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.seen.lock().unwrap().bytes.clone()
    }

    /// Waits for the program's end; returns its exit code, and what is left on the screen.
    pub(crate) async fn end(&mut self) -> (u32, String) {
        // The output ends when no process has the terminal open any more.
        soon(async { while self.changed.changed().await.is_ok() {} }).await;
        let mut child = self.child.take().expect("it ends once");
        let waiting = tokio::task::spawn_blocking(move || child.wait().unwrap());
        (soon(waiting).await.unwrap().exit_code(), self.text())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let _ = child.kill();
        let _ = child.wait();
    }
}
